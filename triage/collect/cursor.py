"""How far a container's log is stored: a place in a sequence that has no offsets and whose stamps may repeat or fall.

The cursor is an anchor, a stamp, and how many lines from the first line with that stamp on are stored. It is committed
as the transactions `docker:<id>` (the stamp in nanoseconds), `…#n` (the count) and `…#low` (the lowest stamp that must
be asked for so that no line which belongs behind the anchor is filtered away: engines before 23 filter each line by
`since`, later ones only up to the first hit).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from triage.collect.origins import CursorLookup

SLACK_NS = 2_000_000_000  # two streams are written by two threads of the engine: their stamps may cross by this much
_JUMP_NS = 10_000_000_000  # a stamp this far behind its forerunners means that the clock was set back
_RECENT_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything up to `count` lines from the first line stamped `stamp` on is stored; count 0 is the very start."""

    stamp: int
    count: int
    low: int

    @classmethod
    def load(cls, origin: str, known: CursorLookup) -> Cursor | None:
        """The committed cursor of an origin."""
        stamp = known(origin)
        if stamp is None:
            return None
        low = known(f"{origin}#low")
        return cls(stamp, known(f"{origin}#n") or 1, stamp if low is None else low)

    def transactions(self, origin: str) -> dict[str, int]:
        """What to commit."""
        return {origin: self.stamp, f"{origin}#n": self.count, f"{origin}#low": self.low}

    @property
    def since(self) -> int:
        """From which stamp to ask so that the anchor and all that belongs behind it is in the answer."""
        return max(0, min(self.stamp - SLACK_NS, self.low))


def advance(cursor: Cursor | None, stamps: pl.Series) -> Cursor | None:
    """The cursor after further lines. The anchor is the greatest stamp since the clock was last set back."""
    while len(stamps):
        if stamps.is_sorted() and (cursor is None or int(stamps[0]) > cursor.stamp):
            return Cursor(int(stamps[-1]), int((stamps == stamps[-1]).sum()), int(stamps[-1]))
        top = stamps.cum_max() if cursor is None else stamps.cum_max().clip(lower_bound=cursor.stamp)
        falls = (stamps < top - _JUMP_NS).arg_true()
        end = int(falls[0]) if len(falls) else len(stamps)
        if end:
            cursor = _within(cursor, stamps.head(end))
        if end < len(stamps):
            fallen = int(stamps[end])
            cursor = Cursor(fallen, 1, fallen)
            end += 1
        stamps = stamps.slice(end)
    return cursor


def _within(cursor: Cursor | None, stamps: pl.Series) -> Cursor:
    top, first = stamps.max(), stamps.arg_max()
    assert isinstance(top, int)
    assert first is not None
    if cursor is None or top > cursor.stamp:
        first = int((stamps == top).arg_true()[0])
        low = stamps.slice(first).min()
        assert isinstance(low, int)
        return Cursor(top, len(stamps) - first, low)
    low = stamps.min()
    assert isinstance(low, int)
    return replace(cursor, count=cursor.count + len(stamps), low=min(cursor.low, low))


@dataclass(frozen=True, slots=True)
class LogCursor:
    """What to commit after the first n lines of a batch."""

    origin: str
    before: Cursor | None
    stamps: pl.Series
    open_stamp: int | None  # of a line whose end has not come yet

    def __call__(self, lines: int) -> dict[str, int]:
        if not 0 < lines <= len(self.stamps):
            raise ValueError(f"{lines} of {len(self.stamps)} lines")
        after = advance(self.before, self.stamps.head(lines))
        assert after is not None
        low = after.low
        for waiting in (self.stamps.slice(lines).min(), self.open_stamp):
            low = min(low, waiting) if isinstance(waiting, int) else low
        return replace(after, low=low).transactions(self.origin)


class Occurrences:
    """Numbers lines of equal stamp, over the answers' parts."""

    def __init__(self) -> None:
        self._recent = pl.Series("position", [], dtype=pl.Int64)
        self._top = -1

    def number(self, stamps: pl.Series) -> pl.Series:
        """The occurrence number of each line among lines of its stamp."""
        if not len(stamps):
            return pl.Series("seq", [], dtype=pl.Int32)
        if int(stamps[0]) > self._top and (stamps.head(len(stamps) - 1) < stamps.tail(len(stamps) - 1)).all():
            seq = pl.Series([0], dtype=pl.Int32).new_from_index(0, len(stamps))
        else:
            before = self._recent.value_counts(name="before")
            frame = pl.DataFrame({"position": stamps}).join(before, "position", "left", maintain_order="left")
            within = pl.int_range(pl.len()).over("position") + pl.col("before").fill_null(0)
            seq = frame.select(within.cast(pl.Int32)).to_series()
        top = stamps.max()
        assert isinstance(top, int)
        self._top = max(self._top, top)
        recent = pl.concat([self._recent, stamps.alias("position")])
        self._recent = recent.filter(recent >= int(stamps[-1]) - _RECENT_NS)
        return seq.alias("seq")
