"""Cheap cleaning of lines: what terminals, editors and C programs leave in text goes, the words stay.

Clean lines must cost nothing, so each step first looks (at memory speed) whether any line needs it.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

# CSI and OSC sequences, and two-character escapes.
ANSI = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_]|[()][A-Z0-9])"

# Colours whose escape byte was lost or written out on the way, as in most logs that were pasted somewhere.
_WRITTEN = r"(?:\x{fffd}|\x{241b}|\^\[|\\u001[bB]|\\x1[bB]|\\033|\\e)\[[0-9;]*m"
_BARE = r"\[[0-9]{1,3}(?:;[0-9]{1,3})*m([^\]]|$)"  # PromQL's [1m] is none
_RESET = r"\[(?:0|22|39)m(?:[^\]]|$)"  # a line with bare codes ends one
_DIRTY = rf"[\x1b\r\x00\x{{feff}}]|{_WRITTEN}|{_RESET}"


def apply_where(series: pl.Series, mask: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """`change` applied to the masked values only; the others are not touched or copied."""
    if not mask.any():
        return series
    if mask.all():
        return change(series)
    changed = change(series.filter(mask))
    at = mask.cast(pl.Int64).cum_sum() + (series.len() - 1)
    own = pl.int_range(series.len(), eager=True)
    index = pl.select(pl.when(mask).then(at).otherwise(own)).to_series()
    return pl.concat([series, changed], rechunk=True).gather(index)


def contains_where(text: pl.Series, where: pl.Series, regex: str) -> pl.Series:
    """Whether a text matches, asked only where it matters: false elsewhere, and for null."""
    rows = where.arg_true()
    found = text.gather(rows).str.contains(regex).fill_null(False)
    return pl.repeat(False, text.len(), eager=True).scatter(rows, found)


def clean(text: pl.Series) -> pl.Series:
    """Lines without ANSI sequences, carriage returns, NUL bytes and byte order marks."""
    dirty = text.str.contains(_DIRTY).fill_null(False)
    return apply_where(text, dirty, _clean)


def _without_bare(text: pl.Series) -> pl.Series:
    # What follows a code may be the next one's bracket: twice.
    return text.str.replace_all(_BARE, "$1").str.replace_all(_BARE, "$1")


def _clean(text: pl.Series) -> pl.Series:
    text = text.str.replace_all("[\\x00\\x{feff}]", "").str.replace_all(ANSI, "").str.strip_chars_end("\r")
    text = text.str.replace_all(_WRITTEN, "")
    text = apply_where(text, text.str.contains(_RESET), _without_bare)
    # A progress bar rewrites its line with bare carriage returns: what was last on screen stays after it.
    return text.str.replace_all("\r", "\n", literal=True) if text.str.contains("\r", literal=True).any() else text
