"""The order of the steps from physical lines to records.

`cut` says which lines are a record and when it was, which is all that the next batch of a stream depends on. What a
record states beyond that is read from it alone (`Cut.read`), at any time and in any thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate

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
from triage.parse.text import contains_where
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


@dataclass(frozen=True)
class Cut:
    """Records of one or more batches by their extent and time, and what it takes to read the rest.

    `records` has a row per record: its `batch`, `first` and `last` (rows of `lines`), `open` (a line to come may go on
    with it), `timestamp`, `dated` (by itself and not by a neighbour), `body`, and what its head says.
    """

    records: pl.DataFrame
    lines: pl.DataFrame
    starts: tuple[int, ...]  # the row of `lines` where each batch begins, and where the last one ends
    resources: tuple[Resource, ...]  # of each batch
    own: pl.DataFrame
    assembly: Assembly
    heads: Heads
    table: pl.DataFrame
    layouts: tuple[Layout, ...]
    options: ParseOptions

    def until(self, lines: Sequence[int]) -> Cut:
        """Only the records that end within so many first lines of each batch."""
        bounds = pl.Series([start + count for start, count in zip(self.starts, lines, strict=False)], dtype=pl.Int64)
        return replace(self, records=self.records.filter(self.records["last"] < bounds.gather(self.records["batch"])))

    def read(self) -> pl.DataFrame:
        """One row per record with every column of RESULT."""
        records = self.records.with_columns(source=_source(self.records, self.layouts, self.resources, self.options))
        records = add_details(records, self.own, self.assembly, self.heads, self.layouts, self.table)
        return _result(_provenance(records, self.lines, self.resources))


def parse(lines: pl.DataFrame, resource: Resource, options: ParseOptions = ParseOptions()) -> pl.DataFrame:  # noqa: B008
    """One row per record, in the order of first lines; never raises on any text."""
    return _result(pl.DataFrame()) if lines.is_empty() else cut([(lines, resource)], options).read()


def cut(batches: Sequence[tuple[pl.DataFrame, Resource]], options: ParseOptions) -> Cut:
    """The records of batches of different origins, each of which has lines.

    What a batch's records are depends on no other's. But a pass over one line costs nearly what a pass over thousands
    does, so that many small batches are cut together.
    """
    starts = (0, *accumulate(lines.height for lines, _ in batches))
    numbers = [pl.Series("batch", [n], dtype=pl.UInt32).new_from_index(0, part.height) for n, (part, _) in enumerate(batches)]
    lines = pl.concat([part for part, _ in batches], rechunk=True).hstack([pl.concat(numbers, rechunk=True)])
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
    if _whole(records, layouts, year, heads):
        table = heads.table()
    records = records.join(
        table.with_columns(i=pl.col("row").cast(pl.Int64)).drop("layout", "row"), on="i", how="left", maintain_order="left"
    )
    records = clock.resolve(_carried(records, year), options)
    resources = tuple(resource for _, resource in batches)
    return Cut(records, lines, starts, resources, own, assembly, heads, table, layouts, options)


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
    end = frame.group_by("batch").agg(end=pl.col("last").last())
    ends = frame.group_by("stream").agg(pl.col("batch").first(), pl.col("record").last(), pl.col("last").last())
    open_now = ends.join(end, on="batch", nulls_equal=True).filter(pl.col("last") >= pl.col("end") - MAX_ROWS_BETWEEN)["record"]
    # Of programs whose processes take turns, every record in reach; others end where their stream's next begins.
    mergeables = records.filter(pl.col("layout").is_in(mergeable)).join(end, on="batch", nulls_equal=True)
    recent = mergeables.filter(pl.col("last") >= pl.col("end") - POSTGRES_ROWS)["i"]
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


def _source(records: pl.DataFrame, layouts: tuple[Layout, ...], resources: tuple[Resource, ...], options: ParseOptions) -> pl.Series:
    """The family of each record: forced, else what only one program prints, else what is known of the container."""
    if options.source:
        return pl.Series("source", [options.source]).new_from_index(0, records.height)
    names = {number: layout.source for number, layout in enumerate(layouts)}
    by_layout = pl.col("layout").replace_strict(names, default=None, return_dtype=pl.String)
    own = pl.coalesce("source", by_layout)
    # The program by its own word, or by the name that a compose file gave it.
    by_program = pl.coalesce("program", "service_name").replace_strict(syslog.SOURCES, default=None, return_dtype=pl.String)
    fallback = pl.when("traceback").then(pl.lit("app")).otherwise(own.fill_null("other"))
    known = _each(records, [resource.source for resource in resources])
    specific: pl.Expr = pl.when(~own.is_in(list(GENERIC))).then(own)
    # The Common Log Format is nginx's and gunicorn's alike: without more knowledge the service's name decides.
    clf = [number for number, layout in enumerate(layouts) if layout.name == "access.clf"]
    if records["layout"].is_in(clf).any():
        service = pl.coalesce("service_name", _each(records, [resource.service_name for resource in resources]))
        app = _each(records, [None if resource.source == "nginx" else resource.source or "app" for resource in resources])
        other = pl.col("layout").is_in(clf) & ~service.str.contains(_PROXY) & app.is_not_null()
        specific = pl.when(other).then(app).otherwise(specific)
    # Celery's own loggers and sentences under a format of the application's.
    frame = records.select(
        specific.alias("specific"), "message", "logger", "thread", generic=own.is_in(list(GENERIC)), of_beat=(known == "beat").fill_null(False)
    )
    celery = frame["generic"] & (_logger_is(frame["logger"], CELERY_LOGGER) | contains_where(frame["message"], frame["generic"], CELERY_SENTENCE))
    frame = frame.with_columns(specific=pl.when(celery).then(pl.lit("celery")).otherwise("specific"))
    both = (frame["specific"] == "celery").fill_null(False)
    if both.any():
        beat = contains_where(frame["message"], both, BEAT_SENTENCE) | _logger_is(frame["logger"], BEAT_LOGGER) | (frame["thread"] == "Beat").fill_null(False)
        frame = frame.with_columns(specific=pl.when(both & (beat | frame["of_beat"])).then(pl.lit("beat")).otherwise("specific"))
    return records.select(pl.coalesce(frame["specific"], by_program, known, fallback).alias("source")).to_series()


def _each(records: pl.DataFrame, values: Sequence[str | None]) -> pl.Expr:
    """A value of each batch, at its records."""
    if len(values) == 1:
        return pl.lit(values[0], pl.String)
    return pl.lit(pl.Series(values, dtype=pl.String).gather(records["batch"]))


def _logger_is(logger: pl.Series, regex: str) -> pl.Series:
    """Whether a logger's name matches, asked once of each name."""
    names = logger.drop_nulls().unique()
    return logger.is_in(names.filter(names.str.contains(regex)).implode()).fill_null(False)


