"""What a small AI service logs: one function a story, each gives the lines of one or more whole records.

A story gets a `Draw` (time and random values) and returns text that ends in a newline. `BENIGN` and `PROBLEMS` are
the mix: (weight, story) and (weight, story, problem ids that exactly one of its records must carry).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
PATHS = ("/api/v1/ai/generate", "/api/v1/ai/jobs", "/api/v1/projects", "/api/v1/scenes", "/api/v1/me", "/healthz")
TASKS = ("app.tasks.ai.generate_image", "app.tasks.ai.generate_text", "app.tasks.credits.settle", "app.tasks.export.pdf")
TABLES = ("ai_jobs", "projects", "users", "credits", "scenes")
WORDS = ["prompt", "image", "scene", "credit", "export", "model", "queue", "batch", "upload", "cache", "frame", "style", "audio", "voice", "layer"]


@dataclass(slots=True)
class Draw:
    """Random values and the clock of one shard; hexadecimal text comes from one large pool because calls are dear."""

    rng: random.Random
    micros: int
    second: int = -1
    space: str = ""
    redis: str = ""
    apache: str = ""
    iso: str = ""
    _hex: str = ""
    _at: int = 0

    def tick(self) -> None:
        """Go on by up to a millisecond, and render the second's layouts when it changes."""
        self.micros += int(self.rng.random() * 1000)
        second = self.micros // 1_000_000
        if second != self.second:
            self.second = second
            t = datetime.fromtimestamp(second, UTC)
            self.space = t.strftime("%Y-%m-%d %H:%M:%S")
            self.iso = t.strftime("%Y-%m-%dT%H:%M:%S")
            self.redis = f"{t.day:02d} {MONTHS[t.month - 1]} {t.strftime('%Y %H:%M:%S')}"
            self.apache = f"{t.day:02d}/{MONTHS[t.month - 1]}/{t.strftime('%Y:%H:%M:%S')} +0000"

    @property
    def ms(self) -> str:
        return f"{self.micros // 1000 % 1000:03d}"

    def hex(self, n: int) -> str:
        if self._at + n > len(self._hex):
            self._hex, self._at = self.rng.randbytes(1 << 16).hex(), 0
        self._at += n
        return self._hex[self._at - n : self._at]

    def uuid(self) -> str:
        h = self.hex(32)
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def n(self, below: int) -> int:
        return int(self.rng.random() * below)

    def of(self, items: tuple[str, ...] | list[str]) -> str:
        return items[int(self.rng.random() * len(items))]

    def app(self, level: str, logger: str) -> str:
        return f"{self.space},{self.ms} {level} {logger} [req-{self.hex(12)}]"

    def celery(self, level: str, process: str) -> str:
        return f"[{self.space},{self.ms}: {level}/{process}]"

    def pg(self, pid: int) -> str:
        return f"{self.space}.{self.ms} UTC [{pid}]"


Story = Callable[[Draw], str]


def app_info(d: Draw) -> str:
    return f"{d.app('INFO', 'app.services.ai')} {d.of(WORDS)} {d.n(90000)} finished in {d.n(900)} ms, errors: 0\n"


def app_debug(d: Draw) -> str:
    return f"{d.app('DEBUG', 'app.cache')} cache hit key=job:{d.uuid()} ttl={d.n(3600)}\n"


def app_user_text(d: Draw) -> str:
    """Words of failures in a user's text: benign."""
    return f'{d.app("INFO", "app.chat")} user {d.n(9999)} wrote: "what is deadlock detected, {d.of(WORDS)}?"\n'


def httpx_ok(d: Draw) -> str:
    return f'{d.app("INFO", "httpx")} HTTP Request: POST https://ai.example/v1/chat/completions "HTTP/1.1 200 OK"\n'


def access(status: str, method: str = "GET") -> Story:
    def story(d: Draw) -> str:
        return f'INFO:     172.18.0.{d.n(250)}:{30000 + d.n(30000)} - "{method} {d.of(PATHS)}?page={d.n(99)} HTTP/1.1" {status}\n'

    return story


def nginx(d: Draw) -> str:
    return (
        f'172.18.0.{d.n(250)} - - [{d.apache}] "GET /static/{d.hex(8)}/{d.of(WORDS)}.js HTTP/1.1" 200 {d.n(90000)} '
        f'"https://app.example/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"\n'
    )


