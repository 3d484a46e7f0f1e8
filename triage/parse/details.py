"""What a whole record says beyond its head: exceptions, Postgres's and Celery's fields, ids, attributes."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from triage.parse import celery_fields, postgres_fields, severity
from triage.parse.assemble import Assembly, tagged
from triage.parse.exceptions import Raised, raised
from triage.parse.heads import Heads
from triage.parse.layout import Layout, ascii_classes
from triage.schema import ATTRIBUTES

_HAS_TRACEBACK = "Traceback (most recent call last):"
# Correlation keys in `key=value` form, as people write them into messages.
_IDS = {
    "request_id": r"(?:request_id|requestId|req_id|correlation_id|x-request-id|request-id)",
    "job_id": r"(?:job_id|jobId|ai_job_id)", "task_id": r"(?:task_id|taskId|celery_task_id)",
    "user_id": r"(?:user_id|userId)", "trace_id": r"(?:trace_id|traceId|otelTraceID)", "span_id": r"(?:span_id|spanId)",
}  # fmt: skip


def add_details(
    records: pl.DataFrame, own: pl.DataFrame, assembly: Assembly, heads: Heads, layouts: tuple[Layout, ...], table: pl.DataFrame
) -> pl.DataFrame:
    """Add or complete every typed column, and `attributes`; `records` has the columns of HEADS."""
    records = records.with_columns(message=_message(records))
    extra: list[pl.DataFrame] = []
    celery = tagged(layouts, "task")
    if records["layout"].is_in(celery).any():
        records = celery_fields.add(records, celery, extra)
    postgres = [n for tag in ("postgres", "csvlog") for n in tagged(layouts, tag)]
    if records["layout"].is_in(postgres).any() or (records["source"] == "postgres").any():
        records = postgres_fields.add(records, own, assembly, table, postgres, extra)
    records = _exceptions(records, extra)
    records = _ids(records)
    records = records.with_columns(
        severity_text="level", severity_number=_numbers(records), scope_name="logger", process_id="pid", thread_name="thread",
        status_code=pl.col("status").cast(pl.Int16, strict=False),
    )  # fmt: skip
    return records.with_columns(attributes=_attributes(records, heads, extra))


def _message(records: pl.DataFrame) -> pl.Series:
    message = records["message"].str.strip_chars()
    missing = (message.is_null() | (message == "")).fill_null(True)  # noqa: FBT003 - polars has no keyword here
    if not missing.any():
        return message
    first = records["body"].str.extract(r"(?m)^[ \t]*(\S.*?)[ \t]*$")
    later = records["body"].str.extract(r"\n[ \t]*(\S.*?)[ \t]*(?:\n|$)")
    # A head without text is followed by what it announces; a plain line is its own message.
    opened = records["layout"].is_not_null()
    found = later.zip_with(opened & later.is_not_null(), first)
    return found.zip_with(missing, message)


def _numbers(records: pl.DataFrame) -> pl.Series:
    numbers = records["number"]
    missing = numbers.is_null() & records["level"].is_not_null()
    if missing.any():
        numbers = severity.numbers(records["level"]).zip_with(missing, numbers)
    bare = records["traceback"] & numbers.is_null()
    # A traceback that no logger announced ended the program or a thread of it.
    return numbers.set(bare, 17) if bare.any() else numbers


def _exceptions(records: pl.DataFrame, extra: list[pl.DataFrame]) -> pl.DataFrame:
    text = records["body"].zip_with(records["exception"].is_null(), records["exception"])
    has = text.str.contains(_HAS_TRACEBACK, literal=True)
    if "unprefixed" in records.columns:
        text = text.zip_with(records["unprefixed"].is_null(), records["unprefixed"])
    if not has.any():
        return records
    few = records.filter(has).select("i", "traceback")
    found = [raised(one) for one in text.filter(has)]
    frame = few.with_columns(
        pl.Series("type_found", [one.type if one else None for one in found], dtype=pl.String),
        pl.Series("text_found", [one.message if one else None for one in found], dtype=pl.String),
        pl.Series("root_found", [one.root if one else None for one in found], dtype=pl.String),
        pl.Series("line_found", [_line(one) for one in found], dtype=pl.String),
    )
    extra.append(frame.filter(pl.col("root_found").is_not_null()).select("i", key=pl.lit("exception.root_type"), value="root_found"))
    records = records.join(frame.drop("traceback"), on="i", how="left", maintain_order="left")
    bare = pl.col("traceback") | pl.col("message").str.starts_with(_HAS_TRACEBACK)
    return records.with_columns(
        exception_type=pl.coalesce("exception_type", "type_found") if records["exception"].null_count() < records.height
        else pl.coalesce("type_found", "exception_type"),
        exception_message=pl.when(pl.col("type_found").is_not_null()).then(pl.coalesce("text_found", "exception_message")).otherwise("exception_message"),
        message=pl.when(bare & pl.col("line_found").is_not_null()).then("line_found").otherwise("message"),
    ).drop("type_found", "text_found", "root_found", "line_found")  # fmt: skip


def _line(one: Raised | None) -> str | None:
    if one is None:
        return None
    first = (one.message or "").split("\n", 1)[0]
    return f"{one.type}: {first}" if first else one.type


def _ids(records: pl.DataFrame) -> pl.DataFrame:
    message = records["message"]
    may = message.str.contains(r"(?:[_\-]id|Id|ID)[\"']?[=:]")
    if not may.any():
        return records
    some = records.filter(may.fill_null(False)).select("i", "message")  # noqa: FBT003
    value = ascii_classes(r"[\"']?[=:] ?[\"']?([\w\-]+)")
    found = some.select(
        "i", *(pl.col("message").str.extract(rf"(?:^|[\s,({{\[\"']){names}{value}").alias(f"{name}_found") for name, names in _IDS.items())
    )
    records = records.join(found, on="i", how="left", maintain_order="left")
    return records.with_columns(pl.coalesce(name, f"{name}_found").alias(name) for name in _IDS).drop(
        f"{name}_found" for name in _IDS
    )


def _attributes(records: pl.DataFrame, heads: Heads, extra: list[pl.DataFrame]) -> pl.Series:
    """All attributes as maps, null where a record has none."""
    nothing = pl.Series("attributes", [None], dtype=ATTRIBUTES).new_from_index(0, records.height)
    long = [frame.select(pl.col("row").cast(pl.Int64).alias("i"), "key", "value") for frame in heads.attributes]
    long += [frame.select(pl.col("i").cast(pl.Int64), "key", "value") for frame in extra]
    if not long or records.is_empty():
        return nothing
    place = records.select("i", at=pl.int_range(pl.len(), dtype=pl.Int64))
    pairs = pl.concat(long).drop_nulls().join(place, on="i", how="inner")
    if pairs.is_empty():
        return nothing
    pairs = pairs.unique(["at", "key"], keep="first", maintain_order=True).sort("at", maintain_order=True)
    counts = pairs.group_by("at", maintain_order=True).len()
    sizes = place.select("at").join(counts, on="at", how="left", maintain_order="left")["len"]
    offsets = pl.concat([pl.Series([0], dtype=pl.Int64), sizes.fill_null(0).cast(pl.Int64).cum_sum()])
    structs = pa.StructArray.from_arrays(
        [pairs["key"].to_arrow(), pairs["value"].to_arrow()], names=["key", "value"]
    )
    lists = pa.LargeListArray.from_arrays(offsets.to_arrow(), structs, mask=sizes.is_null().to_arrow())
    found = pl.from_arrow(lists)
    assert isinstance(found, pl.Series)
    return found.cast(ATTRIBUTES).alias("attributes")
