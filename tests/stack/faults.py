"""The faults: each provokes one problem of the guide for real, a known number of times, and says what it brought about.

`FAULTS` maps a fault's name (the problem's id) to its function; each leaves the stack healthy, so that they can be
called alone, in any order, or one inside another. Numbers come from answers, states and views, never from intent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from .driver import Driver, Sent
from .http import Answer
from .stack import APP, POSTGRES, RABBITMQ, SLOW_MS, WORKER, StackError, until
from .truth import Deadlock, Effect, Fault, SlowStatement, now

_SECRET = b"dev-only-secret-of-at-least-32-bytes"  # app.core.config's default
_SLOW_SIMILAR = "SELECT count(*) FROM ai_messages a JOIN ai_messages b"
_SLOW_USAGE = "SELECT m.user_id, d.day, sum(length(md5(m.content || d.day))) AS characters"
Injection = Callable[[Driver, Fault], None]
FAULTS: dict[str, Injection] = {}
# Faults whose traces depend on who happened to be connected: by name only, for cascades.
OUTAGES = ("broker.connection_lost", "db.connection_lost")


def fault(name: str) -> Callable[[Injection], Injection]:
    def register(function: Injection) -> Injection:
        FAULTS[name] = function
        return function

    return register


def inject(driver: Driver, name: str) -> Fault:
    """Run one fault and enter it in the truth."""
    entry = Fault(name, now())
    before = len(driver.slow)
    FAULTS[name](driver, entry)
    if slow := tuple(driver.slow[before:]):
        entry.effects.append(Effect("api.slow_response", len(slow), {APP: len(slow)}, requests=slow))
    entry.end = now()
    driver.truth.faults.append(entry)
    return entry


@contextmanager
def provider_state(driver: Driver, back: dict[str, object], **state: object) -> Iterator[None]:
    """The provider behaves differently for a while."""
    driver.stack.provider(**state)
    try:
        yield
    finally:
        driver.stack.provider(**back)


def _answered(problem: str, answers: list[Answer], status: int) -> Effect:
    hit = [a for a in answers if a.status == status]
    return Effect(problem, len(hit), {APP: len(hit)}, requests=tuple(a.request_id or "" for a in hit))


# -- 1 API -----------------------------------------------------------------------------------------------------------


@fault("api.unauthorized")
def unauthorized(driver: Driver, entry: Fault) -> None:
    """No token, a broken one, an expired one, a wrong password."""
    path = "/api/v1/ai/conversations/c-1"
    answers = [driver.call("GET", path, user=None) for _ in range(2)]
    answers += [driver.call("GET", path, token="not.a.token") for _ in range(2)]
    answers += [driver.call("GET", path, token=_expired("u-0003"))]
    answers += [
        driver.call("POST", "/api/v1/auth/login", user=None, body={"phone": "13800138003", "password": "wrong"})
    ]
    entry.effects.append(_answered("api.unauthorized", answers, 401))


def _expired(user_id: str) -> str:
    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = json.dumps({"sub": user_id, "exp": int(time.time()) - 60}).encode()
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(claims)
    return (signed + b"." + part(hmac.new(_SECRET, signed, hashlib.sha256).digest())).decode()


@fault("api.not_found")
def not_found(driver: Driver, entry: Fault) -> None:
    """Conversations and jobs that do not exist."""
    answers = [driver.call("GET", f"/api/v1/ai/conversations/c-missing-{n}") for n in range(3)]
    answers += [driver.call("GET", f"/api/v1/ai/jobs/j-missing-{n}") for n in range(2)]
    entry.effects.append(_answered("api.not_found", answers, 404))


@fault("api.validation_error")
def validation_error(driver: Driver, entry: Fault) -> None:
    """Bodies that the request's model refuses, and parameters that a model inside the service refuses."""
    bodies: list[dict[str, object]] = [{}, {"prompt": ""}, {"prompt": 7}]
    answers = [driver.call("POST", "/api/v1/ai/chat", body=body) for body in bodies]
    for params in ({"width": 9, "height": 64}, {"height": 64}, {"width": "wide", "height": 4096}):
        body = {"job_type": "image", "prompt": "海报", "params": params}
        answers.append(driver.call("POST", "/api/v1/ai/jobs", body=body))
    entry.effects.append(_answered("api.validation_error", answers, 400))


