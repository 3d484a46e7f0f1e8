"""`parse` and `open_from`: the order of the steps from physical lines to records."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from triage.parse import clock, csvlog, json_fields, syslog
from triage.parse.assemble import Assembly, assemble, tagged
from triage.parse.details import add_details
from triage.parse.detect import detect
from triage.parse.heads import Heads, read_heads
from triage.parse.layout import Layout
from triage.parse.merge import MERGED, POSTGRES_ROWS
from triage.parse.options import ParseOptions
from triage.parse.registry import layouts_for
from triage.parse.wrappers import MAX_ROWS_BETWEEN, STREAM, unwrap
from triage.schema import LOGS, Resource

MAX_CARRY_ROWS = 60_000  # lines kept for the next batch; beyond either bound what is open is taken as complete
MAX_CARRY_BYTES = 64 << 20
_LOOK_BACK = 5000  # lines searched for one with a time of its own to cut at
CELERY_LOGGER = r"^celery(?:\.|$)|^django_celery_beat(?:\.|$)"
CELERY_SENTENCE = r"^Task [0-9A-Za-z_.\-:]+\[[0-9a-f]{8}-[0-9a-f\-]{27}\] (?:received|succeeded in|raised|retry:|rejected|ignored)|^(?:beat: )?Scheduler: Sending due task "
BEAT_LOGGER = r"^(?:celery\.beat|django_celery_beat)(?:\.|$)"
BEAT_SENTENCE = (
    r"^(?:beat: |beat raised exception |Celerybeat: |Scheduler: |DatabaseScheduler|Database error while sync|Writing entries|Removing corrupted schedule|Message Error: Couldn't apply scheduled task"
    r"|[0-9A-Za-z_.\-:]+ sent\. id->)"
)
_PROXY = r"nginx|proxy|ingress|gateway|httpd|apache|access|stdin|^-?$"
GENERIC = frozenset({"app", "other"})  # families that say how a line looks and not which program wrote it


def parse(lines: pl.DataFrame, resource: Resource, options: ParseOptions = ParseOptions()) -> pl.DataFrame:  # noqa: B008
    """One row per record, in the order of first lines; never raises on any text."""
    if lines.is_empty():
        return _result(pl.DataFrame())
    year = (options.now or datetime.now(UTC)).year
    layouts = layouts_for(options)
    own = unwrap(lines)
    text = own["text"]
    which = detect(text, layouts)
    heads = read_heads(text, which, layouts, year)
    table = heads.table()
    own = own.with_columns(stream=_streams(own), layout=which)
    assembly = assemble(own, table, layouts)
    records = _gather(own, assembly, layouts)
    whole = _whole(records, layouts, year, heads)
    if whole:
        table = heads.table()
    records = records.join(
        table.with_columns(i=pl.col("row").cast(pl.Int64)).drop("layout", "row"), on="i", how="left", maintain_order="left"
    )
    records = _carried(records, year)
    records = records.with_columns(source=_source(records, layouts, resource, options))
    records = add_details(records, own, assembly, heads, layouts, table)
    records = _provenance(records, lines, resource)
    records = clock.resolve(records, options)
    return _result(records)


def _streams(own: pl.DataFrame) -> pl.Series:
    """A number per stream, of which each is assembled apart."""
    varying = [name for name in STREAM if own[name].null_count() not in (0, own.height) or own[name].n_unique() > 1]
    if not varying:
        return pl.Series("stream", [0], dtype=pl.Int64).new_from_index(0, own.height)
    return own.select(pl.struct(varying).rank("dense").cast(pl.Int64).alias("stream")).to_series()


def _gather(own: pl.DataFrame, assembly: Assembly, layouts: tuple[Layout, ...]) -> pl.DataFrame:
    """One row per record: its opener's columns, its body and its extent."""
    mergeable = [number for tag in MERGED for number in tagged(layouts, tag)]
    frame = own.with_columns(
        i=pl.int_range(pl.len(), dtype=pl.Int64), record=assembly.record, layout=assembly.layout,
        traceback=assembly.traceback,
    )  # fmt: skip
    opener = pl.col("i") == pl.col("record")
    if frame.select(opener.all()).item():
        records = frame.with_columns(body=pl.col("text"), line_count=pl.lit(1, pl.Int32))
    else:
        follows = frame.filter(~opener)["record"].unique()
        many = frame.filter(pl.col("record").is_in(follows.implode()))
        bodies = many.group_by("record", maintain_order=True).agg(
            body=pl.col("text").str.join("\n"), line_count=pl.len().cast(pl.Int32), begin=pl.col("first").min(), end=pl.col("last").max(),
        )  # fmt: skip
        records = frame.filter(opener).join(bodies, on="record", how="left", maintain_order="left")
        records = records.with_columns(
            pl.col("body").fill_null(pl.col("text")), pl.col("line_count").fill_null(1),
            first=pl.min_horizontal("first", "begin"), last=pl.max_horizontal("last", "end"),
        ).drop("begin", "end")  # fmt: skip
    return records.with_columns(open=_open(frame, records, mergeable))


