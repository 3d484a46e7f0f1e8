
"""A report made by hand, with every part filled: for tests of rendering that need no lake."""

from __future__ import annotations

import math
import random
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zlib import crc32

from triage._data import data_dir
from triage.analyse.model import (
    Alert,
    Cause,
    ClockSkew,
    Deadlock,
    DeadlockProcess,
    Impact,
    Incident,
    NewTemplate,
    RouteImpact,
    SlowQuery,
    Step,
    TaskImpact,
    TaskSummary,
)
from triage.analyse.model import Evidence as Claim
from triage.report.parts import (
    Axis,
    Buckets,
    Card,
    Chapter,
    Collection,
    Crossing,
    Database,
    ErrorGroup,
    EventColumns,
    Evidence,
    Gap,
    Lane,
    Mark,
    Origin,
    Point,
    Problem,
    ProblemRow,
    Query,
    Record,
    Report,
    Runbook,
    Series,
    ServiceRow,
    Totals,
)

START = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
END = START + timedelta(minutes=30)
STEP = 10
SERVICES = {
    "jointo-server-app": "app",
    "jointo-server-celery-ai": "celery",
    "jointo-server-celery-beat": "beat",
    "jointo-server-postgres": "postgres",
    "jointo-server-rabbitmq": "rabbitmq",
    "jointo-server-redis": "redis",
}
QUERY = Query(
    "problems",
    "SELECT problem, count(*) AS count FROM logs\nWHERE timestamp >= $since AND timestamp < $until\n  AND problem IS NOT NULL\nGROUP BY ALL ORDER BY count DESC, problem",
    {"since": START, "until": END},
)
# problem, service, severity, first second, last second, records
STORY = (
    ("db.slow_query", "jointo-server-postgres", "warning", 40, 1500, 31),
    ("db.deadlock", "jointo-server-postgres", "error", 312, 480, 14),
    ("db.pool_exhausted", "jointo-server-app", "error", 355, 610, 62),
    ("api.server_error", "jointo-server-app", "error", 357, 640, 118),
    ("task.failed", "jointo-server-celery-ai", "error", 371, 655, 41),
    ("task.retry", "jointo-server-celery-ai", "warning", 372, 660, 57),
    ("provider.rate_limited", "jointo-server-celery-ai", "warning", 1080, 1260, 88),
    ("task.timeout", "jointo-server-celery-ai", "error", 1105, 1270, 9),
    ("api.validation_error", "jointo-server-app", "warning", 90, 1700, 7),
)
BODIES = {
    "db.deadlock": '2026-02-03 10:05:12.481 UTC [812] ERROR:  deadlock detected\n2026-02-03 10:05:12.481 UTC [812] DETAIL:  Process 812 waits for ShareLock on transaction 7431; blocked by process 809.\n\tProcess 809 waits for ShareLock on transaction 7432; blocked by process 812.\n2026-02-03 10:05:12.481 UTC [812] HINT:  See server log for query details.\n2026-02-03 10:05:12.481 UTC [812] CONTEXT:  while updating tuple (0,4) in relation "ai_jobs"',
    "db.pool_exhausted": 'Traceback (most recent call last):\n  File "/app/app/api/v1/ai.py", line 88, in create_job\n    async with session.begin():\nsqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00',
}


def record(problem: str, service: str, severity: str, at: datetime, k: int = 0) -> Record:
    body = BODIES.get(problem, f"{severity.upper()} app.services: {problem} 发生错误 job_id=j-{k:04d}")
    return Record(
        f"{k:04d}{crc32(problem.encode()) & 0xFFFFFF:06x}",
        at,
        service,
        severity.upper(),
        17 if severity == "error" else 13,
        body.splitlines()[-1] if "Trace" in body else body.splitlines()[0],
        body,
        problem,
        f"docker:{service}",
        k,
        body.count("\n") + 1,
        {"job_id": f"j-{k:04d}"},
    )