@fault("api.insufficient_credits")
def insufficient_credits(driver: Driver, entry: Fault) -> None:
    """A user who has almost nothing left."""
    answers = [driver.chat("写一个结尾", user=11) for _ in range(2)]
    answers += [
        driver.call("POST", "/api/v1/ai/jobs", user=11, body={"job_type": "video", "prompt": "预告片"})
        for _ in range(2)
    ]
    entry.effects.append(_answered("api.insufficient_credits", answers, 402))


# -- 2 tasks ---------------------------------------------------------------------------------------------------------


def _tasks(problem: str, sent: list[Sent], **more: bool) -> Effect:
    return Effect(problem, len(sent), {WORKER: len(sent)}, tasks=tuple(s.task_id for s in sent), **more)


@fault("task.stuck_pending")
def stuck_pending(driver: Driver, entry: Fault) -> None:
    """The worker is down while jobs come in; the queue is cleared before it returns, so they stay pending for ever."""
    docker = driver.stack.engine.docker
    docker("stop", "-t", "20", WORKER)
    sent = [driver.submit("text", f"等待中的任务 {n}", user=4) for n in range(5)]
    time.sleep(2)
    docker("exec", RABBITMQ, "/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "purge_queue", "ai_tasks")
    restart_worker(driver)
    ids = ", ".join(f"'{s.job_id}'" for s in sent)
    waiting = driver.stack.psql(f"SELECT count(*) FROM ai_jobs WHERE status = 'pending' AND job_id IN ({ids})")
    entry.effects.append(
        Effect("task.stuck_pending", int(waiting[0]), {APP: int(waiting[0])}, tasks=tuple(s.task_id for s in sent))
    )


def restart_worker(driver: Driver) -> None:
    """Start the worker again (or restart it) and wait until it takes tasks."""
    driver.stack.engine.docker("restart", "-t", "20", WORKER)
    driver.finish([driver.submit("analyse", "重启:检查", user=5)], 60)


@fault("task.failed")
def task_failed(driver: Driver, entry: Fault) -> None:
    """A screenplay that the analysis cannot take apart."""
    sent = [driver.submit("analyse", f"没有冒号的场景{n}", user=3) for n in range(4)]
    states = driver.finish(sent)
    failed = [s for s, (state, _) in zip(sent, states, strict=True) if state == "FAILURE"]
    entry.effects.append(_tasks("task.failed", failed))


@fault("task.timeout")
def task_timeout(driver: Driver, entry: Fault) -> None:
    """The provider takes longer than a task may: two meet the soft limit, one swallows it and meets the hard one."""
    with provider_state(driver, {"delay": 0.05}, delay=9):
        sent = [driver.submit("text", "一个很长的故事", user=6) for _ in range(2)]
        sent.append(driver.submit("video", "片头动画", user=6))
        states = driver.finish(sent)
    kinds = {"SoftTimeLimitExceeded", "TimeLimitExceeded"}
    over = [s for s, (_, kind) in zip(sent, states, strict=True) if kind in kinds]
    entry.effects.append(_tasks("task.timeout", over))
    # The hard limit is kept by killing the child that runs the task.
    hard = [s for s, (_, kind) in zip(sent, states, strict=True) if kind == "TimeLimitExceeded"]
    entry.effects.append(_tasks("task.worker_lost", hard))
    entry.notes["states"] = {s.task_id: kind for s, (_, kind) in zip(sent, states, strict=True)}


@fault("task.worker_lost")
def worker_lost(driver: Driver, entry: Fault) -> None:
    """One child of the worker is killed in the middle of a task."""
    with provider_state(driver, {"delay": 0.05}, delay=3):
        sent = [driver.submit("text", "被打断的故事", user=7) for _ in range(2)]
        time.sleep(1.5)
        os.kill(_children(driver)[0], signal.SIGKILL)
        states = driver.finish(sent)
    lost = [s for s, (_, kind) in zip(sent, states, strict=True) if kind == "WorkerLostError"]
    entry.effects += [_tasks("task.worker_lost", lost), _tasks("memory.worker_leak", lost, secondary=True)]
    # The worker looks for dead children every few seconds, and may note before that that their task takes too long.
    entry.effects.append(_tasks("task.timeout", lost, secondary=True))


def _children(driver: Driver) -> list[int]:
    """Process ids, on the host, of the worker's children."""
    rows = driver.stack.engine.docker("top", WORKER, "-eo", "pid,ppid").splitlines()[1:]
    main = int(driver.stack.inspect(WORKER, "{{.State.Pid}}"))
    return [int(row.split()[0]) for row in rows if int(row.split()[1]) == main]


# -- 3 provider ------------------------------------------------------------------------------------------------------


def _provider_fault(driver: Driver, entry: Fault, problem: str, chats: int, jobs: int, **body: object) -> list[Sent]:
    answers = [driver.chat("续写下一场", user=8, **body) for _ in range(chats)]
    sent = [driver.submit("text", "续写下一场", user=8, **body) for _ in range(jobs)]
    states = driver.finish(sent)
    refused = [a for a in answers if a.status == 502]
    failed = [s for s, (state, _) in zip(sent, states, strict=True) if state == "FAILURE"]
    requests = tuple(a.request_id or "" for a in refused)
    where = {APP: len(refused), WORKER: len(failed)}
    entry.effects += [
        Effect(problem, len(refused) + len(failed), where, requests=requests, tasks=tuple(s.task_id for s in failed)),
        Effect("api.server_error", len(refused), {APP: len(refused)}, requests=requests),
        _tasks("task.failed", failed, secondary=True),
    ]
    return failed


@fault("provider.invalid_api_key")
def invalid_api_key(driver: Driver, entry: Fault) -> None:
    """The key is revoked for a while."""
    with provider_state(driver, {"keys": ["sk-live-jointo"]}, keys=[]):
        _provider_fault(driver, entry, "provider.invalid_api_key", 2, 2)


@fault("provider.model_unavailable")
def model_unavailable(driver: Driver, entry: Fault) -> None:
    """A model is asked for that the provider no longer offers."""
    with provider_state(driver, {"models": ["gpt-4o-mini", "gpt-4o", "flux-1"]}, models=["gpt-4o-mini", "flux-1"]):
        _provider_fault(driver, entry, "provider.model_unavailable", 2, 3, model="gpt-4o")


@fault("provider.rate_limited")
def rate_limited(driver: Driver, entry: Fault) -> None:
    """The quota is used up; the worker tries each task three times."""
    with provider_state(driver, {"quota": None}, quota=0):
        failed = _provider_fault(driver, entry, "provider.rate_limited", 2, 2)
    retries = 2 * len(failed)  # max_retries of the task
    tasks = tuple(s.task_id for s in failed)
    entry.effects += [
        Effect("provider.rate_limited", retries, {WORKER: retries}, tasks=tasks),
        Effect("task.retry", retries, {WORKER: retries}, tasks=tasks, secondary=True),
    ]


@fault("provider.unavailable")
def provider_unavailable(driver: Driver, entry: Fault) -> None:
    """The provider answers 503."""
    with provider_state(driver, {"broken": False}, broken=True):
        _provider_fault(driver, entry, "provider.unavailable", 2, 1)


# -- 4 database ------------------------------------------------------------------------------------------------------


@fault("db.pool_exhausted")
def pool_exhausted(driver: Driver, entry: Fault) -> None:
    """Fifteen chats hold their connection while the provider is slow; others want one meanwhile."""
    driver.token(9)
    with provider_state(driver, {"delay": 0.05}, delay=5):
        holders = threading.Thread(target=lambda: driver.together([lambda: driver.chat("慢一点", user=9)] * 15))
        holders.start()
        held = "SELECT count(*) >= 15 FROM pg_stat_activity WHERE state = 'idle in transaction'"
        until(lambda: driver.stack.psql(held) == ["t"], 4, "fifteen held connections")
        answers = driver.together([lambda: driver.call("GET", "/api/v1/ai/models", user=9)] * 6)
        holders.join()
    effect = _answered("db.pool_exhausted", answers, 500)
    entry.effects += [effect, Effect("api.server_error", effect.count, effect.where, requests=effect.requests)]


@fault("db.deadlock")
def deadlock(driver: Driver, entry: Fault) -> None:
    """Two users send each other credits at the same moment."""
    failed: list[Answer] = []
    driver.token(0), driver.token(1)
    with provider_state(driver, {"delay": 0.05}, delay=0.5):
        for _ in range(6):
            if len(failed) < 2:
                failed += _crossing(driver, entry)
    requests = tuple(a.request_id or "" for a in failed)
    count = len(failed)
    entry.effects += [
        Effect("db.deadlock", count, {POSTGRES: count, APP: count}, requests=requests),
        Effect("api.server_error", count, {APP: count}, requests=requests),
    ]
    entry.consequences.append("UPDATE user_credits SET balance=(user_credits.balance")


def _crossing(driver: Driver, entry: Fault) -> list[Answer]:
    answers: list[Answer] = []
    bodies = [{"to_user_id": "u-0001", "amount": 5}, {"to_user_id": "u-0000", "amount": 7}]

    def cross() -> None:
        calls = [
            lambda user=user: driver.call("POST", "/api/v1/credits/transfer", user=user, body=bodies[user])
            for user in (0, 1)
        ]
        answers.extend(driver.together(calls))  # type: ignore[arg-type]

    crossing = threading.Thread(target=cross)
    crossing.start()
    waiting = (
        "SELECT a.pid, translate(a.query, E'\\n', ' ') FROM pg_stat_activity a"
        " WHERE EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND NOT l.granted) ORDER BY 1"
    )
    while crossing.is_alive():
        rows = driver.stack.psql(waiting)
        if len(rows) == 2:
            pids, statements = zip(*(row.split("|", 1) for row in rows), strict=True)
            entry.deadlocks.append(Deadlock(now(), "user_credits", tuple(map(int, pids)), tuple(statements)))
            break
    crossing.join()
    return [a for a in answers if a.status == 500]


@fault("db.slow_query")
def slow_query(driver: Driver, entry: Fault) -> None:
    """Two statement shapes without an index to help them, with different parameters."""
    _grow_until_slow(driver)
    needles = (quote("雨夜"), quote("ERROR: deadlock detected"), "abc", "42")
    paths = {
        _SLOW_SIMILAR: [f"/api/v1/ai/messages/similar?needle={needle}" for needle in needles],
        _SLOW_USAGE: [f"/api/v1/ai/usage?days={days}" for days in (120, 150, 130)],
    }
    for shape, requests in paths.items():
        times = []
        for user, path in enumerate(requests):
            started = time.perf_counter()
            answer = driver.call("GET", path, user=user)
            times.append((time.perf_counter() - started) * 1000)
            assert answer.status == 200, answer
        assert min(times) > SLOW_MS, f"{shape} took only {min(times):.0f} ms"
        entry.slow_statements.append(SlowStatement(shape, len(times), round(min(times), 1), round(max(times), 1)))
    count = sum(s.count for s in entry.slow_statements)
    entry.effects.append(Effect("db.slow_query", count, {POSTGRES: count}))


def _grow_until_slow(driver: Driver) -> None:
    """Messages come in until both statements are slow on this machine, with the plan that they keep.

    A machine that is busy for a moment makes a statement look slow that is not: the fastest of three runs counts, and
    twice the limit is asked for.
    """
    joins = [
        f"{_SLOW_SIMILAR} ON length(a.content) = length(b.content) AND a.content > b.content"
        f" WHERE a.user_id = 'u-{user:04}' AND b.content NOT LIKE '%42%'"
        for user in range(4)
    ]
    days = f"{_SLOW_USAGE} FROM ai_messages m CROSS JOIN generate_series(1, 120) AS d(day) GROUP BY m.user_id, d.day"
    silently = "SET log_min_duration_statement = -1;"  # what the driver does for itself is none of the app's doing

    def fastest(sql: str) -> float:
        plans = [driver.stack.psql(f"{silently} EXPLAIN (ANALYZE, TIMING off) {sql}")[-1] for _ in range(3)]
        return min(float(plan.split()[2]) for plan in plans)

    for _ in range(12):
        driver.stack.psql(f"{silently} ANALYZE ai_messages")
        if all(fastest(sql) > 2 * SLOW_MS for sql in (*joins, days)):
            return
        driver.stack.psql(
            f"{silently} INSERT INTO ai_messages (conversation_id, user_id, content)"
            " SELECT conversation_id, user_id, content FROM ai_messages WHERE conversation_id = 'c-seed' LIMIT 3000"
        )
    raise StackError("twelve times more messages, and the statements are still fast")


@fault("db.constraint_violation")
def constraint_violation(driver: Driver, entry: Fault) -> None:
    """The same conversation is created twice; the app expects that and answers 409."""
    body = {"title": "重复的会话", "conversation_id": f"c-{driver.random.getrandbits(32):08x}"}
    answers = [driver.call("POST", "/api/v1/ai/conversations", body=body) for _ in range(3)]
    count = sum(a.status == 409 for a in answers)
    entry.effects.append(Effect("db.constraint_violation", count, {POSTGRES: count}))


# -- 5 memory --------------------------------------------------------------------------------------------------------


@fault("memory.out_of_memory")
def out_of_memory(driver: Driver, entry: Fault) -> None:
    """Exports stay in the app's memory until the kernel ends it; the engine starts it again."""
    before = int(driver.stack.inspect(APP, "{{.RestartCount}}"))
    for _ in range(30):
        if driver.call("GET", "/api/v1/ai/export?megabytes=40", user=2).status == 0:
            break
    until(lambda: int(driver.stack.inspect(APP, "{{.RestartCount}}")) > before, 30, "the app's restart")
    driver.stack.await_app()
    count = int(driver.stack.inspect(APP, "{{.RestartCount}}")) - before
    entry.effects.append(Effect("memory.out_of_memory", count, {APP: count}))


@fault("memory.worker_leak")
def worker_leak(driver: Driver, entry: Fault) -> None:
    """Vectors stay in the worker's children until the kernel ends one of them; then the worker is restarted."""
    lost: list[Sent] = []
    done = 0
    while not lost and done < 40:
        sent = driver.submit("embed", "向量化 dims=40960", user=2)
        done += 1
        lost += [sent] if driver.finish([sent])[0][1] == "WorkerLostError" else []
    entry.effects += [_tasks("memory.worker_leak", lost), _tasks("task.worker_lost", lost, secondary=True)]
    entry.notes["tasks_before_the_kill"] = done - 1
    restart_worker(driver)


# -- outages ---------------------------------------------------------------------------------------------------------


@fault("broker.connection_lost")
def broker_lost(driver: Driver, entry: Fault) -> None:
    """RabbitMQ restarts; worker and Beat lose their connections and find back."""
    driver.stack.engine.docker("restart", "-t", "10", RABBITMQ)
    until(driver.task_works, 60, "tasks to work again")
    entry.effects.append(Effect("broker.connection_lost", 1, {WORKER: 1}))


@fault("db.connection_lost")
def database_lost(driver: Driver, entry: Fault) -> None:
    """Postgres restarts under pooled connections; requests fail until the pool has noticed."""
    driver.stack.engine.docker("restart", "-t", "10", POSTGRES)
    failed = []
    for _ in range(40):
        answer = driver.call("GET", "/api/v1/ai/models")
        if answer.status == 200:
            break
        failed.append(answer)
        time.sleep(0.3)
    effect = _answered("db.connection_lost", failed, 500)
    entry.effects += [effect, Effect("api.server_error", effect.count, effect.where, requests=effect.requests)]
