"""The life of each task over application, Beat and worker: sent, received, started, retried, ended.

The query `task_lives` concludes what no line says and marks it `inferred`: a task that was sent and that no worker ever
received is stuck; one that was received is lost if its worker was lost or started anew before it ended, or if it has
run for far longer than any other of its name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import polars as pl

from triage.analyse.model import TaskLife, TaskSummary, Window
from triage.query import Session

LOST_CHILD = "its worker lost a child process"  # a reason that the query gives
FAILED = ("failed", "timeout", "lost")
_UNFINISHED = ("sent", "received", "running", "retrying", "stuck")


def task_table(session: Session, window: Window, ahead: Mapping[str, float] | None = None, *, texts_of_all: bool = False) -> pl.DataFrame:
    """Every task that a record of the window names, in order of first mention, in the columns of `task_lives`.

    `ahead` says by how many seconds the clocks of services are ahead. Without `texts_of_all`, what went well has no ids.
    """
    clocks = json.dumps(dict(ahead or {}))
    return session.named("task_lives", since=window.start, until=window.end, ahead=clocks, texts_of_all=texts_of_all)


def lives_of(table: pl.DataFrame) -> tuple[TaskLife, ...]:
    """The rows as values; of a busy window only those that `went_wrong`."""
    return tuple(TaskLife(**row | {"record_ids": tuple(row["record_ids"])}) for row in table.iter_rows(named=True))


def task_lives(session: Session, window: Window, ahead: Mapping[str, float] | None = None) -> tuple[TaskLife, ...]:
    """`task_table` as values."""
    return lives_of(task_table(session, window, ahead, texts_of_all=True))


def went_wrong(table: pl.DataFrame) -> tuple[TaskLife, ...]:
    """The tasks that did not go well: all that is ever asked for by name. Of millions that did, only sums are needed."""
    wrong = pl.col("state").is_in([*FAILED, "stuck"]) | pl.col("late") | (pl.col("retries") > 0) | _twice()
    return lives_of(table.filter(wrong))


def troubled(lives: Sequence[TaskLife], most: int) -> tuple[TaskLife, ...]:
    """The tasks that did not go well, in order of time; of too many the last."""
    return tuple(life for life in lives if life.state in (*FAILED, "stuck") or life.late or life.retries or life.duplicate)[-most:]


def _twice() -> pl.Expr:
    """`TaskLife.duplicate`."""
    return (pl.col("ends") > 1) | (pl.col("receipts") > pl.col("retries") + 1)


def task_summaries(table: pl.DataFrame) -> tuple[TaskSummary, ...]:
    """The rows of `task_table` added up by task name, the names with most failures first."""

    def count(condition: pl.Expr) -> pl.Expr:
        return condition.sum().cast(pl.Int64)

    state, wait, run = pl.col("state"), pl.col("wait_ms").clip(0.0), pl.col("run_ms")
    named = table.group_by(pl.col("task_name").fill_null("(unknown)")).agg(
        tasks=pl.len().cast(pl.Int64),
        received=count(pl.col("receipts") > 0),
        succeeded=count(state == "succeeded"),
        failed=count(state.is_in(FAILED)),
        timeouts=count(state == "timeout"),
        retried=count(pl.col("retries") > 0),
        late=count(pl.col("late")),
        lost=count(state == "lost"),
        stuck=count(state == "stuck"),
        unfinished=count(state.is_in(_UNFINISHED)),
        duplicates=count(_twice()),
        mean_wait_ms=wait.mean(),
        p95_wait_ms=wait.quantile(0.95, "linear"),
        mean_run_ms=run.mean(),
        p95_run_ms=run.quantile(0.95, "linear"),
        max_run_ms=run.max(),
    )
    rows = named.sort("failed", "tasks", "task_name", descending=[True, True, False])
    return tuple(TaskSummary(**row) for row in rows.iter_rows(named=True))


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The quantile of sorted values, between neighbours by proportion, as the database computes it."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
