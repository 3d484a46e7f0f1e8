"""How records become Parquet: the types, the encodings and the filters made for the questions that are asked.

Appended files are written with Arrow's own writer, at a third of what the same costs through Delta's query engine,
and named to Delta by an action each.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction

from triage.lake.derived import with_derived
from triage.schema import ATTRIBUTES, ERROR_NUMBER, LOGS

_ROW_GROUP = 64 << 10  # small enough that a question for a minute or a task reads little
_KIND = 2 << 10  # fewer of a kind are not worth a row group of their own
_STRETCH = 256 << 10  # records that are put in order together: some hundred MB
_TROUBLE = (pl.col("severity_number") >= ERROR_NUMBER).fill_null(False) | pl.col("problem").is_not_null()
_LEVEL = 1  # of zstd: 3 takes half as long again, and the files are no smaller
# Lookups by key are answered from the filter, where a row group's minimum and maximum say nothing.
_LOOKUPS = ("task_id", "request_id", "job_id", "user_id", "trace_id", "record_id")
_RISING = ("timestamp", "observed_timestamp", "position")  # nearly sorted: differences are small
# Nearly every value is another: no dictionary, and no minimum and maximum that would only make files larger.
_TEXTS = ("body", "message", "exception_message")
_UNIQUE = (*_TEXTS, *_RISING, "record_id", "task_id", "duration_ms")
_ENCODINGS: dict[str, Literal["DELTA_BYTE_ARRAY", "DELTA_BINARY_PACKED"]] = {
    "record_id": "DELTA_BYTE_ARRAY", "timestamp": "DELTA_BINARY_PACKED", "observed_timestamp": "DELTA_BINARY_PACKED",
    "position": "DELTA_BINARY_PACKED",
}  # fmt: skip
_NESTED = ("attributes.key_value.key", "attributes.key_value.value", "problems.list.element")
_BOUNDED = ("timestamp", "service_name")  # in Delta's own statistics, by which other engines pass files over
_MAP = pa.map_(pa.string(), pa.string())


def stored_schema() -> pa.Schema:
    """The columns of a table of records, as Delta has them."""
    return arrow(with_derived(pl.DataFrame(schema=LOGS))).schema


def in_order(records: pl.DataFrame) -> pl.DataFrame:
    """Trouble first, then service by service and family by family, each in order of time; of equal times, by place.

    What is asked for lies together: who asks for problems reads none of the many records without, and who asks for
    statements only the database's.
    """
    keys = [*(name for name in ("service_name", "source") if records[name].n_unique() > 1), "timestamp"]
    keys += ["origin"] if records["origin"].n_unique() > 1 else []  # nearly all commits have one: texts need not be compared
    return records.sort(~_TROUBLE, *keys, "position")


def append(table: DeltaTable, records: pl.DataFrame) -> list[AddAction]:
    """Write records (columns of LOGS) into the table's place, a file for each date; the actions that add them."""
    place = _place(table)
    return [write(place, day, [part], new=True) for day, part in _by_date(records)]


def rewrite(table: DeltaTable, day: date, paths: Sequence[str]) -> AddAction:
    """The action that adds one file with the records of some of a day, put in order stretch by stretch of time."""
    place = _place(table)
    return write(place, day, _stretches(table, day, paths), new=False)


