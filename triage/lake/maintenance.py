"""Looking after a lake: fewer and fuller files, an end to old days, new patterns over old records.

All of it is safe beside readers and collectors: each step is one Delta commit, and replaced files stay for a day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl
from deltalake import write_deltalake

from triage.errors import UnavailableError
from triage.lake.table import Lake, _arrow, _translated, writer
from triage.schema import LOGS

_TARGET_BYTES = 128 << 20
FILES_PER_DAY = 24  # more than this in one partition is worth compacting


@dataclass(frozen=True, slots=True)
class Partition:
    """One day of the lake."""

    date: date
    files: int
    bytes: int
    records: int


def partitions(lake: Lake) -> list[Partition]:
    """The days, oldest first."""
    with _translated(lake.path):
        actions = pl.DataFrame(lake.table.get_add_actions(flatten=True))
    if actions.is_empty():
        return []
    days = actions.group_by(pl.col("partition.date").cast(pl.Date).alias("date")).agg(
        files=pl.len(), bytes=pl.col("size_bytes").sum(), records=pl.col("num_records").sum()
    )
    return [Partition(*row) for row in days.sort("date").iter_rows()]


def compact(lake: Lake) -> tuple[int, int]:
    """Join the small files of each day; files removed and added."""
    lake.refresh()
    with _translated(lake.path):
        done = lake.table.optimize.compact(target_size=_TARGET_BYTES, writer_properties=writer())
    return int(done["numFilesRemoved"]), int(done["numFilesAdded"])


def vacuum(lake: Lake) -> int:
    """Delete files that no version of the last day needs; how many."""
    with _translated(lake.path):
        return len(lake.table.vacuum(dry_run=False))


def retain(lake: Lake, keep: timedelta | None, keep_bytes: int | None, today: date) -> list[Partition]:
    """Forget whole days: those older than `keep`, and the oldest beyond `keep_bytes`. What was forgotten."""
    days = partitions(lake)
    gone = [day for day in days if keep is not None and day.date < today - keep]
    left = [day for day in days if day not in gone]
    while keep_bytes is not None and len(left) > 1 and sum(day.bytes for day in left) > keep_bytes:
        gone.append(left.pop(0))
    for day in gone:
        with _translated(lake.path):
            lake.table.delete(f"date = '{day.date.isoformat()}'")
    if gone:
        vacuum(lake)
    return gone


def reclassify(
    lake: Lake, classified: Callable[[pl.DataFrame], pl.DataFrame], told: Callable[[Partition], None]
) -> int:
    """Replace each day by itself with `classified` applied, one commit a day; the number of records."""
    count = 0
    for day in partitions(lake):
        with _translated(lake.path):
            dataset = lake.table.to_pyarrow_table(filters=[("date", "=", day.date)])
        records = from_arrow(pl.DataFrame(dataset))
        changed = classified(records).select(list(LOGS)).sort("service_name", "timestamp", "origin", "position")
        if changed.height != records.height:  # would lose lines
            raise UnavailableError("reclassifying changed the number of records", f"{lake.path}, {day.date}")
        with _translated(lake.path):
            write_deltalake(
                lake.table, _arrow(changed), mode="overwrite", predicate=f"date = '{day.date.isoformat()}'",
                writer_properties=writer(),
            )  # fmt: skip
        count += changed.height
        told(day)
    return count


def from_arrow(frame: pl.DataFrame) -> pl.DataFrame:
    """A stored frame with the columns and types of LOGS; columns of a younger schema are null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None, kind).alias(name)).cast(kind)
        for name, kind in LOGS.items()
    )


def now() -> datetime:
    return datetime.now(UTC)
