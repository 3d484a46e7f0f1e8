"""The life of each task over application, Beat and worker: sent, received, started, retried, ended.

The first mention of a task id outside a worker's log counts as its sending. What no line says is concluded and marked
`inferred`: a task that was sent and that no worker ever received is stuck; one that was received, and whose worker
was lost or started anew before it ended, is lost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from triage.analyse.model import TaskLife, TaskSummary, Window
from triage.query import Session

# A task waits as long as its queue is; only a wait far beyond what the others in this window had is trouble.
LATE_FACTOR = 20.0
LATE_AT_LEAST_S = 30.0
SENT_AFTER_RECEIPT = timedelta(seconds=30)  # more than clocks of one host differ; polls come at any time
ENDS = ("succeeded", "failed", "timeout", "revoked", "rejected", "lost")
# Queues are first in, first out: with so many later ones of the same sender received, a task will not come any more.
OVERTAKEN = 3
OVERTAKEN_BY = timedelta(seconds=1)
_EVIDENCE = 12


@dataclass(frozen=True, slots=True)
class _WorkerEvent:
    timestamp: datetime
    kind: str  # ready | shutdown | lost | exited
    record_id: str


def task_lives(session: Session, window: Window) -> tuple[TaskLife, ...]:
    """Every task that a record of the window names, in order of first mention."""
    params = {"since": window.start, "until": window.end}
    events = session.named("task_events", **params)
    if events.is_empty():
        return ()
    lives = _lives(events)
    now = session.named("bounds", **params)["last_seen"][0]
    workers = _worker_events(session.named("worker_events", **params))
    return tuple(_stuck(session, _lost(lives, workers), now))


def task_summaries(lives: Sequence[TaskLife]) -> tuple[TaskSummary, ...]:
    """The lives added up by task name, the names with most failures first."""
    named: dict[str, list[TaskLife]] = defaultdict(list)
    for life in lives:
        named[life.task_name or "(unknown)"].append(life)
    rows = [_summary(name, of_name) for name, of_name in named.items()]
    return tuple(sorted(rows, key=lambda row: (-row.failed, -row.tasks, row.task_name)))


def late_after_s(lives: Sequence[TaskLife]) -> float:
    """How long a task may wait to be received before that is trouble: from the other waits of the window."""
    waits = sorted(max(0.0, life.wait_ms) / 1000 for life in lives if life.wait_ms is not None)
    median = waits[len(waits) // 2] if waits else 0.0
    return max(LATE_AT_LEAST_S, LATE_FACTOR * median)


def _lives(events: pl.DataFrame) -> list[TaskLife]:
    """What the records say of each task, in order of first mention; `events` is in the order of time."""
    first = _rows(events)
    ends, last = first["end"], first["received_last"]

    def at(column: str, rows: pl.Series) -> pl.Series:
        return events[column].gather(rows)

    sent_at, received_at, ended_at = at("timestamp", first["sent"]), at("timestamp", first["received"]), at("timestamp", ends)
    # An id that is first named long after the worker had it (a poll of its state) was sent, but not then; a little
    # after is the sender's own line, written late or by a clock that is ahead.
    afterwards = (sent_at - at("timestamp", first["worked"])) > SENT_AFTER_RECEIPT
    told = first.select("task_id", "receipts", "retries", "ends", "record_ids").with_columns(
        task_name=at("task_name", first["named"]),
        state=pl.when(at("problem", ends) == "task.timeout").then(pl.lit("timeout")).when(ends.is_not_null()).then(at("state", ends))
        .when(first["retries"] > 0).then(pl.lit("retrying")).when(first["receipts"] > 0).then(pl.lit("received"))
        .when(first["worked"].is_not_null()).then(pl.lit("running")).otherwise(pl.lit("sent")),
        sent_at=pl.when(~afterwards.fill_null(False)).then(sent_at),
        sent_by=at("service_name", first["sent"]),
        received_at=received_at, started_at=at("timestamp", first["started"]), ended_at=ended_at,
        worker=at("service_name", first["served"]),
        # The worker states a run time for successes only; for the others the time since the last receipt is an upper bound.
        run_ms=pl.coalesce(at("run_ms", ends), _milliseconds(ended_at - at("timestamp", last))),
        late=pl.lit(False), inferred=pl.lit(False),
        job_id=at("job_id", first["job"]), request_id=at("request_id", first["request"]), user_id=at("user_id", first["user"]),
        reason=at("exception_type", first["thrown"]),
    )  # fmt: skip
    told = told.with_columns(wait_ms=_milliseconds(told["received_at"] - told["sent_at"]))
    order = pl.min_horizontal("sent_at", "received_at", "started_at", "ended_at").fill_null(datetime.max.replace(tzinfo=UTC))
    told = told.sort(order, "task_id").with_columns(pl.col("receipts", "retries", "ends").cast(pl.Int64))
    return [TaskLife(**row | {"record_ids": tuple(row["record_ids"])}) for row in told.iter_rows(named=True)]


def _rows(events: pl.DataFrame) -> pl.DataFrame:
    """One row a task: the numbers of the records that say something of it, since numbers are quick to compare."""
    worker = (pl.col("source") == "celery").fill_null(False)
    received, end = worker & (pl.col("state") == "received"), worker & pl.col("state").is_in(ENDS)
    row = pl.col("row")

    def first(where: pl.Expr) -> pl.Expr:
        return pl.when(where).then(row).min()

    def last(where: pl.Expr) -> pl.Expr:
        return pl.when(where).then(row).max()

    succeeded = (end & (pl.col("state") == "succeeded")).sum()
    return events.with_row_index("row").group_by("task_id").agg(
        sent=first(~worker), worked=first(worker), received=first(received), received_last=last(received),
        started=first(worker & (pl.col("state") == "started")), end=last(end),
        named=first(pl.col("task_name").is_not_null()), served=first(worker & pl.col("service_name").is_not_null()),
        job=first(pl.col("job_id").is_not_null()), request=first(pl.col("request_id").is_not_null()),
        user=first(pl.col("user_id").is_not_null()), thrown=last(end & (pl.col("exception_type") != "")),
        receipts=received.sum(), retries=(worker & (pl.col("state") == "retry")).sum(),
        ends=pl.when(succeeded > 0).then(succeeded).otherwise(end.any().cast(pl.UInt32)),
        record_ids=pl.col("record_id").head(_EVIDENCE),
    )  # fmt: skip


def _milliseconds(span: pl.Series) -> pl.Series:
    return span.dt.total_microseconds() / 1000


def _worker_events(frame: pl.DataFrame) -> dict[str, list[_WorkerEvent]]:
    events: dict[str, list[_WorkerEvent]] = defaultdict(list)
    for row in frame.iter_rows(named=True):  # a few a day
        events[row["service_name"]].append(_WorkerEvent(row["timestamp"], row["kind"], row["record_id"]))
    return events


def _lost(lives: list[TaskLife], workers: Mapping[str, list[_WorkerEvent]]) -> list[TaskLife]:
    """Tasks that were open on a worker when it lost a child or started anew, and that never ended."""
    judged = []
    for life in lives:
        event = None
        if life.state in ("received", "running", "retrying") and life.worker:
            since = life.received_at or life.sent_at
            later = [e for e in workers.get(life.worker, ()) if since is None or e.timestamp >= since]
            event = next((e for e in later if e.kind in ("lost", "ready")), None)
        if event is None:
            judged.append(replace(life, state="running") if life.state == "received" else life)
            continue
        reason = "its worker lost a child process" if event.kind == "lost" else "its worker started anew"
        ids = (*life.record_ids, event.record_id)
        judged.append(replace(life, state="lost", inferred=True, reason=reason, record_ids=ids))
    return judged


def _stuck(session: Session, lives: list[TaskLife], now: datetime) -> list[TaskLife]:
    limit_s = late_after_s(lives)
    limit = timedelta(seconds=limit_s)
    waiting = [life.task_id for life in lives if life.state == "sent"]
    # Without any worker's log in the lake nothing can be said about receipts.
    known = set(session.named("tasks_received", task_ids=waiting)["task_id"]) if waiting else set()
    blind = bool(waiting) and not _has_worker_log(session)
    sent = _received_by_sender(lives) if waiting else {}
    judged = []
    for life in lives:
        if life.state == "sent" and life.sent_at and not blind and life.task_id not in known:
            if now - life.sent_at > limit or _overtaken(life, sent):
                life = replace(life, state="stuck", inferred=True, reason="sent, and no worker received it")
        elif life.wait_ms is not None and life.wait_ms > limit_s * 1000:
            life = replace(life, late=True)
        judged.append(life)
    return judged


def _received_by_sender(lives: Sequence[TaskLife]) -> dict[str | None, list[datetime]]:
    """When each sender sent those of its tasks that were received, in order."""
    sent: dict[str | None, list[datetime]] = defaultdict(list)
    for life in lives:
        if life.received_at and life.sent_at:
            sent[life.sent_by].append(life.sent_at)
    return {sender: sorted(times) for sender, times in sent.items()}


def _overtaken(life: TaskLife, received: Mapping[str | None, list[datetime]]) -> bool:
    assert life.sent_at is not None
    times = received.get(life.sent_by, [])
    return len(times) - bisect_right(times, life.sent_at + OVERTAKEN_BY) >= OVERTAKEN


def _has_worker_log(session: Session) -> bool:
    return session.sql("SELECT record_id FROM logs WHERE source = 'celery' LIMIT 1").height > 0


def _summary(name: str, lives: list[TaskLife]) -> TaskSummary:
    def count(*states: str) -> int:
        return sum(life.state in states for life in lives)

    waits = sorted(max(0.0, life.wait_ms) for life in lives if life.wait_ms is not None)
    runs = sorted(life.run_ms for life in lives if life.run_ms is not None)
    return TaskSummary(
        task_name=name,
        tasks=len(lives),
        received=sum(life.receipts > 0 for life in lives),
        succeeded=count("succeeded"),
        failed=count("failed", "timeout", "lost"),
        timeouts=count("timeout"),
        retried=sum(life.retries > 0 for life in lives),
        late=sum(life.late for life in lives),
        lost=count("lost"),
        stuck=count("stuck"),
        unfinished=count("sent", "received", "running", "retrying", "stuck"),
        duplicates=sum(life.duplicate for life in lives),
        mean_wait_ms=_mean(waits),
        p95_wait_ms=quantile(waits, 0.95),
        mean_run_ms=_mean(runs),
        p95_run_ms=quantile(runs, 0.95),
        max_run_ms=runs[-1] if runs else None,
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The quantile of sorted values, between neighbours by proportion, as the database computes it."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
