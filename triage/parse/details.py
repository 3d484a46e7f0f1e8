"""What a whole record says beyond its head: exceptions, Postgres's and Celery's fields, ids, attributes."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from triage.parse import access_fields, access_habits, celery_fields, postgres_fields, severity, stacks
from triage.parse.assemble import Assembly, tagged
from triage.parse.exceptions import Raised, raised
from triage.parse.heads import Heads
from triage.parse.layout import Layout, ascii_classes
from triage.schema import ATTRIBUTES

_HAS_TRACEBACK = "Traceback (most recent call last)"
# The plain case, which needs no Python: frames, indented or blank, and then the exception at the left margin.
_ONE_TRACEBACK = ascii_classes(
    r"(?:^|\n)Traceback \(most recent call last\):\n(?:[ \t>^~|+][^\n]*\n|\n)*([A-Za-z_][\w.]*)(?:: ?|\n|$)((?s:.*))$"
)
_JOURNAL = {"message": "MESSAGE", "pid": "_PID", "level": "PRIORITY", "service": "SYSLOG_IDENTIFIER", "host": "_HOSTNAME"}
# rich draws a box around the frames.
_RICH = ascii_classes(r"╭─+ ?Traceback \(most recent call last\)[^\n]*(?s:.*)\n[ \t]*╰─+╯[ \t]*\n[ \t]*([A-Za-z_][\w.]*)(?:: ?|\n|$)((?s:.*))$")
_CALL_STACK = r"(?s)\nCall stack:\n.*"  # what logging prints behind its own error
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
    records = records.join(_unprefixed(own, assembly, table), on="i", how="left", maintain_order="left")
    records = _journal(records.with_columns(message=_message(records)), layouts)
    extra: list[pl.DataFrame] = []
    if records["source"].is_in(["celery", "beat"]).any():
        records = celery_fields.add(records, extra)
    postgres = [n for tag in ("postgres", "csvlog") for n in tagged(layouts, tag)]
    if records["layout"].is_in(postgres).any() or (records["source"] == "postgres").any():
        records = postgres_fields.add(records, own, assembly, table, postgres, extra)
    records = access_habits.add(access_fields.add(records, extra), extra)
    records = stacks.add(_exceptions(records, extra), extra)
    records = _ids(records)
    records = records.with_columns(
        severity_text="level", severity_number=_numbers(records, layouts), scope_name="logger", process_id="pid", thread_name="thread",
        status_code=pl.col("status").cast(pl.Int16, strict=False),
    )  # fmt: skip
    return records.with_columns(attributes=_attributes(records, heads, extra))


def _unprefixed(own: pl.DataFrame, assembly: Assembly, table: pl.DataFrame) -> pl.DataFrame:
    """For records whose every line has a head of its own: their text without the heads."""
    merged = assembly.block != assembly.record
    if not merged.any():
        return pl.DataFrame(schema={"i": pl.Int64, "unprefixed": pl.String})
    lines = pl.DataFrame({"i": pl.int_range(own.height, eager=True), "record": assembly.record, "text": own["text"]})
    lines = lines.filter(pl.col("record").is_in(assembly.record.filter(merged).unique().implode()))
    heads = table.select(pl.col("row").cast(pl.Int64).alias("i"), "message")
    lines = lines.join(heads, on="i", how="left", maintain_order="left")
    bodies = lines.group_by("record", maintain_order=True).agg(pl.coalesce("message", "text").str.join("\n"))
    return bodies.select(i="record", unprefixed="message")


def _message(records: pl.DataFrame) -> pl.Series:
    message = records["message"].str.strip_chars()
    missing = (message.is_null() | (message == "")).fill_null(True)
    if not missing.any():
        return message
    # A head with nothing behind it has an empty message.
    empty = (message == "").fill_null(False) & records["layout"].is_not_null() & (records["line_count"] == 1)
    missing = missing & ~empty
    plain = missing & (records["line_count"] == 1)
    message = records["body"].str.strip_chars().zip_with(plain, message)
    missing = missing & ~plain
    if not missing.any():
        return message
    few = records.filter(missing)
    text = few["unprefixed"].fill_null(few["body"])
    first = text.str.extract(r"(?m)^[ \t]*(\S.*?)[ \t]*$")
    later = text.str.extract(r"\n[ \t]*(\S.*?)[ \t]*(?:\n|$)")
    # A head without text is followed by what it announces; a plain line is its own message.
    found = later.zip_with(few["layout"].is_not_null() & later.is_not_null(), first)
    return message.scatter(missing.arg_true(), found)


def _journal(records: pl.DataFrame, layouts: tuple[Layout, ...]) -> pl.DataFrame:
    """The members of journald's verbose entries."""
    own = records["layout"].is_in(tagged(layouts, "journal")).fill_null(False)
    if not own.any():
        return records
    members = {name: pl.col("body").str.extract(rf"(?m)^\s+{key}=(.*)$") for name, key in _JOURNAL.items()}
    priority = members.pop("level").replace_strict({str(n): word for n, word in severity.SYSLOG.items()}, default=None, return_dtype=pl.String)
    return records.with_columns(
        pl.when(pl.lit(own)).then(pl.coalesce(value, name)).otherwise(name).alias(name)
        for name, value in {**members, "level": priority}.items()
    )


def _numbers(records: pl.DataFrame, layouts: tuple[Layout, ...]) -> pl.Series:
    numbers = records["number"]
    missing = numbers.is_null() & records["level"].is_not_null()
    if missing.any():
        numbers = severity.numbers(records["level"]).zip_with(missing, numbers)
    for tag, number in (("error", 17), ("warning", 13)):
        without = records["layout"].is_in(tagged(layouts, tag)).fill_null(False) & numbers.is_null()
        if without.any():
            numbers = numbers.set(without, number)
    bare = records["traceback"] & numbers.is_null()
    # A traceback that no logger announced ended the program or a thread of it.
    return numbers.set(bare, 17) if bare.any() else numbers