def celery_ok(d: Draw) -> str:
    task, ident, child = d.of(TASKS), d.uuid(), f"ForkPoolWorker-{1 + d.n(8)}"
    return (
        f"{d.celery('INFO', 'MainProcess')} Task {task}[{ident}] received\n"
        f"{d.celery('INFO', child)} {task}[{ident}]: {d.of(WORDS)} {d.n(9999)} of job {d.n(99999)}\n"
        f"{d.celery('INFO', child)} Task {task}[{ident}] succeeded in {d.rng.random() * 9}s: {{'ok': True}}\n"
    )


def beat_due(d: Draw) -> str:
    return f"{d.celery('INFO', 'MainProcess')} Scheduler: Sending due task settle-credits (app.tasks.credits.settle)\n"


def pg_fast(d: Draw) -> str:
    return (
        f"{d.pg(100 + d.n(800))} LOG:  duration: {d.n(80)}.{d.n(1000):03d} ms  statement: "
        f"SELECT id, status FROM {d.of(TABLES)} WHERE id = {d.n(999999)} AND status <> 'error'\n"
    )


def pg_connection(d: Draw) -> str:
    pid = 100 + d.n(800)
    return (
        f"{d.pg(pid)} LOG:  connection received: host=172.18.0.{d.n(250)} port={30000 + d.n(30000)}\n"
        f"{d.pg(pid)} LOG:  connection authorized: user=app database=app application_name=api\n"
    )


def pg_checkpoint(d: Draw) -> str:
    return (
        f"{d.pg(27)} LOG:  checkpoint complete: wrote {d.n(900)} buffers (0.3%); 0 WAL file(s) added, 0 removed, "
        f"0 recycled; write={d.n(9)}.{d.n(1000):03d} s, sync=0.008 s, total=0.011 s; sync files=12, longest=0.004 s, "
        f"average=0.001 s; distance=248 kB, estimate=248 kB\n"
    )


def redis_save(d: Draw) -> str:
    return (
        f"1:M {d.redis}.{d.ms} * {d.n(900)} changes in 300 seconds. Saving...\n"
        f"1:M {d.redis}.{d.ms} * Background saving started by pid {d.n(30000)}\n"
    )


def rabbit_connection(d: Draw) -> str:
    pid, peer = f"<0.{d.n(30000)}.0>", f"172.18.0.{d.n(250)}:{30000 + d.n(30000)} -> 172.18.0.3:5672"
    stamp = f"{d.space}.{d.ms}000+00:00"
    return (
        f"{stamp} [info] {pid} accepting AMQP connection {pid} ({peer})\n"
        f"{stamp} [info] {pid} connection {pid} ({peer}): user 'app' authenticated and granted access to vhost '/'\n"
    )


FRAMES = '''Traceback (most recent call last):
  File "/opt/venv/lib/python3.11/site-packages/starlette/routing.py", line 73, in app
    response = await f(request)
               ^^^^^^^^^^^^^^^^
  File "/srv/app/api/ai.py", line {line}, in generate
    job = service.create(db, payload)
          ^^^^^^^^^^^^^^^^^^^^^^^^^^^
'''


def traceback_story(head: str, last: str) -> Story:
    """An ERROR line of the app with a traceback whose last lines are `last`."""

    def story(d: Draw) -> str:
        frames = FRAMES.replace("{line}", str(20 + d.n(9)))
        return f"{d.app('ERROR', 'app.api')} {head} {d.uuid()}\n{frames}{last}\n"

    return story


def celery_failed(d: Draw) -> str:
    task, ident = d.of(TASKS), d.uuid()
    return (
        f"{d.celery('ERROR', 'ForkPoolWorker-2')} Task {task}[{ident}] raised unexpected: ValueError('no frame {d.n(99)}')\n"
        f'Traceback (most recent call last):\n'
        f'  File "/opt/venv/lib/python3.11/site-packages/celery/app/trace.py", line 564, in trace_task\n'
        f"    R = retval = fun(*args, **kwargs)\n"
        f'  File "/srv/app/tasks/ai.py", line {20 + d.n(9)}, in run\n'
        f'    raise ValueError(f"no frame {{n}}")\n'
        f"ValueError: no frame {d.n(99)}\n"
    )