def buckets(seed: str, low: int, high: int, count: int) -> Buckets:
    rng = random.Random(seed)
    tally: dict[int, int] = {}
    for _ in range(count):
        at = low if high <= low else int(min(high, max(low, rng.triangular(low, high, low + (high - low) * 0.35))))
        tally[at // STEP] = tally.get(at // STEP, 0) + 1
    return Buckets(tuple(sorted(tally.items())))


def evidence(problem: str, service: str, severity: str, at: datetime, k: int) -> Evidence:
    around = [
        Record(
            f"c{k}{j}",
            at + timedelta(milliseconds=180 * j),
            service,
            "INFO",
            9,
            "",
            f'INFO:     127.0.0.1:5{j + 3}204 - "POST /api/v1/ai/jobs HTTP/1.1" 200 OK',
            None,
            "docker:x",
            0,
        )
        for j in (-2, -1, 1)
    ]
    query = Query(
        "context", "SELECT timestamp, body FROM logs WHERE origin = $origin ORDER BY position", {"origin": service}
    )
    return Evidence(record(problem, service, severity, at, k), tuple(around[:2]), tuple(around[2:]), query)


def card(story: tuple[str, str, str, int, int, int]) -> Card:
    problem, service, severity, low, high, count = story
    book = Runbook(
        problem,
        '<h2>Possible causes</h2><ul><li>Transactions take the same rows in different order</li><li>A transaction stays open while it calls another service</li></ul><h2>Check</h2><pre><code class="language-bash">docker logs jointo-server-postgres | grep &quot;deadlock&quot;\n</code></pre><h2>Remedy</h2><p>Take rows in one order: <code>ORDER BY job_id FOR UPDATE</code>.</p>',
        "## Possible causes\n- Transactions take the same rows in different order\n\n## Check\n",
    )
    at = START + timedelta(seconds=low)
    return Card(
        problem,
        severity,
        count,
        count,
        False,
        (service,),
        at,
        START + timedelta(seconds=high),
        (evidence(problem, service, severity, at, low),),
        book,
        QUERY,
    )


def catalogue(lang: str) -> dict[str, Problem]:
    entries = tomllib.loads((data_dir("patterns") / "problems.toml").read_text(encoding="utf-8"))
    return {
        name: Problem(
            name, e["title"][lang], e["severity"], e.get("guide"), tuple(e.get("leads_to", ())),
            data_dir("patterns") / "runbooks" / f"{name}.{lang}.md",
        )
        for name, e in entries.items()
    }


def incident(ident: str, stories: list[tuple[str, str, str, int, int, int]], impact: Impact) -> Chapter:
    start = START + timedelta(seconds=min(s[3] for s in stories))
    end = START + timedelta(seconds=max(s[4] for s in stories))
    chain = []
    for k, (problem, service, _, low, high, count) in enumerate(stories):
        first, last = START + timedelta(seconds=low), START + timedelta(seconds=high)
        role, causes = ("effect", (stories[k - 1][0],)) if k else ("cause", ())
        chain.append(
            Step(problem, service, (service,), first, last, count, low - stories[0][3], role, causes, Claim(""))
        )
    claims = (
        Claim(f"{stories[0][0]} began.", ("a",), "onset", {"problem": stories[0][0], "service": stories[0][1], "at": f"{start:%H:%M:%S}.000"}),
        Claim("It is known to lead to others.", (), "leads_to", {"effects": ", ".join(s[0] for s in stories[1:])}),
    )
    cause = Cause(stories[0][0], stories[0][1], start, 0.86, claims)
    names = tuple(dict.fromkeys(s[0] for s in stories))
    services = tuple(dict.fromkeys(s[1] for s in stories))
    counts = {s[0]: s[5] for s in stories}
    found = Incident(ident, start, end, False, names, services, counts, cause, tuple(chain), impact)
    return Chapter(found, tuple(card(s) for s in stories), QUERY, QUERY)


def events(count: int = 2000) -> EventColumns:
    rng = random.Random(7)
    names = tuple(SERVICES)
    problems = ("", *(s[0] for s in STORY))
    step = 1800_000_000 // count
    times = tuple(int(START.timestamp() * 1e6) + k * step for k in range(count))
    kinds = [rng.randrange(len(problems)) if rng.random() < 0.2 else 0 for _ in range(count)]
    messages = tuple(
        f"deadlock detected, process {rng.randrange(9999)}"
        if kind == 2
        else f'10.0.0.{rng.randrange(255)} - "POST /api/v1/ai/jobs/{rng.randrange(10**6)} HTTP/1.1" 200 OK {rng.random() * 90:.1f} ms'
        if not kind
        else f"AIHubMix API Error: Rate limit exceeded 请求过于频繁 job_id=j-{rng.randrange(9999)}"
        for kind in kinds
    )
    return EventColumns(
        times,
        tuple(rng.randrange(len(names)) for _ in range(count)),
        tuple(1 if k else 0 for k in kinds),
        tuple(kinds),
        messages,
        {},
        tuple(f"{k:x}" for k in range(count)),
        names,
        (("INFO", 9), ("ERROR", 17)),
        problems,
        count,
        QUERY,
    )


def series() -> tuple[Series, ...]:
    rng = random.Random(3)
    total = buckets("errors", 300, 700, 240)
    errors = Series("errors", "count", tuple(Point(i, "errors", n) for i, n in total.pairs), QUERY)
    points = []
    for i in range(180):
        slow = 1 + 14 * math.exp(-(((i - 45) / 12) ** 2)) + 3 * math.exp(-(((i - 118) / 9) ** 2))
        points += [
            Point(i, "p50", 42 * slow**0.5 * rng.uniform(0.8, 1.2)),
            Point(i, "p95", 210 * slow * rng.uniform(0.8, 1.3)),
        ]
    return errors, Series("requests", "ms", tuple(points), QUERY)


def report(lang: str = "en", event_count: int = 2000) -> Report:
    """Two incidents in half an hour: a deadlock that starves the pool, then a provider's limit."""

    def at(seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    lanes, groups = [], []
    for k, (problem, service, severity, low, high, count) in enumerate(STORY):
        counted, example = buckets(problem, low, high, count), record(problem, service, severity, at(low), k)
        lanes.append(Lane(service, problem, severity, at(low), at(high), count, counted, example.message))
        kind = "sqlalchemy.exc.TimeoutError" if "pool" in problem else None
        groups.append(
            ErrorGroup(
                f"{k:016x}",
                example.message,
                problem,
                kind,
                severity,
                count,
                at(low),
                at(high),
                (service,),
                counted,
                example,
            )
        )
    problems = tuple(
        ProblemRow(x.problem, x.severity, x.count, x.count, x.first_seen, x.last_seen, {x.service: x.count}, False, x.buckets)
        for x in sorted(lanes, key=lambda lane: -lane.count)
    )
    unknown = replace(
        groups[0],
        fingerprint="abc",
        problem="error.unclassified",
        title="KeyError: 'screenplay_id'",
        exception_type="KeyError",
        count=3,
        buckets=Buckets(((44, 3),)),
    )
    task = "app.tasks.ai_tasks.generate_screenplay"
    first = Impact(
        41,
        118,
        64,
        57,
        12,
        0,
        3,
        23,
        37,
        6.0,
        (RouteImpact("POST /api/v1/ai/jobs", 912, 118, 64),),
        (TaskImpact(task, 210, 41, 57, 12, 0, 3),),
    )
    chapters = (
        incident("20260203T100512Z", list(STORY[1:6]), first),
        incident("20260203T101800Z", list(STORY[6:8]), Impact(9, 0, 0, 0, 0, 0, 0, 0, 9, 3.0)),
    )
    deadlock = Deadlock(
        at(312.481),
        "jointo-server-postgres",
        (
            DeadlockProcess(
                812,
                809,
                "ShareLock on transaction 7431",
                "ai_jobs",
                "UPDATE ai_jobs SET status = 'running' WHERE job_id = 'j-0042'",
            ),
            DeadlockProcess(
                809,
                812,
                "ShareLock on transaction 7432",
                "ai_jobs",
                "UPDATE ai_jobs SET progress = 40 WHERE job_id = 'j-0041'",
            ),
        ),
        812,
        "r1",
        "s1",
    )
    names = ("requests", "timeline", "problems", "groups", "unclassified", "slow", "deadlocks", "tasks", "new", "alerts")
    lines = series()
    return Report(
        start=START,
        end=END,
        now=END + timedelta(hours=1),
        lang=lang,
        axis=Axis(START, STEP, 180),
        totals=Totals(48213, 240, 427, 3, 47783, dict.fromkeys(SERVICES, 48213 // 6), QUERY),
        services=tuple(
            ServiceRow(name, source, 48213 // 6, 40 if k < 4 else 0, 60 if k < 4 else 0, START, END)
            for k, (name, source) in enumerate(SERVICES.items())
        ),
        lanes=tuple(lanes),
        marks=(Mark(at(700), "jointo-server-app", "recreated", "new container"),),
        series=lines,
        problems=problems,
        chapters=chapters,
        slow_queries=(
            SlowQuery(
                "9f2c",
                "SELECT * FROM ai_jobs WHERE user_id = ? ORDER BY created_at DESC LIMIT ?",
                31,
                48211.0,
                1555.2,
                2810.0,
                3900.0,
                4120.5,
                at(40),
                at(1500),
                ("jointo-server-postgres",),
                4,
                ("r7",),
                "SELECT * FROM ai_jobs WHERE user_id = 7",
            ),
            SlowQuery(
                "77aa",
                "UPDATE ai_jobs SET status = ? WHERE job_id = ?",
                8,
                9011.0,
                1126.0,
                1802.0,
                1850.0,
                1920.0,
                at(330),
                at(480),
                ("jointo-server-postgres",),
                8,
                (),
                "UPDATE ai_jobs SET status = 'x' WHERE job_id = 'j-1'",
            ),
        ),
        deadlocks=(deadlock,) * 14,
        crossings=(Crossing(deadlock, 14, at(312), at(480)),),
        failed_requests=118,
        inferred_failures=0,
        tasks=(
            TaskSummary(task, 412, 412, 351, 41, 9, 57, 12, 0, 3, 11, 0, 840.0, 4100.0, 18230.0, 41200.0, 61000.0),
            TaskSummary(
                "app.tasks.ai_tasks.sync_models", 6, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0, 12.0, 30.0, 812.0, 990.0, 1002.0
            ),
        ),
        groups=tuple(groups[1:6]),
        new=(
            NewTemplate(
                "aa",
                "deadlock detected",
                "jointo-server-postgres",
                "ERROR",
                17,
                "db.deadlock",
                14,
                at(312),
                at(480),
                "new",
                28.0,
                0.0,
                "r1",
            ),
        ),
        stopped=(),
        unclassified=(unknown,),
        alerts=(
            Alert("HighTaskFailureRate", True, 0.137, 0.1, "1/s", at(480), at(520), False, ""),
            Alert("SlowAPIResponse", True, 3.12, 1.0, "s", at(410), at(600), False, ""),
        ),
        skew=(ClockSkew("jointo-server-celery-ai", "engine", 3.2, 0.1, 812, "receive_time"),),
        collection=Collection(
            tuple(Origin(f"docker:{k:012x}", name, 8035, START, END, 12.5) for k, name in enumerate(SERVICES)),
            (Gap("docker:0", "jointo-server-redis", at(600), at(660), "The log was rotated before it was read."),),
            2,
            1,
            0,
            (),
            QUERY,
        ),
        events=events(event_count),
        queries=dict.fromkeys(names, QUERY),
        error_buckets=Buckets(tuple((p.step, int(p.value)) for p in lines[0].points)),
        known=catalogue(lang),
        impact=chapters[0].incident.impact,
        lives=(),
        requests=(),
        database=Database(),
        version="0.1.0",
    )
