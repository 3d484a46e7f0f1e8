"""Records from lines: which line opens a record, which goes on with one, and with which.

Two steps. A **block** is a line that opens something and the lines that follow it in its stream without a head of
their own. Then blocks that belong together by what they say (a Postgres process's DETAIL, RabbitMQ's lines of one
moment, a traceback that Celery logged line by line) are merged into a **record**.

Every rule looks only at lines from the record's first one on, or at the distance to the line before. That is why a
stream can be cut at any record's start and parsed in pieces with the same result (`open_from`).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from triage.parse import grammar
from triage.parse.layout import Layout
from triage.parse.merge import roots
from triage.parse.wrappers import MAX_ROWS_BETWEEN

MAX_LINES = 5000  # of one record: what goes on longer is cut, so that memory stays bounded
# µs without a line after which nothing goes on with the record before. A follower takes a record as complete after a
# longer silence, so following and reading afterwards give the same records.
PAUSE = 2_000_000
_SINGLE, _MANY, _NONE = 0, 1, 2  # what may follow an opener: only what looks like a continuation, or anything


@dataclass(frozen=True)
class Assembly:
    """For each line its block and record (both numbered by their first line), and which blocks were merged."""

    block: pl.Series
    record: pl.Series
    opener: pl.Series  # line that opens each block
    layout: pl.Series  # of each line that opens a block; null for plain lines and continuations
    traceback: pl.Series  # a line that opens a block with a bare traceback


def tagged(layouts: tuple[Layout, ...], tag: str) -> list[int]:
    """Numbers of the layouts with a tag."""
    return [number for number, layout in enumerate(layouts) if tag in layout.tags]


def assemble(lines: pl.DataFrame, heads: pl.DataFrame, layouts: tuple[Layout, ...]) -> Assembly:
    """`lines`: text, layout, stream, first, observed_timestamp, chunk; in the order of the streams' lines."""
    frame = lines.with_columns(i=pl.int_range(pl.len(), dtype=pl.Int64))
    streams = frame["stream"].n_unique() > 1
    if streams:
        frame = frame.sort("stream", "i")
    # A later chunk of a syslog message may be Postgres's DETAIL, and nothing else with a head.
    within = pl.col("chunk").fill_null(False) & ~pl.col("layout").is_in(tagged(layouts, "postgres"))
    frame = frame.with_columns(near=_near(), strong=pl.col("layout").is_not_null() & ~within.fill_null(False))
    csv = tagged(layouts, "csvlog")
    if csv and frame["layout"].is_in(csv).any():
        frame = _inside_quotes(frame, csv)
    weak = tagged(layouts, "weak")
    frame = frame.with_columns(weak=pl.col("strong") & pl.col("layout").is_in(weak).fill_null(False))
    if frame["strong"].all() and not frame["weak"].any():
        opens = pl.Series("opens", [True], dtype=pl.Boolean).new_from_index(0, frame.height)
        frame = frame.with_columns(opens=opens, traceback=pl.lit(False))
    else:
        frame = _opened(frame, heads, layouts)
    frame = _cut_long(frame)
    frame = frame.with_columns(layout=pl.when(pl.col("opens") & pl.col("strong")).then("layout"))
    frame = frame.with_columns(block=pl.col("i").filter("opens").gather(pl.col("opens").cum_sum() - 1))
    frame = _blank_before(frame, csv)
    if streams:
        frame = frame.sort("i")
    blocks = frame.filter(pl.col("block") == pl.col("i")).select("i", "stream", "first", "layout", "text")
    merged = roots(blocks, heads, layouts)
    record = frame["block"]
    if merged is not None:
        rooted = record.to_frame("block").join(merged, on="block", how="left", maintain_order="left")
        record = rooted.select(pl.coalesce("root", "block")).to_series()
    return Assembly(frame["block"], record.alias("record"), blocks["i"], frame["layout"], frame["traceback"])


def _blank_before(frame: pl.DataFrame, csv: list[int]) -> pl.DataFrame:
    """Blank lines that go on with nothing belong to the record behind them: Celery's banner begins with one."""
    blank = ~frame["text"].str.contains(r"\S")
    if not (blank & frame["opens"]).any():
        return frame
    blocks = frame.group_by("block", maintain_order=True).agg(
        pl.col("stream").first(), pl.col("near").first(), ~pl.col("text").str.contains(r"\S").any().alias("blank"),
        pl.col("layout").first().is_in(csv).fill_null(False).alias("closed"),
    )  # fmt: skip
    blocks = blocks.with_columns(chain=(~pl.col("near")).cum_sum())
    target = pl.when(~pl.col("blank")).then(pl.when(~pl.col("closed")).then("block").otherwise(-1))
    blocks = blocks.with_columns(target=target.backward_fill().over("stream", "chain"))
    moved = blocks.filter(pl.col("blank") & (pl.col("target") >= 0)).select("block", "target")
    frame = frame.join(moved, on="block", how="left", maintain_order="left")
    return frame.with_columns(block=pl.coalesce("target", "block")).drop("target")


