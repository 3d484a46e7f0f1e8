"""The life of each task over application, Beat and worker: sent, received, started, retried, ended.

The query `task_lives` concludes what no line says and marks it `inferred`: a task that was sent and that no worker ever
received is stuck; one that was received is lost if its worker was lost or started anew before it ended, or if it has
run for far longer than any other of its name.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from triage.analyse.model import TaskLife, TaskSummary, Window
from triage.query import Session

LOST_CHILD = "its worker lost a child process"  # a reason that the query gives
FAILED = ("failed", "timeout", "lost")


def task_lives(session: Session, window: Window, ahead: Mapping[str, float] | None = None) -> tuple[TaskLife, ...]:
    """Every task that a record of the window names, in order of first mention.

    `ahead` says by how many seconds the clocks of services are ahead.
    """
    rows = session.named("task_lives", since=window.start, until=window.end, ahead=json.dumps(dict(ahead or {})))
    return tuple(TaskLife(**row | {"record_ids": tuple(row["record_ids"])}) for row in rows.iter_rows(named=True))


def troubled(lives: Sequence[TaskLife], most: int) -> tuple[TaskLife, ...]:
    """The tasks that did not go well, in order of time; of too many the last."""
    return tuple(life for life in lives if life.state in (*FAILED, "stuck") or life.late or life.retries or life.duplicate)[-most:]


def task_summaries(lives: Sequence[TaskLife]) -> tuple[TaskSummary, ...]:
    """The lives added up by task name, the names with most failures first."""
    named: dict[str, list[TaskLife]] = defaultdict(list)
    for life in lives:
        named[life.task_name or "(unknown)"].append(life)
    rows = [_summary(name, of_name) for name, of_name in named.items()]
    return tuple(sorted(rows, key=lambda row: (-row.failed, -row.tasks, row.task_name)))


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
        failed=count(*FAILED),
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
