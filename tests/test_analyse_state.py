"""What containers did and used, as findings and incidents: a leak is told from a sawtooth and a warm-up."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lake_factory import APP, DB, LEADS_TO, START, WORKER, Story, write
from triage.analyse import Window, incidents, memory_trends, problem_counts
from triage.analyse.memory import steady_growth, theil_sen
from triage.classify.library import Library
from triage.query import Session
from triage.report import render
from triage.report.model import build
from triage.schema import CONTAINER_EVENTS, CONTAINER_STATS, SNAPSHOTS

HOUR = Window(START, START + timedelta(hours=1))
MB = 1e6
MEMORY = {"memory.worker_leak": ("memory.out_of_memory",), "memory.out_of_memory": ("process.crash", "task.worker_lost")}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class State:
    """Rows of the state tables."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []
        self.stats: list[dict[str, object]] = []
        self.snapshots: list[dict[str, object]] = []

    def event(self, seconds: float, service: str, action: str, container: str = "", **fields: object) -> None:
        number = len(self.events)
        self.events.append(
            {
                "timestamp": at(seconds), "service_name": service, "container_name": service, "action": action,
                "container_id": container or f"id-{service}", "container_image_name": "shop:1", "method": "event",
                "event_id": f"e{number}", "time_ns": int(at(seconds).timestamp()) * 10**9 + number, **fields,
            }
        )  # fmt: skip

    def memory(
        self, service: str, used: Callable[[float], float], seconds: Sequence[float], limit: float | None = 512 * MB
    ) -> None:
        for k, second in enumerate(seconds):
            self.stats.append(
                {
                    "timestamp": at(second), "service_name": service, "container_name": service,
                    "container_id": f"id-{service}", "memory_bytes": int(used(second)), "cpu_seconds": float(k),
                    "memory_limit_bytes": None if limit is None else int(limit), "pids": 3,
                }
            )  # fmt: skip

    def answer(self, seconds: float, probe: str, *rows: dict[str, object], error: str | None = None) -> None:
        """What a probe told at one look; no rows: nothing to tell."""
        service = {"r": "mq", "p": DB, "c": WORKER}[probe[0]]
        for number, values in enumerate(rows or ({},)):
            self.snapshots.append(
                {
                    "timestamp": at(seconds), "service_name": service, "container_name": service,
                    "container_id": f"id-{service}", "probe": probe, "error": error, "duration_ms": 40.0,
                    "supports": ["task.stuck_pending"] if "queue" in probe else [], "reason": "schedule",
                    "row": number if rows else None, "values": [{"key": k, "value": str(v)} for k, v in values.items()],
                }
            )  # fmt: skip

    def files(self, folder: Path) -> dict[str, list[str]]:
        made = {}
        for name, rows, columns in (
            ("container_events", self.events, CONTAINER_EVENTS), ("container_stats", self.stats, CONTAINER_STATS),
            ("snapshots", self.snapshots, SNAPSHOTS),
        ):  # fmt: skip
            frame = pl.DataFrame(rows, schema=columns).with_columns(date=pl.col("timestamp").dt.date())
            made[name] = write(frame, folder / name) if frame.height else []
        return made


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[State], Session]:
    def session(state: State) -> Session:
        story = Story()
        story.healthy(3600)
        return Session(write(story.frame(), tmp_path / "logs"), state=state.files(tmp_path))

    return session


def points(values: Sequence[float], limit: float | None = 512 * MB, step_s: float = 10.0) -> pl.DataFrame:
    """Samples as the query `memory_trend` gives them, in 40 parts."""
    frame = pl.DataFrame({"value": [int(v) for v in values]}).with_columns(
        timestamp=pl.datetime_ranges(pl.lit(START), pl.lit(START), "1d").list.first()
        + pl.duration(milliseconds=pl.int_range(pl.len()) * int(step_s * 1000)),
        part=pl.int_range(pl.len()) * 40 // pl.len(),
    )
    return frame.group_by("part", maintain_order=True).agg(
        pl.col("timestamp").sort_by("value").first(), last_at=pl.col("timestamp").max(), samples=pl.len(),
        lowest_bytes=pl.col("value").min(), highest_bytes=pl.col("value").max(),
        limit_bytes=pl.lit(None if limit is None else int(limit), pl.Int64), service_name=pl.lit("s"),
        container_name=pl.lit("c"), container_id=pl.lit("i"),
    )  # fmt: skip