def _stretches(table: DeltaTable, day: date, paths: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The records of files (in order of time), so many at a time as fit well in memory."""
    gathered: list[pl.DataFrame] = []
    height = 0
    for path in paths:
        with _place(table).open_input_file(path) as stored:
            file = pq.ParquetFile(stored)
            for number in range(file.num_row_groups):
                part = of_schema(pl.DataFrame(file.read_row_group(number)).with_columns(date=pl.lit(day)))
                gathered.append(part)
                height += part.height
        if height >= _STRETCH:  # between files only: each is a stretch of time of its own
            yield pl.concat(gathered)
            gathered, height = [], 0
    if gathered:
        yield pl.concat(gathered)


def read(table: DeltaTable, path: str, day: date) -> pl.DataFrame:
    """One of the table's files, with its date."""
    with _place(table).open_input_file(path) as stored:
        return of_schema(pl.DataFrame(pq.read_table(stored)).with_columns(date=pl.lit(day)))


def discard(table: DeltaTable, paths: Iterable[str]) -> None:
    """Delete files that were written and not committed."""
    place = _place(table)
    for path in paths:
        with suppress(OSError):
            place.delete_file(path)


def _place(table: DeltaTable) -> pyarrow.fs.FileSystem:
    """The table's folder: on a disk by the system's own calls, which say why they fail, elsewhere as Delta reaches it."""
    if table.table_uri.startswith("file://"):
        disk, root = pyarrow.fs.FileSystem.from_uri(table.table_uri)
        return pyarrow.fs.SubTreeFileSystem(root, disk)
    return pyarrow.fs.PyFileSystem(DeltaStorageHandler.from_table(table._table))


def _by_date(records: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    days = records["date"].unique()
    for day in days.sort():
        yield day, (records if len(days) == 1 else records.filter(pl.col("date") == day)).drop("date")


def write(place: pyarrow.fs.FileSystem, day: date, stretches: Iterable[pl.DataFrame], *, new: bool) -> AddAction:
    """One file of stretches of a day's records; `new`: they were not in the table before."""
    path = f"date={day.isoformat()}/part-{uuid.uuid4()}.zstd.parquet"
    place.create_dir(f"date={day.isoformat()}")
    told = _Statistics()
    try:
        with place.open_output_stream(path) as out:
            writer = None
            for stretch in stretches:
                ordered = in_order(stretch)
                rows = arrow(with_derived(ordered.drop("date", strict=False)), views=True)
                writer = writer or _writer(out, rows.schema, ordered)
                for start, length in _groups(ordered):
                    writer.write_table(rows.slice(start, length), row_group_size=length)
                told.add(ordered)
            if writer is not None:
                writer.close()
            size = out.tell()
    except OSError:
        with suppress(OSError):  # a disk that is full needs the room
            place.delete_file(path)
        raise
    moment = int(datetime.now(UTC).timestamp() * 1000)
    return AddAction(path, size, {"date": day.isoformat()}, moment, new, told.json())


def _writer(out: Any, schema: pa.Schema, sample: pl.DataFrame) -> pq.ParquetWriter:
    filtered = {name: {"ndv": _distinct(sample[name]), "fpp": 0.01} for name in _LOOKUPS}
    flat = [name for name in schema.names if name not in ("attributes", "problems")]
    return pq.ParquetWriter(
        out, schema, compression="zstd", compression_level=_LEVEL, store_schema=False,
        use_dictionary=[*(name for name in flat if name not in _UNIQUE), *_NESTED],
        write_statistics=[name for name in flat if name not in _TEXTS],
        column_encoding=_ENCODINGS, bloom_filter_options={name: to for name, to in filtered.items() if to["ndv"]},
    )  # fmt: skip


def _groups(ordered: pl.DataFrame) -> Iterator[tuple[int, int]]:
    """Where row groups begin, and how long they are: none holds two kinds of records, unless there are few of each."""
    kinds = ordered.select(pl.struct(_TROUBLE.alias("trouble"), "service_name", "source").rle().struct.field("len"))
    start = length = 0
    for run in [*kinds.to_series(), _ROW_GROUP]:
        if length and (length >= _KIND or run >= _KIND):
            parts = -(-length // _ROW_GROUP)
            for number in range(parts):
                begin, end = start + number * length // parts, start + (number + 1) * length // parts
                yield begin, end - begin
            start, length = start + length, 0
        length += run


def _distinct(values: pl.Series) -> int:
    """How many values a row group's filter must hold: few make a small filter, none no filter."""
    return min(_ROW_GROUP, len(values) - values.null_count())


class _Statistics:
    """Of a file, for Delta."""

    def __init__(self) -> None:
        self._bounds = pl.DataFrame()
        self._rows = 0

    def add(self, records: pl.DataFrame) -> None:
        told = records.select(
            *(getattr(pl.col(name), what)().alias(f"{what} {name}") for name in _BOUNDED for what in ("min", "max", "null_count"))
        )
        self._bounds = pl.concat([self._bounds, told]) if self._bounds.width else told
        self._rows += records.height

    def json(self) -> str:
        def of(what: str, how: str) -> dict[str, Any]:
            found = {name: getattr(self._bounds[f"{what} {name}"], how)() for name in _BOUNDED} if self._rows else {}
            return {name: _plain(value) for name, value in found.items() if value is not None}

        return json.dumps(
            {"numRecords": self._rows, "minValues": of("min", "min"), "maxValues": of("max", "max"), "nullCount": of("null_count", "sum")}
        )


def of_schema(frame: pl.DataFrame) -> pl.DataFrame:
    """A stored frame with the columns and types of LOGS; columns of a younger schema are null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None, kind).alias(name)).cast(kind)
        for name, kind in LOGS.items()
    )


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value


def arrow(records: pl.DataFrame, *, views: bool = False) -> pa.Table:
    """The records as Arrow in the types that Delta has: signed integers, and maps. Views spare a copy of all texts."""
    signed = {pl.UInt64: pl.Int64, pl.UInt8: pl.Int16}
    cast = records.cast({name: signed[kind] for name, kind in records.schema.items() if kind in signed})  # type: ignore[index]
    table = cast.to_arrow(compat_level=pl.CompatLevel.newest() if views else pl.CompatLevel.oldest())
    for name, dtype in records.schema.items():
        if dtype == ATTRIBUTES:
            index = table.schema.get_field_index(name)
            maps = [_map(chunk) for chunk in table.column(index).chunks]
            table = table.set_column(index, pa.field(name, _MAP), pa.chunked_array(maps, _MAP))
    return table


def _map(entries: pa.Array) -> pa.Array:
    flat = entries.flatten()
    lengths = pa.compute.fill_null(pa.compute.list_value_length(entries), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pa.compute.cast(pa.compute.cumulative_sum(lengths), pa.int32())])
    keys, values = (flat.field(name).cast(pa.string()) for name in ("key", "value"))
    return pa.MapArray.from_arrays(offsets, keys, values, mask=entries.is_null())
