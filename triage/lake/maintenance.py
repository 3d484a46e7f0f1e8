"""Looking after a lake: fewer and fuller files, an end to old days, new patterns over old records.

All of it is safe beside readers and collectors: each step is one Delta commit, and replaced files stay for half a day.
A step that removes something has the lake alone; collectors wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from triage.errors import UnavailableError
from triage.lake import parquet, state
from triage.lake.table import Lake, _translated
from triage.schema import LOGS, TIMESTAMP

_TARGET_BYTES = 128 << 20
_TODAY_BYTES = 16 << 20
_KEEP_HOURS = 12
_OURS = re.compile(r"(?:date=[\d-]{10}/)?part-[\w.-]+\.parquet")
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
    return _partitions(lake.path, lake.table)


def state_partitions(lake: Lake) -> dict[str, list[Partition]]:
    """The days of each state table that there is."""
    return {table.name: _partitions(table.path, table.table) for table in state.tables(lake) if table.table is not None}


def _partitions(path: str, table: DeltaTable) -> list[Partition]:
    with _translated(path):
        actions = pl.DataFrame(table.get_add_actions(flatten=True))
    if actions.is_empty():
        return []
    days = actions.group_by(pl.col("partition.date").cast(pl.Date).alias("date")).agg(
        files=pl.len(), bytes=pl.col("size_bytes").sum(), records=pl.col("num_records").sum()
    )
    return [Partition(*row) for row in days.sort("date").iter_rows()]


def compact(lake: Lake) -> tuple[int, int]:
    """Join the small files of each day; files removed and added."""
    lake.refresh()
    removed = added = 0
    for table in _tables(lake):
        gone, made = _join(lake, table, _TARGET_BYTES, None)
        removed, added = removed + gone, added + made
    return removed, added


def tidy(lake: Lake, today: date) -> None:
    """The same a little at a time, for a lake that is being filled; old files and old versions go too."""
    lake.refresh()
    for table in (*_tables(lake), *filter(None, [lake.note_table()])):
        days = table.metadata().partition_columns == ["date"]
        _join(lake, table, _TODAY_BYTES, [("date", ">=", today.isoformat())] if days else None)
        if days:
            _join(lake, table, _TARGET_BYTES, [("date", "<", today.isoformat())])
        with _translated(lake.path):
            _vacuum(table)
            table.create_checkpoint()
            table.cleanup_metadata()
    lake.refresh()


def _join(lake: Lake, table: DeltaTable, size: int, days: list[tuple[str, str, str]] | None) -> tuple[int, int]:
    if table is lake.table:
        return _joined(lake, size, days)
    with lake.alone(), _translated(lake.path):
        table.update_incremental()
        done = table.optimize.compact(partition_filters=days, target_size=size, max_concurrent_tasks=1)
    return int(done["numFilesRemoved"]), int(done["numFilesAdded"])


def _joined(lake: Lake, size: int, days: list[tuple[str, str, str]] | None) -> tuple[int, int]:
    """The same for the records, which have an order of their own: in a commit for each new file."""
    removed = added = 0
    with lake.alone(), _translated(lake.path):
        lake.refresh()
        lake.widen()
        for some in _worth_joining(files(lake, days), size):
            day = some[0]["date"]
            made = parquet.rewrite(lake.table, day, [file["path"] for file in some])
            moment = int(now().timestamp() * 1000)
            gone = [RemoveAction(file["path"], False, moment, None, {"date": day.isoformat()}) for file in some]
            try:
                lake.table.create_write_transaction([*gone, made], "append", lake.table.schema(), ["date"])
            except BaseException:
                _discard(lake, {made.path: made})
                raise
            lake.refresh()
            removed, added = removed + len(some), added + 1
    return removed, added


def _worth_joining(files: pl.DataFrame, size: int) -> Iterator[list[dict[str, Any]]]:
    """Neighbours in time of one day that together make at most `size` bytes."""
    for _, of_day in files.filter(pl.col("bytes") < size).group_by("date", maintain_order=True):
        some: list[dict[str, Any]] = []
        for file in of_day.iter_rows(named=True):
            if some and sum(other["bytes"] for other in some) + file["bytes"] > size:
                if len(some) > 1:
                    yield some
                some = []
            some.append(file)
        if len(some) > 1:
            yield some


def vacuum(lake: Lake) -> int:
    """Delete files that no version of the last hours needs; how many."""
    with _translated(lake.path):
        return sum(map(_vacuum, _tables(lake)))


def _vacuum(table: DeltaTable) -> int:
    # Sooner than a checkpoint forgets the removed files, which is after a day: none may be left for ever.
    gone = table.vacuum(_KEEP_HOURS, dry_run=False, enforce_retention_duration=False)
    # What a process that was killed had written and not committed. A full vacuum would also take the files of others.
    listed = table.vacuum(_KEEP_HOURS, dry_run=True, enforce_retention_duration=False, full=True)
    left = [path for path in listed if _OURS.fullmatch(path)]
    parquet.discard(table, left)
    return len(gone) + len(left)


def _tables(lake: Lake) -> list[DeltaTable]:
    """The logs, then the state tables that there are."""
    return [lake.table, *(table.table for table in state.tables(lake) if table.table is not None)]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file that could not be read to its end, and the records that were in it; times are None if not known."""

    path: str
    records: int
    start: datetime | None
    end: datetime | None