def _near() -> pl.Expr:
    """Whether the line before in the same stream is near enough, in rows and in time, to be gone on with."""
    same = pl.col("stream") == pl.col("stream").shift(1)
    rows = pl.col("first") - pl.col("first").shift(1) <= MAX_ROWS_BETWEEN
    pause = (pl.col("observed_timestamp") - pl.col("observed_timestamp").shift(1)).dt.total_microseconds() > PAUSE
    return (same & rows).fill_null(False) & ~pause.fill_null(False)


def _inside_quotes(frame: pl.DataFrame, csv: list[int]) -> pl.DataFrame:
    """Inside a quoted csvlog field nothing is a head."""
    head = pl.col("layout").is_in(csv).fill_null(False)
    frame = frame.with_columns(head=head, quotes=pl.col("text").str.count_matches('"', literal=True).cast(pl.Int64))
    frame = frame.with_columns(group=(pl.col("head") | ~pl.col("near")).cum_sum().over("stream"))
    before = (pl.col("quotes").cum_sum() - pl.col("quotes")).over("stream", "group")
    reach = pl.int_range(pl.len()).over("stream", "group") < MAX_LINES  # a quote that never ends ends here
    headed = pl.col("head").first().over("stream", "group")
    inside = headed & (before % 2 == 1) & ~pl.col("head") & reach
    return frame.with_columns(strong=pl.col("strong") & ~inside, quoted=inside).drop("head", "quotes", "group")


def _opened(frame: pl.DataFrame, heads: pl.DataFrame, layouts: tuple[Layout, ...]) -> pl.DataFrame:
    """Add `opens` and `traceback` (sorted by stream).

    A line with a head of its own opens a record, which is all there is to say about most lines of any log. The others
    are judged by the lines since the last one with a head, so that only they and the line before each are looked at.
    """
    free = pl.col("weak") | ~pl.col("strong")  # lines whose place is decided here
    frame = frame.with_columns(
        free=free, row=pl.int_range(pl.len(), dtype=pl.UInt32), run=(~pl.col("near")).cum_sum(), ends=~pl.col("near").shift(-1, fill_value=False)
    )
    some = frame.filter(pl.col("free") | pl.col("free").shift(-1, fill_value=False))
    judged = _judged(some, heads, layouts).select("row", "opens", "strong", "traceback").filter(some["free"])
    return frame.drop("free", "row", "run", "ends").with_columns(
        pl.repeat(True, frame.height, eager=True).scatter(judged["row"], judged["opens"]).alias("opens"),
        frame["strong"].clone().scatter(judged["row"], judged["strong"]).alias("strong"),
        pl.repeat(False, frame.height, eager=True).scatter(judged["row"], judged["traceback"]).alias("traceback"),
    )


def _judged(frame: pl.DataFrame, heads: pl.DataFrame, layouts: tuple[Layout, ...]) -> pl.DataFrame:
    """The lines without a head, each stretch of them behind the line before it, with `opens`, `strong`, `traceback`."""
    single = [number for number, layout in enumerate(layouts) if layout.single]
    text = pl.col("text")
    # Blank lines before a stream's first words are no record that anything could go on with.
    worded = text.str.contains(r"\S").cum_sum() - text.str.contains(r"\S")
    frame = frame.with_columns(worded=worded)
    frame = frame.with_columns(near=pl.col("near") & (pl.col("worded") > pl.col("worded").first().over("run")))
    quoted = pl.col("quoted") if "quoted" in frame.columns else pl.lit(False)
    frame = frame.with_columns(
        traceback=pl.when(pl.col("free") & ~quoted).then(text.str.contains(grammar.TRACEBACK)).otherwise(False),
        raised=pl.when(pl.col("free")).then(text.str.contains(grammar.EXCEPTION)).otherwise(False),
    )
    # An exception's line ends what is above it, unless that is such a line itself: two printed one below the other.
    ends = pl.col("raised") & ~(pl.col("raised").shift(1, fill_value=False) & pl.col("near"))
    frame = frame.with_columns(
        like=pl.when(pl.col("free")).then(text.str.contains(grammar.CONTINUES) | ends | pl.col("chunk").fill_null(False) | quoted)
    )
    anchor = (
        pl.when(~pl.col("free")).then(pl.when(pl.col("layout").is_in(single)).then(_SINGLE).otherwise(_MANY))
        .when(pl.col("traceback")).then(_MANY)
        .when(~pl.col("near")).then(_NONE)
    )  # fmt: skip
    frame = frame.with_columns(anchor=anchor)
    heading = frame["text"].str.contains(grammar.VALIDATION) & frame["free"]
    if heading.any():
        frame = _validation(frame.with_columns(heading=heading))
    stream_opens = pl.col("stream") != pl.col("stream").shift(1, fill_value=-1)
    event = pl.col("anchor").is_not_null() | stream_opens
    frame = frame.with_columns(since=event.cum_sum())
    frame = frame.with_columns(
        mode=pl.col("anchor").forward_fill().over("since").fill_null(_NONE), distance=pl.int_range(pl.len()).over("since")
    )
    many = (pl.col("mode") == _MANY) & (pl.col("distance") < MAX_LINES)
    if frame["traceback"].any():
        frame = _tracebacks(frame, heads, layouts)
    else:
        frame = frame.with_columns(joins=pl.lit(False))
    plain = pl.col("free") & ~pl.col("traceback") & ~many & (~pl.col("like") | (pl.col("weak") & ~quoted))
    forced = (pl.col("mode") == _MANY) & (pl.col("distance") == MAX_LINES)
    opens = (
        ~pl.col("free") | (pl.col("traceback") & ~pl.col("joins")) | plain | ~pl.col("near") | forced
    )
    strong = pl.col("strong") & (~pl.col("weak") | ~many)
    frame = frame.with_columns(opens=opens, strong=strong)
    return frame.with_columns(traceback=pl.col("traceback") & pl.col("opens"))