def celery_retry(d: Draw) -> str:
    return (
        f"{d.celery('INFO', 'ForkPoolWorker-1')} Task {d.of(TASKS)}[{d.uuid()}] retry: "
        f"Retry in {1 + d.n(60)}s: OSError('upload {d.n(999)} interrupted')\n"
    )


def celery_soft_limit(d: Draw) -> str:
    return f"{d.celery('WARNING', 'MainProcess')} Soft time limit (300s) exceeded for {d.of(TASKS)}[{d.uuid()}]\n"


def aihubmix(text: str) -> Story:
    def story(d: Draw) -> str:
        return f"{d.app('ERROR', 'app.services.ai')} AIHubMix API Error: {text}\n"

    return story


def httpx_429(d: Draw) -> str:
    return (
        f"{d.app('INFO', 'httpx')} HTTP Request: POST https://ai.example/v1/chat/completions "
        f'"HTTP/1.1 429 Too Many Requests"\n'
    )


def pg_slow(d: Draw) -> str:
    return (
        f"{d.pg(100 + d.n(800))} LOG:  duration: {1200 + d.n(9000)}.{d.n(1000):03d} ms  statement: SELECT count(*)\n"
        f"\t  FROM {d.of(TABLES)} t\n\t JOIN users u ON u.id = t.user_id\n\t WHERE t.prompt ILIKE '%{d.of(WORDS)}%'\n"
    )


def pg_deadlock(d: Draw) -> str:
    a, b, t = 100 + d.n(400), 500 + d.n(400), d.of(TABLES)
    return (
        f"{d.pg(a)} ERROR:  deadlock detected\n"
        f"{d.pg(a)} DETAIL:  Process {a} waits for ShareLock on transaction {d.n(99999)}; blocked by process {b}.\n"
        f"\tProcess {b} waits for ShareLock on transaction {d.n(99999)}; blocked by process {a}.\n"
        f"\tProcess {a}: UPDATE {t} SET n = n + 1 WHERE id = {d.n(99)}\n"
        f"\tProcess {b}: UPDATE {t} SET n = n - 1 WHERE id = {d.n(99)}\n"
        f"{d.pg(a)} HINT:  See server log for query details.\n"
        f'{d.pg(a)} CONTEXT:  while updating tuple (0,{d.n(99)}) in relation "{t}"\n'
        f"{d.pg(a)} STATEMENT:  UPDATE {t} SET n = n + 1 WHERE id = {d.n(99)}\n"
    )


def pg_unique(d: Draw) -> str:
    pid, key = 100 + d.n(800), d.n(99999)
    return (
        f'{d.pg(pid)} ERROR:  duplicate key value violates unique constraint "users_email_key"\n'
        f"{d.pg(pid)} DETAIL:  Key (email)=(u{key}@example.com) already exists.\n"
        f"{d.pg(pid)} STATEMENT:  INSERT INTO users (email) VALUES ('u{key}@example.com')\n"
    )


def pg_too_many(d: Draw) -> str:
    return f"{d.pg(100 + d.n(800))} FATAL:  sorry, too many clients already\n"


def pg_statement_timeout(d: Draw) -> str:
    pid = 100 + d.n(800)
    return (
        f"{d.pg(pid)} ERROR:  canceling statement due to statement timeout\n"
        f"{d.pg(pid)} STATEMENT:  SELECT pg_sleep({d.n(99)})\n"
    )


def pg_lock_wait(d: Draw) -> str:
    pid = 100 + d.n(800)
    return (
        f"{d.pg(pid)} LOG:  process {pid} still waiting for ShareLock on transaction {d.n(99999)} after 1000.{d.n(1000):03d} ms\n"
        f"{d.pg(pid)} DETAIL:  Process holding the lock: {d.n(900)}. Wait queue: {pid}.\n"
        f"{d.pg(pid)} STATEMENT:  UPDATE {d.of(TABLES)} SET n = 1 WHERE id = {d.n(99)}\n"
    )


