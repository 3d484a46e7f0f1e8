"""The life of each task over application, Beat and worker: sent, received, started, retried, ended.

The first mention of a task id outside a worker's log counts as its sending. What no line says is concluded and marked
`inferred`: a task that was sent and that no worker ever received is stuck; one that was received, and whose worker
was lost or started anew before it ended, is lost.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

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
    lives = [_life(ident, rows) for ident, rows in _by_task(events).items()]
    now = session.named("bounds", **params)["last_seen"][0]
    workers = _worker_events(session.named("worker_events", **params))
    judged = _lost(lives, workers)
    judged = _stuck(session, judged, now)
    return tuple(sorted(judged, key=lambda life: (_first(life), life.task_id)))


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


def _by_task(events: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in events.iter_rows(named=True):
        rows[row["task_id"]].append(row)
    return rows


def _life(task_id: str, rows: list[dict[str, Any]]) -> TaskLife:
    worker = [row for row in rows if row["source"] == "celery"]
    sent = next((row for row in rows if row["source"] != "celery"), None)
    received = [row for row in worker if row["state"] == "received"]
    retries = [row for row in worker if row["state"] == "retry"]
    ends = [row for row in worker if row["state"] in ENDS]
    end = ends[-1] if ends else None
    # An id that is first named long after the worker had it (a poll of its state) was sent, but not then; a little
    # after is the sender's own line, written late or by a clock that is ahead.
    received_at = received[0]["timestamp"] if received else None
    sent_at = sent["timestamp"] if sent else None
    if sent_at and worker and sent_at - worker[0]["timestamp"] > SENT_AFTER_RECEIPT:
        sent_at = None
    state = _state(end, retries, received, worker)
    started = [row["timestamp"] for row in worker if row["state"] == "started"]
    wait = (received_at - sent_at).total_seconds() * 1000 if received_at and sent_at else None
    return TaskLife(
        task_id=task_id,
        task_name=_value(rows, "task_name"),
        state=state,
        sent_at=sent_at,
        sent_by=sent["service_name"] if sent else None,
        received_at=received_at,
        started_at=min(started, default=None),
        ended_at=end["timestamp"] if end else None,
        worker=_value(worker, "service_name"),
        receipts=len(received),
        retries=len(retries),
        ends=len([row for row in ends if row["state"] == "succeeded"]) or min(1, len(ends)),
        wait_ms=wait,
        run_ms=_run_ms(end, received),
        late=False,
        inferred=False,
        job_id=_value(rows, "job_id"),
        request_id=_value(rows, "request_id"),
        user_id=_value(rows, "user_id"),
        reason=next((row["exception_type"] for row in reversed(ends) if row["exception_type"]), None),
        record_ids=tuple(row["record_id"] for row in rows[:_EVIDENCE]),
    )


def _state(
    end: Mapping[str, Any] | None, retries: Sequence[object], received: Sequence[object], worker: Sequence[object]
) -> str:
    if end is not None:
        return "timeout" if end["problem"] == "task.timeout" else str(end["state"])
    if retries:
        return "retrying"
    if received:
        return "received"
    return "running" if worker else "sent"


def _run_ms(end: Mapping[str, Any] | None, received: Sequence[Mapping[str, Any]]) -> float | None:
    if end is None:
        return None
    if end["run_ms"] is not None:
        return float(end["run_ms"])
    # The worker states a run time for successes only; for the others the time since the last receipt is an upper bound.
    return (end["timestamp"] - received[-1]["timestamp"]).total_seconds() * 1000 if received else None


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
    judged = []
    for life in lives:
        if life.state == "sent" and life.sent_at and not blind and life.task_id not in known:
            if now - life.sent_at > limit or _overtaken(life, lives):
                life = replace(life, state="stuck", inferred=True, reason="sent, and no worker received it")
        elif life.wait_ms is not None and life.wait_ms > limit_s * 1000:
            life = replace(life, late=True)
        judged.append(life)
    return judged


def _overtaken(life: TaskLife, lives: Sequence[TaskLife]) -> bool:
    assert life.sent_at is not None
    after = life.sent_at + OVERTAKEN_BY
    later = (o for o in lives if o.received_at and o.sent_by == life.sent_by and o.sent_at and o.sent_at > after)
    return sum(1 for _ in itertools.islice(later, OVERTAKEN)) == OVERTAKEN


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


def _value(rows: Sequence[Mapping[str, Any]], column: str) -> str | None:
    return next((row[column] for row in rows if row[column] is not None), None)


def _first(life: TaskLife) -> datetime:
    times = [time for time in (life.sent_at, life.received_at, life.started_at, life.ended_at) if time]
    return min(times) if times else datetime.max.replace(tzinfo=UTC)
