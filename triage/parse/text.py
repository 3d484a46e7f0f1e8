"""Cheap cleaning of lines: what terminals, editors and C programs leave in text goes, the words stay.

Clean lines must cost nothing, so each step first looks (at memory speed) whether any line needs it.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

# CSI and OSC sequences, two-character escapes, and the colour codes whose escape byte was lost as U+FFFD.
ANSI = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_]|[()][A-Z0-9])"


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
    return pl.concat([series, changed]).gather(index)


def clean(text: pl.Series) -> pl.Series:
    """Lines without ANSI sequences, carriage returns, NUL bytes and byte order marks."""
    dirty = text.str.contains("[\\x1b\\r\\x00\\x{feff}]").fill_null(False)
    return apply_where(text, dirty, _clean)


def _clean(text: pl.Series) -> pl.Series:
    text = text.str.replace_all("[\\x00\\x{feff}]", "").str.replace_all(ANSI, "").str.strip_chars_end("\r")
    # A progress bar rewrites its line with bare carriage returns: what was last on screen stays after it.
    return text.str.replace_all("\r", "\n", literal=True) if text.str.contains("\r", literal=True).any() else text
