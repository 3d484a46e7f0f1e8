"""Blocks that are one record although each has a head: found by process and nearness, not by adjacency."""

from __future__ import annotations

import polars as pl

from triage.parse import grammar
from triage.parse.layout import Layout
from triage.parse.postgres import CONTINUES
from triage.parse.wrappers import MAX_ROWS_BETWEEN

POSTGRES_ROWS = 500  # lines of other processes between a message and its DETAIL; one write carries both as a rule
MERGED = ("postgres", "merge", "task")  # tags of the layouts whose blocks may be merged
LINE_BY_LINE_ROWS = 200  # lines between two lines of one traceback or report
LINE_BY_LINE_TIME = 2_000_000  # µs


def roots(blocks: pl.DataFrame, heads: pl.DataFrame, layouts: tuple[Layout, ...]) -> pl.DataFrame | None:
    """For each block that goes on with another: `block` and `root`, the block it belongs to; None if there is none."""
    present = set(blocks["layout"].drop_nulls().unique())
    found = []
    for tag, joined in zip(MERGED, (_postgres, _same_moment, _redirected), strict=True):
        numbers = [n for n, layout in enumerate(layouts) if tag in layout.tags and n in present]
        if not numbers:
            continue
        own = blocks.filter(pl.col("layout").is_in(numbers)).select(pl.col("i").alias("block"), "stream", "first")
        detail = heads.select(pl.col("row").cast(pl.Int64).alias("block"), "level", "pid", "thread", "local", "message")
        pairs = joined(own.join(detail, on="block", how="left", maintain_order="left"))
        if pairs is not None:
            found.append(pairs)
    return pl.concat(found) if found else None


def _chained(own: pl.DataFrame, key: list[str]) -> pl.DataFrame | None:
    """Blocks with `joins` take the root of the block before them of equal key."""
    if not own["joins"].any():
        return None
    root = pl.when(~pl.col("joins")).then("block").forward_fill().over(key)
    return own.with_columns(root=root).filter("joins").select("block", "root")


def _postgres(own: pl.DataFrame) -> pl.DataFrame | None:
    goes_on = own["level"].is_in(list(CONTINUES))
    if not goes_on.any():
        return None
    key = ["stream", "pid"]
    before = pl.col("first").shift(1).over(key)
    near = (pl.col("first") - before <= POSTGRES_ROWS).fill_null(False)
    return _chained(own.with_columns(joins=goes_on & own.select(near).to_series()), key)


def _same_moment(own: pl.DataFrame) -> pl.DataFrame | None:
    """RabbitMQ since 3.9: the lines of one report have the same microsecond, level and process."""
    key = ["stream", "pid"]
    alike = pl.col("level") == pl.col("level").shift(1).over(key)
    # Without a time only what is no sentence of its own goes on: it is indented, or one of the report's starred lines.
    starred = pl.col("message").str.starts_with("** ") & ~pl.col("message").str.contains(r"^\*\* (?:Generic server|State machine|gen_\w+) ")
    undated = pl.col("local").is_null() & (pl.col("first") - pl.col("first").shift(1).over(key) == 1) & (
        starred | pl.col("message").str.contains(r"^(?:\s|$)") | pl.col("message").shift(1).over(key).str.ends_with(":")
    )
    same = (
        (pl.col("local") == pl.col("local").shift(1).over(key))
        & alike
        & (pl.col("first") - pl.col("first").shift(1).over(key) <= LINE_BY_LINE_ROWS)
        # Milliseconds are too coarse to tell two events of one process apart, unless the first announces more.
        & (
            (pl.col("local").dt.microsecond() % 1000 != 0)
            | pl.col("message").shift(1).over(key).str.ends_with(":").fill_null(False)
        )
    )
    return _chained(own.with_columns(joins=(same | (undated & alike)).fill_null(False)), key)


def _redirected(own: pl.DataFrame) -> pl.DataFrame | None:
    """Celery logs each write to stderr as a WARNING of its own: the lines of a traceback are joined again."""
    own = own.filter(pl.col("level") == "WARNING").with_columns(pl.col("message").fill_null(""))
    part = pl.col("message").str.contains(grammar.REDIRECTED)
    # Up to Celery 5.0 each write lost its indentation: what stands below a place is the source there.
    part = part | pl.col("message").shift(1).over("stream", "thread").str.starts_with('File "').fill_null(False)
    if own.height < 2 or not own.select(part.any()).item():
        return None
    key = ["stream", "thread"]
    near = (
        (pl.col("first") - pl.col("first").shift(1).over(key) <= LINE_BY_LINE_ROWS)
        & ((pl.col("local") - pl.col("local").shift(1).over(key)).dt.total_microseconds().abs() <= LINE_BY_LINE_TIME)
    ).fill_null(False)
    before = pl.col("message").shift(1).over(key)
    opens = pl.col("message").str.contains(grammar.REDIRECT_OPENS) & ~(
        pl.col("message").str.starts_with("Traceback")
        & (before.str.contains(grammar.CHAIN) | before.str.contains(r"^\s*$|^Exception ")).fill_null(False)
    )
    joins = part & near & ~opens
    own = own.with_columns(joins=joins)
    # Only what follows a line that opened a traceback, without another text between.
    run = (~pl.col("joins")).cum_sum().over(key)
    own = own.with_columns(run=run)
    started = pl.col("message").first().over(*key, "run").str.contains(grammar.REDIRECT_OPENS)
    return _chained(own.with_columns(joins=pl.col("joins") & started), key)


assert max(POSTGRES_ROWS, LINE_BY_LINE_ROWS) <= MAX_ROWS_BETWEEN