def rabbit_heartbeat(d: Draw) -> str:
    pid, stamp = f"<0.{d.n(30000)}.0>", f"{d.space}.{d.ms}000+00:00"
    return (
        f"{stamp} [error] {pid} closing AMQP connection {pid} (172.18.0.{d.n(250)}:{30000 + d.n(30000)} -> 172.18.0.3:5672):\n"
        f"{stamp} [error] {pid} missed heartbeats from client, timeout: 60s\n"
    )


POOL = (
    "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00 "
    "(Background on this error at: https://sqlalche.me/e/20/3o7r)"
)
DEADLOCK = (
    "sqlalchemy.exc.OperationalError: (psycopg2.errors.DeadlockDetected) deadlock detected\n"
    "DETAIL:  Process 812 waits for ShareLock on transaction 726; blocked by process 813.\n"
    "HINT:  See server log for query details.\n\n"
    "[SQL: UPDATE ai_jobs SET status=%(status)s WHERE id=%(id)s]\n"
    "(Background on this error at: https://sqlalche.me/e/20/e3q8)"
)

# Weights are relative inside each list. Stories with two or three records are listed with their record count.
BENIGN: tuple[tuple[int, int, Story], ...] = (
    (200, 1, app_info), (60, 1, app_debug), (2, 1, app_user_text), (40, 1, httpx_ok),
    (220, 1, access("200 OK")), (40, 1, access("201 Created", "POST")), (20, 1, access("304 Not Modified")),
    (60, 1, nginx), (90, 3, celery_ok), (20, 1, beat_due), (130, 1, pg_fast), (15, 2, pg_connection),
    (4, 1, pg_checkpoint), (8, 2, redis_save), (15, 2, rabbit_connection),
)  # fmt: skip
PROBLEMS: tuple[tuple[int, str, Story], ...] = (
    (12, "api.not_found", access("404 Not Found")),
    (10, "api.validation_error", access("422 Unprocessable Entity", "POST")),
    (6, "api.unauthorized", access("401 Unauthorized")),
    (3, "api.insufficient_credits", access("402 Payment Required", "POST")),
    (8, "api.server_error", access("500 Internal Server Error", "POST")),
    (6, "db.pool_exhausted", traceback_story("job not created", POOL)),
    (3, "db.deadlock", traceback_story("job not updated", DEADLOCK)),
    (8, "task.failed", celery_failed), (8, "task.retry", celery_retry), (2, "task.timeout", celery_soft_limit),
    (4, "provider.rate_limited", aihubmix("Rate limit exceeded")), (4, "provider.rate_limited", httpx_429),
    (1, "provider.invalid_api_key", aihubmix("Invalid API Key")),
    (1, "provider.model_unavailable", aihubmix("Model not found or not available")),
    (8, "db.slow_query", pg_slow), (2, "db.deadlock", pg_deadlock), (4, "db.constraint_violation", pg_unique),
    (2, "db.too_many_connections", pg_too_many), (2, "db.statement_timeout", pg_statement_timeout),
    (2, "db.lock_timeout", pg_lock_wait), (2, "broker.connection_lost", rabbit_heartbeat),
)  # fmt: skip
POSTGRES = {pg_fast, pg_connection, pg_checkpoint, pg_slow, pg_deadlock, pg_unique, pg_too_many, pg_statement_timeout, pg_lock_wait}


def stories(only_postgres: bool) -> tuple[list[tuple[int, int, Story]], list[tuple[int, str, Story]]]:
    """The mix, or its Postgres part (what pgBadger reads)."""
    if not only_postgres:
        return list(BENIGN), list(PROBLEMS)
    return [b for b in BENIGN if b[2] in POSTGRES], [p for p in PROBLEMS if p[2] in POSTGRES]


def endless(d: Draw, only_postgres: bool, problem_share: float) -> Iterator[tuple[str, int, str | None]]:
    """Text, record count and problem of one story after the other, without end."""
    benign, problems = stories(only_postgres)
    while True:
        pick_benign = d.rng.choices(benign, weights=[b[0] for b in benign], k=4096)
        pick_problem = d.rng.choices(problems, weights=[p[0] for p in problems], k=4096)
        for (_, records, plain), (_, problem, failing) in zip(pick_benign, pick_problem, strict=True):
            d.tick()
            if d.rng.random() < problem_share:
                yield failing(d), 1, problem
            else:
                yield plain(d), records, None