def _provenance(records: pl.DataFrame, lines: pl.DataFrame, resources: tuple[Resource, ...]) -> pl.DataFrame:
    def of(name: str) -> pl.Expr:
        return _each(records, [getattr(resource, name) for resource in resources])

    first = records["first"]
    return records.with_columns(
        position=lines["position"].gather(first),
        seq=lines["seq"].gather(first),
        first_line="first",
        last_line="last",
        service_name=pl.coalesce("service_name", "service", of("service_name")),
        container_name=pl.coalesce("container_name", of("container_name")),
        container_id=of("container_id"),
        container_image_name=of("container_image_name"),
        # The host by its own word: `host` of a JSON record or of syslog.
        host_name=pl.coalesce("host", "host_right", of("host_name")),
    )


RESULT = {
    **{name: kind for name, kind in LOGS.items() if name not in ("date", "problem", "problems", "pattern", "template",
       "fingerprint", "record_id", "origin")},
    "batch": pl.UInt32, "seq": pl.Int32, "first_line": pl.Int64, "last_line": pl.Int64, "open": pl.Boolean, "dated": pl.Boolean,
}  # fmt: skip


def _result(records: pl.DataFrame) -> pl.DataFrame:
    if not records.width:
        return pl.DataFrame(schema=RESULT)
    return records.select(
        (pl.col(name) if name in records.columns else pl.lit(None)).cast(kind).alias(name) for name, kind in RESULT.items()
    )


def open_from(found: Cut) -> list[int]:
    """How many leading lines of each batch are surely complete; from there on a record may still grow.

    No record stands on both sides of the cut, and if possible the first one behind it has a time of its own, so that
    the records after it inherit the same times as if the stream had not been cut.
    """
    starts, stops = (pl.Series(of, dtype=pl.Int64) for of in (found.starts[:-1], found.starts[1:]))
    batches = pl.DataFrame({"batch": range(len(starts)), "start": starts, "stop": stops}, schema_overrides={"batch": pl.UInt32})
    records = found.records.select("batch", "first", "last", "open", "dated")
    growing = records.filter("open").group_by("batch").agg(bound=pl.col("first").min())
    # The last line of all records of the batch that begin earlier.
    reach = pl.col("last").cum_max().shift(1, fill_value=-1).over("batch")
    legal = (reach < pl.col("first")) & (pl.col("first") <= pl.col("bound")).fill_null(True)
    cuts = records.join(growing, on="batch", how="left", maintain_order="left").filter(legal).group_by("batch").agg(
        at=pl.col("first").last(), timed=pl.col("first").filter("dated").last()
    )  # fmt: skip
    at, timed = pl.coalesce("at", "start"), pl.coalesce("timed", "start")
    batches = batches.join(cuts, on="batch", how="left", maintain_order="left")
    batches = batches.with_columns(at=pl.when(at - timed < _LOOK_BACK).then(timed).otherwise(at))
    size = pl.concat([pl.Series([0], dtype=pl.Int64), found.lines["text"].str.len_bytes().fill_null(0).cast(pl.Int64).cum_sum()])
    carried = size.gather(batches["stop"]) - size.gather(batches["at"])
    much = (batches["stop"] - batches["at"] > MAX_CARRY_ROWS) | (carried > MAX_CARRY_BYTES)
    return (batches["stop"].zip_with(much, batches["at"]) - batches["start"]).to_list()
