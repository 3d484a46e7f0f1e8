"""How records become Parquet: the types, the encodings and the filters made for the questions that are asked.

Appended files are written with Arrow's own writer, at a third of what the same costs through Delta's query engine,
and named to Delta by an action each. Files that maintenance joins are rewritten by Delta with `rewriting()`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake import BloomFilterProperties, ColumnProperties, DeltaTable, WriterProperties
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction

from triage.schema import ATTRIBUTES

_ROW_GROUP = 64 << 10  # small enough that a question for a minute or a task reads little
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


def append(table: DeltaTable, records: pl.DataFrame) -> list[AddAction]:
    """Write sorted records (columns of LOGS) into the table's place, a file for each date; the actions that add them."""
    place = _place(table)
    return [_written(place, day, part) for day, part in _by_date(records)]


def read(table: DeltaTable, path: str, day: date) -> pl.DataFrame:
    """One of the table's files, with its date."""
    with _place(table).open_input_file(path) as stored:
        return pl.DataFrame(pq.read_table(stored)).with_columns(date=pl.lit(day))


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


def _written(place: pyarrow.fs.FileSystem, day: date, records: pl.DataFrame) -> AddAction:
    path = f"date={day.isoformat()}/part-{uuid.uuid4()}.zstd.parquet"
    rows = arrow(records, views=True)
    filtered = {name: {"ndv": _distinct(records[name]), "fpp": 0.01} for name in _LOOKUPS}
    flat = [name for name in rows.column_names if name not in ("attributes", "problems")]
    place.create_dir(f"date={day.isoformat()}")
    try:
        with place.open_output_stream(path) as out:
            pq.write_table(
                rows, out, row_group_size=_ROW_GROUP, compression="zstd", compression_level=_LEVEL, store_schema=False,
                use_dictionary=[*(name for name in flat if name not in _UNIQUE), *_NESTED],
                write_statistics=[name for name in flat if name not in _TEXTS],
                column_encoding=_ENCODINGS, bloom_filter_options={name: to for name, to in filtered.items() if to["ndv"]},
            )  # fmt: skip
            size = out.tell()
    except OSError:
        with suppress(OSError):  # a disk that is full needs the room
            place.delete_file(path)
        raise
    moment = int(datetime.now(UTC).timestamp() * 1000)
    return AddAction(path, size, {"date": day.isoformat()}, moment, True, json.dumps(_statistics(records)))


def _distinct(values: pl.Series) -> int:
    """How many values a row group's filter must hold: few make a small filter, none no filter."""
    return min(_ROW_GROUP, len(values) - values.null_count())


def _statistics(records: pl.DataFrame) -> dict[str, Any]:
    bounds = {name: (records[name].min(), records[name].max()) for name in _BOUNDED}
    return {
        "numRecords": records.height,
        "minValues": {name: _plain(low) for name, (low, _) in bounds.items() if low is not None},
        "maxValues": {name: _plain(high) for name, (_, high) in bounds.items() if high is not None},
        "nullCount": {name: records[name].null_count() for name in _BOUNDED},
    }


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value


def rewriting() -> WriterProperties:
    """How Delta writes files anew: zstd, dictionaries, row groups and filters like those of appended ones."""
    sieve = BloomFilterProperties(True, 0.01, 10_000)
    columns = {name: ColumnProperties(bloom_filter_properties=sieve) for name in _LOOKUPS}
    columns["record_id"] = ColumnProperties(False, bloom_filter_properties=sieve, encoding=_ENCODINGS["record_id"])
    columns |= {name: ColumnProperties(False, encoding=_ENCODINGS[name]) for name in _RISING}
    columns |= {name: ColumnProperties(False, statistics_enabled="NONE") for name in _TEXTS}
    return WriterProperties(
        compression="ZSTD", compression_level=3, max_row_group_size=_ROW_GROUP, column_properties=columns
    )


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
