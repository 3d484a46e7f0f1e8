"""Problem events: every record for each problem that applies to it, and the findings derived from task lives.

One failure is often printed twice (an exception handler and the server's access line, a worker's warning and its
error). `failures` keeps one event of each, so that a lone failure does not look like a burst.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from triage import schema
from triage.analyse.memory import memory_trends
from triage.analyse.model import Settings, TaskLife, Window
from triage.analyse.tasks import LOST_CHILD, task_table, went_wrong
from triage.query import Session

KEYS = ("task_id", "request_id", "job_id", "user_id")
SAME_FAILURE = timedelta(seconds=1)  # printings of one failure follow each other in the program, not in a schedule
ANOTHER_PRINTING = timedelta(seconds=2)  # another process of the program may tell it, and be behind
STUCK = "task.stuck_pending"
LOST = "task.worker_lost"
LEAK = "memory.worker_leak"
ENGINE = "engine"  # the printing of what no log says
_COLUMNS = {
    "problem": pl.String,
    "timestamp": schema.TIMESTAMP,
    "service_name": pl.String,
    "source": pl.String,
    "printing": pl.String,
    "severity_number": pl.UInt8,
    "primary_problem": pl.String,
    "task_id": pl.String,
    "request_id": pl.String,
    "job_id": pl.String,
    "user_id": pl.String,
    "task_name": pl.String,
    "record_id": pl.String,
    "derived": pl.Boolean,
}


def problem_events(
    session: Session,
    window: Window,
    lives: Sequence[TaskLife] | None = None,
    settings: Settings | None = None,
    ahead: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Events in the order of problem and time, with the columns of the query `problem_events`, `derived` and
    `attempt`: how often the task had been retried before."""
    lives = went_wrong(task_table(session, window, ahead)) if lives is None else lives
    params = {"since": window.start, "until": window.end, "ahead": json.dumps(dict(ahead or {}))}
    logged = session.named("problem_events", **params).with_columns(derived=pl.lit(False))
    state = container_problems(session, window, settings)
    frame = pl.concat([logged.cast(_COLUMNS), _unlogged(lives), state])  # type: ignore[arg-type]
    return _with_attempts(frame).sort("problem", "timestamp", "record_id")


def container_problems(session: Session, window: Window, settings: Settings | None = None) -> pl.DataFrame:
    """What the engine reports of containers, and memory that grows steadily, at the last sample that shows it."""
    params = {"since": window.start, "until": window.end}
    told = session.named("container_problems", **params).select("problem", "timestamp", "service_name", "record_id")
    growing = [
        {"problem": LEAK, "timestamp": trend.end, "service_name": trend.service, "record_id": trend.record_ids[0]}
        for trend in memory_trends(session, window, settings)
    ]
    found = pl.concat([told, pl.DataFrame(growing, schema=told.schema)])
    found = found.with_columns(
        printing=pl.lit(ENGINE), severity_number=pl.lit(schema.ERROR_NUMBER), primary_problem=pl.col("problem"),
        derived=pl.lit(True),
    )  # fmt: skip
    missing = [pl.lit(None).alias(name) for name in _COLUMNS if name not in found.columns]
    return found.with_columns(missing).select(list(_COLUMNS)).cast(_COLUMNS)  # type: ignore[arg-type]


def failures(events: pl.DataFrame) -> pl.DataFrame:
    """Events without the further printings of one failure.

    One attempt of a task fails once of a kind, however it is told; one request once a second. Of the printings (pattern
    and logger) of a problem in a service the most frequent one counts failures; an event of another printing counts
    only where none of that one, and none with a key, is near. A task's line always counts, and one without a key never
    beside it: which printing is the most frequent one must not decide how many failures there were.
    """
    if events.is_empty():
        return events
    series = ["problem", "service_name"]
    keyed = events.sort("timestamp", "record_id")
    task = pl.col("task_id").is_not_null()
    first = pl.int_range(pl.len()).over([*series, "task_id", "attempt"]) == 0
    soon = pl.col("timestamp") - pl.col("timestamp").shift(1).over([*series, "request_id"]) <= SAME_FAILURE
    again = pl.when(task).then(~first).otherwise(pl.col("request_id").is_not_null() & soon.fill_null(False))
    keyed = keyed.with_columns(_again=again, _keyed=task | pl.col("request_id").is_not_null())
    sizes = keyed.filter(~pl.col("_again")).group_by([*series, "printing"]).len("_size")
    main = (
        sizes.sort("_size", "printing", descending=[True, False])
        .group_by(series, maintain_order=True)
        .agg(_main=pl.col("printing").first())
    )
    marked = keyed.join(main, on=series, maintain_order="left").with_columns(_is=pl.col("printing") == pl.col("_main"))
    anchors = marked.filter(pl.col("_is") | pl.col("_keyed")).select(*series, "timestamp", _near=pl.col("timestamp"))
    near = marked.sort("timestamp").join_asof(
        anchors.sort("timestamp"), on="timestamp", by=series, strategy="nearest", tolerance=ANOTHER_PRINTING,
        check_sortedness=False,  # sorted just above; polars cannot tell where there are groups
    )
    # A task's own line tells which attempt failed; a line without any key beside it is one more printing of that.
    told = marked.filter(task).select(*series, "timestamp", _told=pl.col("timestamp"))
    near = near.sort("timestamp").join_asof(
        told.sort("timestamp"), on="timestamp", by=series, strategy="nearest", tolerance=ANOTHER_PRINTING,
        check_sortedness=False,
    )
    alone = (pl.col("_is") | pl.col("_near").is_null()) & (pl.col("_keyed") | pl.col("_told").is_null())
    counts = (task | alone) & ~pl.col("_again")
    return near.filter(counts).select(events.columns).sort("problem", "timestamp", "record_id")


def _with_attempts(events: pl.DataFrame) -> pl.DataFrame:
    retries = events.filter((pl.col("problem") == "task.retry") & pl.col("task_id").is_not_null())
    counted = (
        retries.sort("timestamp", "record_id")
        .select("task_id", "timestamp", attempt=pl.int_range(1, pl.len() + 1).over("task_id"))
    )  # fmt: skip
    joined = events.sort("timestamp").join_asof(
        counted, on="timestamp", by="task_id", strategy="backward", allow_exact_matches=False, check_sortedness=False
    )
    return joined.with_columns(pl.col("attempt").fill_null(0))


def _unlogged(lives: Sequence[TaskLife]) -> pl.DataFrame:
    """What no line says of tasks, as events at the time of sending or receipt: stuck, far too late, lost in silence."""
    rows = []
    for life in lives:
        if life.sent_at and (life.state == "stuck" or life.late):
            rows.append(_of_task(life, STUCK, life.sent_at, life.sent_by, "app"))
        # A lost child process has a line of its own.
        elif life.received_at and life.state == "lost" and life.inferred and life.reason != LOST_CHILD:
            rows.append(_of_task(life, LOST, life.received_at, life.worker, "celery"))
    return pl.DataFrame(rows, schema=_COLUMNS)  # type: ignore[arg-type]


def _of_task(life: TaskLife, problem: str, at: datetime, service: str | None, source: str) -> dict[str, object]:
    return {
        "problem": problem,
        "timestamp": at,
        "service_name": service,
        "source": source,
        "printing": "derived",
        "severity_number": schema.ERROR_NUMBER,
        "primary_problem": problem,
        "task_id": life.task_id,
        "request_id": life.request_id,
        "job_id": life.job_id,
        "user_id": life.user_id,
        "task_name": life.task_name,
        "record_id": life.record_ids[0],
        "derived": True,
    }