def _exceptions(records: pl.DataFrame, extra: list[pl.DataFrame]) -> pl.DataFrame:
    # An object's message may hold a traceback in one line of the log.
    held = pl.col("message").str.contains(_HAS_TRACEBACK, literal=True)
    few = records.filter((pl.col("line_count") > 1) | pl.col("exception").is_not_null() | held)
    # uvicorn begins a traceback behind the head itself.
    behind = pl.when(pl.col("message").str.starts_with(_HAS_TRACEBACK)).then(
        pl.format("{}{}", "message", pl.col("body").str.replace(r"^[^\n]*", ""))
    )
    few = few.select("i", "traceback", text=pl.coalesce("unprefixed", "exception", behind, "body"))
    few = few.filter(pl.col("text").str.contains(_HAS_TRACEBACK, literal=True))
    if few.is_empty():
        return records
    simple = few["text"].str.extract_groups(_ONE_TRACEBACK).struct.unnest().rename({"1": "type_found", "2": "text_found"})
    boxed = few["text"].str.extract_groups(_RICH).struct.unnest()
    frame = pl.concat([few, simple], how="horizontal").with_columns(
        type_found=pl.coalesce(boxed["1"], "type_found"),
        text_found=pl.coalesce(boxed["2"], "text_found").str.replace(_CALL_STACK, "").str.strip_chars().replace("", None),
        root_found=pl.lit(None, pl.String),
        hard=boxed["1"].is_null()
        & (pl.col("type_found").is_null() | (pl.col("text").str.count_matches(_HAS_TRACEBACK, literal=True) > 1)),
    )
    frame = pl.concat([frame.filter(~pl.col("hard")), _read_hard(frame.filter("hard"))])
    first = pl.col("text_found").str.extract(r"^([^\n]*)")
    frame = frame.with_columns(
        line_found=pl.when(first.is_not_null()).then(pl.format("{}: {}", "type_found", first)).otherwise("type_found")
    )
    extra.append(frame.filter(pl.col("root_found").is_not_null()).select("i", key=pl.lit("exception.root_type"), value="root_found"))
    records = records.join(frame.drop("traceback", "text", "hard"), on="i", how="left", maintain_order="left")
    # A chain whose first head is missing begins with frames, which no logger announced either.
    cut = pl.col("layout").is_null() & pl.col("line_found").is_not_null()
    bare = pl.col("traceback") | cut | pl.col("message").str.contains(r"^(?:╭─+ ?)?Traceback \(most recent call last\)")
    return records.with_columns(
        # A traceback prints the full name, where a field or Celery's own line may have the short one.
        exception_type=pl.coalesce("type_found", "exception_type"),
        exception_message=pl.when(pl.col("type_found").is_not_null()).then(pl.coalesce("text_found", "exception_message")).otherwise("exception_message"),
        message=pl.when(bare & pl.col("line_found").is_not_null()).then("line_found").otherwise("message"),
        traceback=pl.col("traceback") | cut,
        source=pl.when(cut & (pl.col("source") == "other")).then(pl.lit("app")).otherwise("source"),
    ).drop("type_found", "text_found", "root_found", "line_found")  # fmt: skip


def _read_hard(frame: pl.DataFrame) -> pl.DataFrame:
    """Chains, groups and quoted tracebacks, one by one."""
    found = [raised(text) or Raised(None, None, None) for text in frame["text"]]
    return frame.with_columns(
        pl.Series("type_found", [one.type for one in found], dtype=pl.String),
        pl.Series("text_found", [one.message for one in found], dtype=pl.String),
        pl.Series("root_found", [one.root for one in found], dtype=pl.String),
    )


def _ids(records: pl.DataFrame) -> pl.DataFrame:
    message = records["message"]
    may = message.str.contains(r"(?:[_\-]id|Id|ID)[\"']?[=:]")
    if not may.any():
        return records
    some = records.filter(may.fill_null(False)).select("i", "message")
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
    pairs = postgres_fields.parameters(pl.concat(long, rechunk=True).drop_nulls())
    if pairs.is_empty():
        return nothing
    # Heads of merged blocks and of quoted lines belong to no record.
    at = records["i"].search_sorted(pairs["i"]).cast(pl.Int64)
    own = records["i"].gather(at.clip(0, records.height - 1)) == pairs["i"]
    keys = pairs["key"].unique().sort()
    number = pairs["key"].replace_strict(keys, pl.int_range(keys.len(), eager=True), return_dtype=pl.Int64)
    pairs = pairs.with_columns(at=at, code=at * keys.len() + number).filter(own).sort("code", maintain_order=True)
    pairs = pairs.filter((pl.col("code") != pl.col("code").shift(1)).fill_null(True))
    if pairs.is_empty():
        return nothing
    counts = pairs["at"].rle().struct.unnest()
    sizes = pl.zeros(records.height, pl.Int64, eager=True).scatter(counts["value"], counts["len"].cast(pl.Int64))
    offsets = pl.concat([pl.Series([0], dtype=pl.Int64), sizes.cum_sum()])
    structs = pa.StructArray.from_arrays(
        [pairs["key"].to_arrow(), pairs["value"].to_arrow()], names=["key", "value"]
    )
    lists = pa.LargeListArray.from_arrays(offsets.to_arrow(), structs, mask=(sizes == 0).to_arrow())
    found = pl.from_arrow(lists)
    assert isinstance(found, pl.Series)
    return found.cast(ATTRIBUTES).alias("attributes")