def repair(lake: Lake) -> list[Damaged]:
    """Move damaged files into `_damaged` and take them out of their tables; each is noted as a gap with its bounds."""
    if "://" in lake.path:
        raise UnavailableError("files of an object store cannot be moved", lake.path, "delete the file there, and run this again")
    found: list[Damaged] = []
    for table in _tables(lake):
        with lake.alone(), _translated(lake.path):
            table.update_incremental()
            damaged = list(_damaged(table))
            for one in damaged:
                _set_aside(Path(lake.path), Path(one.path))
            if damaged:
                table.repair()
        found += damaged
    lake.note(
        [
            {"timestamp": now(), "kind": "gap", "origin": one.path, "start": one.start, "end": one.end,
             "lines": one.records, "message": f"a damaged file was set aside, with {one.records:,} records"}
            for one in found
        ]
    )  # fmt: skip
    return found


def _damaged(table: DeltaTable) -> Iterator[Damaged]:
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    folder = Path(unquote(table.table_uri.removeprefix("file://")))
    for row in actions.iter_rows(named=True):
        path = folder / row["path"]
        try:
            for group in pq.ParquetFile(path).iter_batches():
                group.nbytes  # noqa: B018 - reading is the test
        except (OSError, pa.ArrowException):
            yield Damaged(str(path), row["num_records"] or 0, row.get("min.timestamp"), row.get("max.timestamp"))


def _set_aside(lake: Path, file: Path) -> None:
    if file.exists():
        place = lake / "_damaged"
        place.mkdir(mode=0o700, exist_ok=True)
        file.rename(place / file.name)


def retain(lake: Lake, keep: timedelta | None, keep_bytes: int | None, today: date) -> list[Partition]:
    """Forget whole days: those older than `keep`, and the oldest beyond `keep_bytes`. What was forgotten.

    State goes with the logs: what is left of it begins where they begin.
    """
    days = partitions(lake)
    gone = [day for day in days if keep is not None and day.date < today - keep]
    left = [day for day in days if day not in gone]
    while keep_bytes is not None and len(left) > 1 and sum(day.bytes for day in left) > keep_bytes:
        gone.append(left.pop(0))
    for day in gone:
        with lake.alone(), _translated(lake.path):
            lake.refresh()
            lake.table.delete(f"date = '{day.date.isoformat()}'")
    ends = [today - keep] if keep is not None else []
    ends += [gone[-1].date + timedelta(days=1)] if gone else []
    if ends:
        for table in _tables(lake)[1:]:
            with lake.alone(), _translated(lake.path):
                table.update_incremental()
                table.delete(f"date < '{max(ends).isoformat()}'")
        vacuum(lake)
    return gone


def reclassify(
    lake: Lake, classified: Callable[[pl.DataFrame], pl.DataFrame], told: Callable[[Partition], None]
) -> int:
    """Replace all records by themselves with `classified` applied, in one commit; their number.

    Files are written beside the old ones while collectors go on; then those that came meanwhile, and the commit, with
    the lake alone. `told` hears of each day that is ready.
    """
    made: dict[str, AddAction] = {}
    try:
        _reclassified(lake, classified, made, told)
        with lake.alone():
            _reclassified(lake, classified, made, lambda day: None)
            return _replaced(lake, made)
    except BaseException:
        _discard(lake, made)
        raise


def _reclassified(
    lake: Lake, classified: Callable[[pl.DataFrame], pl.DataFrame], made: dict[str, AddAction], told: Callable[[Partition], None]
) -> None:
    """Write what each file of the lake becomes that is not in `made` yet."""
    lake.refresh()
    stored = files(lake)
    for day in partitions(lake):
        for path in stored.filter(pl.col("date") == day.date)["path"]:
            if path not in made:
                made[path] = _rewritten(lake, path, day.date, classified)
        told(day)


def files(lake: Lake, days: list[tuple[str, str, str]] | None = None) -> pl.DataFrame:
    """The files of the records by day and time."""
    with _translated(lake.path):
        actions = pl.DataFrame(lake.table.get_add_actions(flatten=True))
    if actions.is_empty():
        return pl.DataFrame(schema={"path": pl.String, "date": pl.Date, "records": pl.Int64, "bytes": pl.Int64, "since": TIMESTAMP, "until": TIMESTAMP})
    found = actions.select(
        "path", date=pl.col("partition.date").cast(pl.Date), records="num_records", bytes="size_bytes", since="min.timestamp",
        until="max.timestamp",
    ).sort("date", "since", "path")
    for _, how, day in days or ():
        found = found.filter(pl.col("date") >= date.fromisoformat(day) if how == ">=" else pl.col("date") < date.fromisoformat(day))
    return found


def _rewritten(lake: Lake, path: str, day: date, classified: Callable[[pl.DataFrame], pl.DataFrame]) -> AddAction:
    with _translated(lake.path):
        records = parquet.read(lake.table, path, day)
    changed = classified(records).select(list(LOGS))
    if changed.height != records.height:  # would lose lines
        raise UnavailableError("reclassifying changed the number of records", f"{lake.path}/{path}")
    with _translated(lake.path):
        (action,) = parquet.append(lake.table, changed)
    return action


def _replaced(lake: Lake, made: dict[str, AddAction]) -> int:
    """Commit the new files in place of the old ones; those whose old one has gone meanwhile are dropped."""
    stored = files(lake)
    moment = int(now().timestamp() * 1000)
    current = {path: made[path] for path in stored["path"]}
    gone = [RemoveAction(path, True, moment, None, dict(action.partition_values)) for path, action in current.items()]
    if current:
        with _translated(lake.path):
            lake.table.create_write_transaction([*gone, *current.values()], "append", lake.table.schema(), ["date"])
    _discard(lake, made)
    return int(stored["records"].sum())


def _discard(lake: Lake, made: dict[str, AddAction]) -> None:
    """Delete what was written and is not in the lake; what is, stays, whenever an interrupt came."""
    lake.refresh()
    kept = set(files(lake)["path"])
    parquet.discard(lake.table, [action.path for action in made.values() if action.path not in kept])


def now() -> datetime:
    return datetime.now(UTC)