NOISE = st.floats(0, 8 * MB)
SEEDS = st.integers(0, 2**32)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, noise=NOISE, per_hour=st.floats(60 * MB, 400 * MB), teeth=st.floats(0, 40 * MB))
def test_a_leak_is_found_under_noise_and_what_tasks_give_back(seed: int, noise: float, per_hour: float, teeth: float) -> None:
    dice = random.Random(seed)
    used = [100 * MB + per_hour * k / 360 + dice.uniform(0, noise) + teeth * (k % 6) / 6 for k in range(360)]
    trend = steady_growth(points(used, limit=1000 * MB))
    assert trend is not None
    assert trend.least_per_hour <= trend.bytes_per_hour <= trend.most_per_hour
    assert trend.bytes_per_hour == pytest.approx(per_hour, rel=0.25)
    assert trend.time_to_limit is not None
    assert trend.time_to_limit.total_seconds() == pytest.approx((1000 * MB - trend.last_bytes) / per_hour * 3600, rel=0.3)


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS, noise=NOISE, height=st.floats(20 * MB, 300 * MB), rises_s=st.floats(60, 1200),
    period_s=st.floats(120, 1700),
)  # fmt: skip
def test_a_sawtooth_and_a_warm_up_and_rest_are_no_leak(
    seed: int, noise: float, height: float, rises_s: float, period_s: float
) -> None:
    dice = random.Random(seed)
    seconds = [10.0 * k for k in range(360)]
    for shape in (
        lambda t: height * (t % period_s) / period_s,
        lambda t: height * (1 - math.exp(-t / (rises_s / 3))),
        lambda t: height * min(1.0, t / rises_s),
        lambda t: 0.0,
    ):
        used = [100 * MB + shape(second) + dice.uniform(0, noise) for second in seconds]
        assert steady_growth(points(used)) is None


def test_short_small_and_slow_growth_is_no_news() -> None:
    def line(start: float, end: float) -> list[float]:
        return [start + (end - start) * k / 360 for k in range(360)]

    assert steady_growth(points(line(100 * MB, 200 * MB))) is not None
    assert steady_growth(points(line(100 * MB, 200 * MB), step_s=1.0)) is None, "six minutes"
    assert steady_growth(points(line(100 * MB, 105 * MB))) is None
    assert steady_growth(points(line(100 * MB, 120 * MB), limit=10_000 * MB)) is None, "weeks to the limit"
    assert steady_growth(points(line(100 * MB, 200 * MB)[:15])) is None
    slope, least, most = theil_sen([0, 1, 2, 3, 4, 5], [0, 1, 2, 300, 4, 5])
    assert (slope, least < 1 < most) == (1.0, True)


def test_a_leak_leads_to_the_kill_that_ends_it(opened: Callable[[State], Session], tmp_path: Path) -> None:
    state = State()
    state.event(0, WORKER, "start", config="a")
    state.memory(WORKER, lambda t: 100 * MB + 0.2 * MB * t, [10.0 * k for k in range(1, 200)])
    state.memory(APP, lambda t: 100 * MB + 90 * MB * ((t % 300) / 300), [10.0 * k for k in range(1, 350)])
    state.event(1995, WORKER, "oom")
    state.event(1996, WORKER, "die", exit_code=137, oom_killed=True)
    state.event(1997, WORKER, "start", config="a")
    session = opened(state)
    (trend,) = memory_trends(session, HOUR)
    assert (trend.container_name, trend.samples) == (WORKER, 199)
    counts = {c.problem: (c.count, c.services) for c in problem_counts(session, HOUR)}
    assert counts["memory.worker_leak"] == (1, (WORKER,)) and counts["memory.out_of_memory"] == (1, (WORKER,))
    (incident,) = incidents(session, HOUR, {**LEADS_TO, **MEMORY})
    assert incident.suspected_cause is not None and incident.suspected_cause.problem == "memory.worker_leak"
    assert set(incident.problems) == {"memory.worker_leak", "memory.out_of_memory"}
    for lang in ("en", "zh"):
        report = build(session, HOUR, Library.load(), lang)
        page, summary = render.html(report), render.summary(report)
        assert json.dumps(summary)
        assert [mark["kind"] for mark in summary["container_marks"]] == ["start", "oom", "restart"]
        assert summary["memory_trends"][0]["container"] == WORKER
        assert 'id="containers"' in page and 'data-chart="memory"' in page
        assert [card.problem for card in report.chapters[0].cards if card.evidence] == list(incident.problems)
        assert render.markdown(report)