def _open(frame: pl.DataFrame, records: pl.DataFrame, mergeable: list[int]) -> pl.Series:
    """Records that a line still to come may go on with."""
    end = int(frame["last"][-1])
    ends = frame.group_by("stream").agg(pl.col("record").last(), pl.col("last").last())
    open_now = ends.filter(pl.col("last") >= end - MAX_ROWS_BETWEEN)["record"]
    # Of programs whose processes take turns, every record in reach; others end where their stream's next begins.
    recent = records.filter((pl.col("last") >= end - POSTGRES_ROWS) & pl.col("layout").is_in(mergeable))["i"]
    return records["i"].is_in(pl.concat([open_now, recent]).implode())


def _whole(records: pl.DataFrame, layouts: tuple[Layout, ...], year: int, heads: Heads) -> bool:
    """Read the records whose fields can only be read from the whole body."""
    done = False
    for tag, read in (("json", json_fields.read), ("csvlog", csvlog.read)):
        numbers = tagged(layouts, tag)
        own = records.filter(pl.col("layout").is_in(numbers)) if numbers else records.clear()
        if own.height:
            read(own.select(row="i", layout="layout", text="body"), year, heads)
            done = True
    return done


def _carried(records: pl.DataFrame, year: int) -> pl.DataFrame:
    """Fill what the line does not say from what carried it."""
    carrier = pl.col("carrier_local")
    yearless = carrier.dt.year() == syslog.NO_YEAR
    of_year = pl.when(yearless).then(carrier.dt.offset_by(f"{year - syslog.NO_YEAR}y")).otherwise(carrier)
    from_carrier = pl.col("local").is_null() & carrier.is_not_null()
    return records.with_columns(
        local=pl.when(from_carrier).then(of_year).otherwise("local"),
        yearless=pl.when(from_carrier).then(yearless).otherwise(pl.col("yearless").fill_null(False)),
        level=pl.coalesce("level", "carrier_level"),
        pid=pl.coalesce("pid", "carrier_pid"),
    )


