"""Which layout each line is a head of, without options and line by line.

The result never depends on the neighbours: what was seen before only decides which layouts of a tier are asked first.
Lines that are already claimed are not asked again, so an even log costs one test a line, and one alternation of all
other layouts for the rest.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import groupby

import polars as pl

from triage.parse.layout import Layout, ascii_classes

# No layout starts with white space but Celery's banner and Postgres behind an empty field; most lines of tracebacks go here at the cost of one byte.
MAY_OPEN = r"^(?:[^\s]| \d{4}-\d\d-\d\d \d\d:| -{6,} | - - \[| \S+ - \[| sql_error_code = | {10,40}(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) )"


@cache
def _alternation(tests: tuple[str, ...]) -> str:
    return "|".join(f"(?:{test})" for test in tests)


@cache
def _seen(layouts: tuple[Layout, ...]) -> Counter[int]:
    """How many lines each layout has claimed in this run: to compile a regex costs more than to run it on a batch."""
    return Counter()


def detect(text: pl.Series, layouts: tuple[Layout, ...]) -> pl.Series:
    """For each line the index of its layout, or null for a line that opens no record."""
    rest = pl.DataFrame({"row": pl.int_range(text.len(), eager=True, dtype=pl.UInt32), "text": text})
    rest = rest.filter(pl.col("text").str.contains(MAY_OPEN))
    found: list[pl.DataFrame] = []
    seen = _seen(layouts)
    numbered = list(enumerate(layouts))
    for _, group in groupby(numbered, key=lambda pair: pair[1].tier):
        if rest.is_empty():
            break
        rest = _tier(rest, list(group), found, seen)
    if not found:
        return pl.Series("layout", [None], dtype=pl.Int16).new_from_index(0, text.len())
    claimed = pl.concat(found, rechunk=True)
    if claimed.height == text.len() and claimed["layout"].n_unique() == 1:
        return claimed["layout"]
    rows = pl.DataFrame({"row": pl.int_range(text.len(), eager=True, dtype=pl.UInt32)})
    return rows.join(claimed, on="row", how="left", maintain_order="left")["layout"]


def _tier(rest: pl.DataFrame, group: list[tuple[int, Layout]], found: list[pl.DataFrame], seen: Counter[int]) -> pl.DataFrame:
    hot = sorted((pair for pair in group if seen[pair[0]]), key=lambda pair: -seen[pair[0]])
    cold = [pair for pair in group if not seen[pair[0]]]
    for number, layout in hot:
        rest = _claim(rest, number, layout, found, seen)
        if rest.is_empty():
            return rest
    if cold:
        any_cold = rest["text"].str.contains(_alternation(tuple(layout.test for _, layout in cold)))
        if any_cold.any():
            few = rest.filter(any_cold)
            rest = rest.filter(~any_cold)
            for number, layout in cold:
                if few.is_empty():
                    break
                few = _claim(few, number, layout, found, seen)
            rest = pl.concat([rest, few], rechunk=True).sort("row") if few.height else rest
    return rest


def _claim(
    rest: pl.DataFrame, number: int, layout: Layout, found: list[pl.DataFrame], seen: Counter[int]
) -> pl.DataFrame:
    mask = rest["text"].str.contains(layout.test)
    if layout.unless and mask.any():
        mask = mask & ~rest["text"].str.contains(ascii_classes(layout.unless))
    if not mask.any():
        return rest
    seen[number] += int(mask.sum())
    found.append(rest.filter(mask).select("row", layout=pl.lit(number, pl.Int16)))
    return rest.filter(~mask)