def test_ends_are_told_by_who_asked_for_them(opened: Callable[[State], Session]) -> None:
    state = State()
    for k in range(4):  # a loop
        state.event(100 + 10 * k, APP, "start", config="a")
        state.event(105 + 10 * k, APP, "die", exit_code=1)
    state.event(200, DB, "start", config="a", attributes=[{"key": "image_id", "value": "one"}])
    state.event(300, DB, "kill", signal="15")
    state.event(301, DB, "kill", signal="9")
    state.event(302, DB, "die", exit_code=137)
    state.event(303, DB, "destroy")
    state.event(304, DB, "start", "other", config="b", attributes=[{"key": "image_id", "value": "two"}])
    state.event(400, DB, "health_status", "other", health="unhealthy")
    state.event(500, WORKER, "start")
    state.memory(WORKER, lambda t: 505 * MB, [560.0, 570.0, 580.0])
    state.event(585, WORKER, "die", exit_code=137)
    session = opened(state)
    counts = {c.problem: (c.count, c.services) for c in problem_counts(session, HOUR)}
    assert counts["process.crash"] == (4, (APP,)), "a stop that somebody asked for is no crash"
    assert counts["memory.out_of_memory"] == (1, (WORKER,)), "killed from outside at its limit"
    assert counts["container.unhealthy"] == (1, (DB,))
    found = incidents(session, HOUR, {**LEADS_TO, **MEMORY})
    assert [(i.problems[0], i.services) for i in found] == [("process.crash", (APP,)), ("memory.out_of_memory", (WORKER,))]
    restarts = {row["service_name"]: row for row in session.named("restarts").iter_rows(named=True)}
    assert (restarts[APP]["restarts"], restarts[APP]["failed_ends"]) == (3, 4)
    assert (restarts[DB]["deployments"], restarts[DB]["failed_ends"]) == (1, 0)
    kinds = [row for row in session.named("container_marks").select("service_name", "kind").iter_rows() if row[0] == DB]
    assert kinds == [(DB, "start"), (DB, "stop"), (DB, "image"), (DB, "unhealthy")]


def test_a_lake_without_state_says_nothing_of_it(opened: Callable[[State], Session]) -> None:
    session = opened(State())
    report = build(session, HOUR, Library.load())
    assert (report.marks, report.containers, report.memory) == ((), (), ())
    assert not {"containers", "container_marks", "memory_trends"} & render.summary(report).keys()
    assert 'id="containers"' not in render.html(report)


def waits(pid: int, *blockers: int, state: str = "active", seconds: float = 20) -> list[dict[str, object]]:
    return [
        {"pid": pid, "waits_s": seconds, "blocked_by": b, "blocker_state": state, "query": f"UPDATE {pid}", "mode": "ShareLock"}
        for b in blockers
    ]