def _validation(frame: pl.DataFrame) -> pl.DataFrame:
    """Let a bare validation error (`heading`) open a record, and its places, as many as it counts, go on with it."""
    text, near = pl.col("text"), pl.col("near")
    indented = text.str.contains(r"^\s+\S").fill_null(False)
    frame = frame.with_columns(
        part=(pl.col("heading") | ~pl.col("free") | ~near).cum_sum(),
        # Below a frame the exception's line is a traceback's last.
        like=pl.when("heading").then(pl.col("like") & indented.shift(1, fill_value=False)).otherwise("like"),
        place=pl.col("free") & near & text.str.contains(grammar.VALIDATION_PLACE)
        & (pl.col("heading") | indented).shift(1, fill_value=False)
        # A place is one by the line below it. Where none follows yet the next may still come.
        & (pl.col("ends") | ((pl.col("row").shift(-1) == pl.col("row") + 1) & text.shift(-1).str.contains(grammar.VALIDATION_REASON))).fill_null(False),
    )
    known = pl.col("heading") | pl.col("place") | indented
    count = pl.when("heading").then(text.str.extract(grammar.VALIDATION).cast(pl.Int64)).first().over("part")
    own = count.is_not_null() & known.cum_min().over("part") & (pl.col("place").cum_sum().over("part") <= count)
    return frame.with_columns(like=pl.col("like") | (pl.col("place") & own).fill_null(False)).drop("heading", "part", "place")


def _tracebacks(frame: pl.DataFrame, heads: pl.DataFrame, layouts: tuple[Layout, ...]) -> pl.DataFrame:
    """Add `joins`: a traceback that belongs to the record before it."""
    # A line of pairs stands alone, but a logger that writes such lines prints its tracebacks below them.
    pairs = pl.col("layout").first().over("head").is_in(tagged(layouts, "logfmt"))
    words = heads.select(
        i=pl.col("row").cast(pl.Int64),
        ready=(pl.col("number").is_null() | (pl.col("number") >= 13)),
        message="message",
    )
    frame = frame.join(words, on="i", how="left", maintain_order="left")
    text = pl.col("text")
    # The last line with words before this one, in the same stream.
    before = pl.when(text.str.strip_chars() != "").then(text).forward_fill().shift(1).over("stream")
    # Since the last line that opens a record by its own form; a bare traceback does so only if it does not join.
    head = (~pl.col("free") | (pl.col("anchor") == _NONE).fill_null(False) | ~pl.col("near")).cum_sum()
    frame = frame.with_columns(before=before, nth=pl.col("traceback").cum_sum(), head=head)
    announces = pl.col("message").first().over("head").str.contains(grammar.ANNOUNCES).fill_null(False)
    frame = frame.with_columns(
        ready=pl.col("ready").first().over("head").fill_null(True) | announces,
        takes=((pl.col("anchor").first().over("head") == _MANY) | pairs).fill_null(False)
        & (pl.int_range(pl.len()).over("head") < MAX_LINES),
        nth=pl.col("nth") - pl.col("nth").first().over("head"),
    )
    before = pl.col("before")
    # einfo and concurrent.futures quote the traceback of another process between lines of three quotes.
    inner = before.str.contains(grammar.CHAIN) | (before == '"""')
    # A bare traceback is no announcement: what comes behind it is another failure.
    first = pl.col("takes") & (pl.col("nth") == 1) & ~pl.col("traceback").first().over("head") & (pl.col("ready") | before.str.contains(grammar.ANNOUNCES))
    joins = pl.col("traceback") & pl.col("near") & (inner | first).fill_null(False)
    drop = ["ready", "message", "before", "head", "takes", "nth"]
    return frame.with_columns(joins=joins).drop(drop)


def _cut_long(frame: pl.DataFrame) -> pl.DataFrame:
    """Open a record every MAX_LINES lines of one that does not end."""
    if frame.height <= MAX_LINES:
        return frame
    starts = frame["opens"].arg_true().cast(pl.Int64)
    sizes = pl.concat([starts, pl.Series([frame.height])]).diff().drop_nulls()
    if not (sizes > MAX_LINES).any():
        return frame
    index = pl.int_range(pl.len()).over(pl.col("opens").cum_sum())
    again = (index > 0) & (index % MAX_LINES == 0)
    return frame.with_columns(opens=pl.col("opens") | again, strong=pl.col("strong") & ~again)