def _source(records: pl.DataFrame, layouts: tuple[Layout, ...], resource: Resource, options: ParseOptions) -> pl.Series:
    """The family of each record: forced, else what only one program prints, else what is known of the container."""
    if options.source:
        return pl.Series("source", [options.source]).new_from_index(0, records.height)
    names = {number: layout.source for number, layout in enumerate(layouts)}
    by_layout = pl.col("layout").replace_strict(names, default=None, return_dtype=pl.String)
    own = pl.coalesce("source", by_layout)
    # The program by its own word, or by the name that a compose file gave it.
    by_program = pl.coalesce("program", "service_name").replace_strict(syslog.SOURCES, default=None, return_dtype=pl.String)
    fallback = pl.when("traceback").then(pl.lit("app")).otherwise(own.fill_null("other"))
    known = pl.lit(resource.source, pl.String)
    specific: pl.Expr = pl.when(~own.is_in(list(GENERIC))).then(own)
    # The Common Log Format is nginx's and gunicorn's alike: without more knowledge the service's name decides.
    clf = [number for number, layout in enumerate(layouts) if layout.name == "access.clf"]
    if resource.source != "nginx" and records["layout"].is_in(clf).any():
        service = pl.coalesce("service_name", pl.lit(resource.service_name))
        other = pl.col("layout").is_in(clf) & ~service.str.contains(_PROXY)
        specific = pl.when(other).then(pl.lit(resource.source or "app")).otherwise(specific)
    # Celery's own loggers and sentences under a format of the application's.
    celery = own.is_in(list(GENERIC)) & (pl.col("logger").str.contains(CELERY_LOGGER) | pl.col("message").str.contains(CELERY_SENTENCE))
    specific = pl.when(celery.fill_null(False)).then(pl.lit("celery")).otherwise(specific)
    if records.select((specific == "celery").any()).item() is not True:
        return records.select(pl.coalesce(specific, by_program, known, fallback).alias("source")).to_series()
    beat = (specific == "celery") & (
        pl.col("message").str.contains(BEAT_SENTENCE) | pl.col("logger").str.contains(BEAT_LOGGER) | (pl.col("thread") == "Beat")
        | (known == "beat").fill_null(False)
    )
    return records.select(
        pl.when(beat.fill_null(False)).then(pl.lit("beat")).otherwise(pl.coalesce(specific, by_program, known, fallback)).alias("source")
    ).to_series()


def _provenance(records: pl.DataFrame, lines: pl.DataFrame, resource: Resource) -> pl.DataFrame:
    first = records["first"]
    return records.with_columns(
        position=lines["position"].gather(first),
        seq=lines["seq"].gather(first),
        first_line="first",
        last_line="last",
        service_name=pl.coalesce("service_name", "service", pl.lit(resource.service_name)),
        container_name=pl.coalesce("container_name", pl.lit(resource.container_name, pl.String)),
        container_id=pl.lit(resource.container_id, pl.String),
        container_image_name=pl.lit(resource.container_image_name, pl.String),
        # The host by its own word: `host` of a JSON record or of syslog.
        host_name=pl.coalesce("host", "host_right", pl.lit(resource.host_name, pl.String)),
    )


RESULT = {
    **{name: kind for name, kind in LOGS.items() if name not in ("date", "problem", "problems", "pattern", "template",
       "fingerprint", "record_id", "origin")},
    "seq": pl.Int32, "first_line": pl.Int64, "last_line": pl.Int64, "open": pl.Boolean, "dated": pl.Boolean,
}  # fmt: skip


def _result(records: pl.DataFrame) -> pl.DataFrame:
    if not records.width:
        return pl.DataFrame(schema=RESULT)
    return records.select(
        (pl.col(name) if name in records.columns else pl.lit(None)).cast(kind).alias(name) for name, kind in RESULT.items()
    )


def open_from(records: pl.DataFrame, lines: pl.DataFrame) -> int:
    """How many leading lines are surely complete; from there on a record may still grow.

    No record stands on both sides of the cut, and if possible the first one behind it has a time of its own, so that
    the records after it inherit the same times as if the stream had not been cut.
    """
    total = lines.height
    if records.is_empty():
        return total
    growing = records.filter("open")
    cut = int(growing["first_line"].min()) if growing.height else total  # type: ignore[arg-type]
    first, last = records["first_line"], records["last_line"]
    reach = last.cum_max().shift(1, fill_value=-1)  # the last line of all records that begin earlier
    legal = (reach < first) & (first <= cut)
    at = _latest(first.filter(legal))
    timed = _latest(first.filter(legal & records["dated"]))
    if at - timed < _LOOK_BACK:
        at = timed
    if total - at > MAX_CARRY_ROWS or int(lines["text"].slice(at).str.len_bytes().sum()) > MAX_CARRY_BYTES:
        return total
    return at


def _latest(starts: pl.Series) -> int:
    return int(starts[-1]) if starts.len() else 0