def test_what_programs_say_begins_problems_once_and_is_in_the_report(opened: Callable[[State], Session]) -> None:
    state = State()
    for look in range(6):
        second = 600.0 + 60 * look
        consumers = 2 if look < 2 or look == 5 else 0
        state.answer(second, "rabbitmq_queues", {"name": "ai_tasks", "messages": 40 * look, "consumers": consumers},
                     {"name": "celery@w.celery.pidbox", "messages": 1, "consumers": 0})  # fmt: skip
        state.answer(second, "redis_queue", {"queue": "stands", "length": 3}, {"queue": "busy", "length": [9, 4, 8, 2, 7, 5][look]})
        state.answer(second, "postgres_sessions", {"state": "active", "sessions": 10 + 9 * look, "max_connections": 60},
                     {"state": "idle in transaction", "sessions": 1, "max_connections": 60})  # fmt: skip
    # 7 holds; 11 and 12 want it, 12 behind 11; 20 and 21 wait for each other.
    chain = [*waits(11, 7, state="idle in transaction"), *waits(12, 11, 7), *waits(20, 21), *waits(21, 20)]
    state.answer(700, "postgres_blocking", *chain)
    state.answer(760, "postgres_blocking", *waits(11, 7, state="idle in transaction", seconds=80))
    state.answer(820, "postgres_blocking")
    state.answer(700, "rabbitmq_status", {"alarms": "[]"})
    state.answer(760, "rabbitmq_status", {"alarms": '["memory"]'})
    state.answer(700, "celery_ping", error="no answer within 20 s")
    session = opened(state)
    told = session.named("container_problems").select("problem", "service_name", "timestamp").rows()
    assert sorted(told) == [
        ("broker.resource_alarm", "mq", at(760)), ("db.lock_timeout", DB, at(700)),
        ("db.too_many_connections", DB, at(900)), ("task.stuck_pending", "mq", at(720)), ("task.stuck_pending", "mq", at(840)),
    ]  # fmt: skip
    chains = {row["chain"]: row["root_blocker"] for row in session.named("blocking_chain", until=at(701)).iter_rows(named=True)}
    assert chains == {"11 → 7": "7", "12 → 11 → 7": "7", "12 → 7": "7", "20 → 21": "21", "21 → 20": "20"}
    found = {incident.problems[0] for incident in incidents(session, HOUR, LEADS_TO)}
    assert {"task.stuck_pending", "db.too_many_connections", "broker.resource_alarm"} <= found
    report = build(session, HOUR, Library.load(), "zh")
    page, summary = render.html(report), render.summary(report)
    told = summary["programs"]
    assert told["connections"][0]["used_percent"] == 93.3 and told["queues"][0]["most_messages"] == 200
    assert "celery@w.celery.pidbox" not in json.dumps(told)
    assert [row["chain"] for row in told["blocking"]][:1] == ["11 → 7"] and told["probe_failures"][0]["probe"] == "celery_ping"
    assert all(f'data-chart="{name}"' in page for name in ("sessions", "queues")) and 'id="programs-blocking"' in page
    evidence = [e.record.message for c in report.chapters for card in c.cards for e in card.evidence if card.problem == "db.too_many_connections"]
    assert evidence and "max_connections=60" in evidence[0]


def test_a_probe_that_is_not_admitted_proves_that_no_connection_is_left(opened: Callable[[State], Session]) -> None:
    state = State()
    state.answer(600, "postgres_sessions", {"state": "active", "sessions": 10, "max_connections": 60})
    for second in (660, 720):
        state.answer(second, "postgres_sessions", error="FATAL:  sorry, too many clients already")
    session = opened(state)
    (told,) = session.named("container_problems").iter_rows(named=True)
    assert (told["problem"], told["timestamp"]) == ("db.too_many_connections", at(660))
    (record,) = session.named("report_records", record_ids=[told["record_id"]]).iter_rows(named=True)
    assert record["message"] == f"{DB}: postgres_sessions: FATAL:  sorry, too many clients already"


def test_what_a_celery_probe_leaves_in_the_brokers_log_is_no_failure(tmp_path: Path) -> None:
    story = Story()
    story.healthy(600)
    for second in (101, 300):
        body = "closing AMQP connection <0.1.0> (10.0.0.1:1 -> 10.0.0.2:5672):\nclient unexpectedly closed TCP connection"
        row = story.add(second, "mq", "closing AMQP connection", problem="broker.connection_lost", source="rabbitmq")
        row["body"] = body
    state = State()
    state.answer(100, "celery_ping", {"node": "w"})
    with Session(write(story.frame(), tmp_path / "logs"), state=state.files(tmp_path)) as session:
        events = session.named("problem_events").filter(problem="broker.connection_lost")
    assert events["timestamp"].to_list() == [at(300)]


def test_a_deployment_before_an_incident_is_among_its_evidence(tmp_path: Path) -> None:
    story = Story()
    story.healthy(3600)
    for k in range(40):
        story.request(1800 + k, 500, problem="api.server_error")
    state = State()
    state.event(10, APP, "start", config="a", attributes=[{"key": "image_id", "value": "one"}])
    state.event(1780, APP, "kill", signal="15")
    state.event(1781, APP, "die", exit_code=143)
    state.event(1782, APP, "start", "next", config="b", attributes=[{"key": "image_id", "value": "two"}])
    with Session(write(story.frame(), tmp_path / "logs"), state=state.files(tmp_path)) as session:
        (incident,) = incidents(session, HOUR, LEADS_TO)
        assert incident.suspected_cause is not None
        said = {e.kind: (e.sentence, e.record_ids) for e in incident.suspected_cause.evidence}
        page = render.html(build(session, HOUR, Library.load(), "zh"))
    assert said["changed_image"] == (f"{APP} was deployed with another image at {at(1782):%H:%M:%S}.", ("e3",))
    assert "以另一镜像部署" in page
