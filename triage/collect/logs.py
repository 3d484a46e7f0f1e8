"""The new lines of one container, found again from its cursor whatever the engine did in between.

A known container is asked for its last lines first: that costs what is new, not what the log holds, and is free of
the engine's filtering by stamp. When the anchor is not among them the log is read from the cursor's stamp on; when it
is not there either, rotation has deleted it and the gap is said with its bounds.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

import polars as pl

from triage.collect.batches import no_lines
from triage.collect.continued import Ending
from triage.collect.cursor import SLACK_NS, Cursor, LogCursor, Occurrences, advance
from triage.collect.frames import Frames
from triage.errors import UnavailableError
from triage.schema import TIMESTAMP, Batch, Gap, Resource

_TAILS = (128, 512, 8192, 65536)
_TAIL_BYTES = 64 << 20  # a longer answer is read as a stream instead
_MARGIN = 64  # lines in front of the anchor that prove it to be the first line of its stamp
BATCH_BYTES = 16 << 20


class Answers(Protocol):
    """The engine, as far as reading one container's log needs it; `answered`: when its last answer began, by its clock."""

    answered: int

    def log(self, tail: int | None, since: int | None, until: int | None) -> Iterator[bytes]: ...

    def clock(self) -> int: ...


@dataclass(slots=True)
class Log:
    """Reads one container's log; `cursor` stands behind the last line that was handed out."""

    origin: str
    resource: Resource
    answers: Answers
    tty: bool
    stopped: bool  # no more can come: the rest of a line is its end
    cursor: Cursor | None = None
    until: int | None = None
    since: int | None = None
    expected: int = 0  # new lines last time
    notes: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    _ending: tuple[Cursor | None, Ending | None] = (None, None)  # how the last answer ended, and the cursor behind it

    def new(self) -> Iterator[Batch]:
        """The lines behind the cursor; the last batch is final."""
        ready: tuple[Batch, Cursor | None] | None = None
        place = self.cursor
        for rows, frames in self._parts():
            if ready:
                # Only now: what an error keeps from being handed out must be read again.
                self.cursor = ready[1]
                yield ready[0]
            batch = self._batch(rows, frames, place)
            place = advance(place, rows["position"])
            ready = batch, place
        if ready:
            self.cursor = place
            yield self._said(replace(ready[0], final=True))
        elif self.notes:
            yield self._said(no_lines(self.origin, self.resource))

    @property
    def silent_s(self) -> float:
        """For how long no line had come when the engine last answered, by its own clock."""
        return (self.answers.answered - self.cursor.stamp) / 10**9 if self.cursor else 0.0

    def _parts(self) -> Iterator[tuple[pl.DataFrame, Frames]]:
        if self.cursor is None:
            yield from self._gather(self._stream(self.since, Occurrences()))
            return
        found = self._from_tail(self.cursor)
        if found is not None:
            rows, frames, ending = found
            self.expected = rows.height
            self._ending = advance(self.cursor, rows["position"]), ending
            rows = self._wanted(rows, self.cursor)
            if rows.height:
                yield rows, frames
            return
        yield from self._gather(self._from_since(self.cursor))

    def _wanted(self, rows: pl.DataFrame, cursor: Cursor) -> pl.DataFrame:
        """Only what lies between the bounds that were asked for; the engine applies them to streams itself."""
        if self.until is not None:
            beyond = (rows["position"] > self.until).arg_true()
            rows = rows.head(int(beyond[0])) if len(beyond) else rows
        if self.since is not None and self.since > cursor.stamp and rows.height:
            inside = (rows["position"] >= self.since).arg_true()
            start = int(inside[0]) if len(inside) else rows.height
            if start:
                self.notes.append(f"{self._name}: {start:,} uncollected lines before the given start were left out")
            rows = rows.slice(start)
        return rows

    # From the end of the log

    def _from_tail(self, cursor: Cursor) -> tuple[pl.DataFrame, Frames, Ending | None] | None:
        behind, ending = self._ending
        for tail in _TAILS:
            if tail < 2 * self.expected + cursor.count + _MARGIN and tail != _TAILS[-1]:
                continue
            parts, size = [], 0
            for data in self.answers.log(tail, None, None):
                size += len(data)
                if size > _TAIL_BYTES:
                    return None
                parts.append(data)
            answer, frames = b"".join(parts), Frames(tty=self.tty)
            if behind == cursor and ending and (found := ending.behind(answer, tail)):
                return found[0], frames, found[1]
            numbers = Occurrences()
            rows = pl.concat([*map(frames.feed, parts), frames.finish(stopped=self.stopped)])
            rows = rows.with_columns(numbers.number(rows["position"]))
            start = _behind_anchor(rows, cursor, complete=frames.pieces < tail, first=frames.first_stamp)
            if start is not None:
                plain = not self.tty and frames.open_stamp is None
                return rows.slice(start), frames, Ending.of(answer, numbers) if plain else None
            if frames.pieces < tail:
                return None
        return None

    # From a stamp on

    def _from_since(self, cursor: Cursor) -> Iterator[tuple[pl.DataFrame, Frames]]:
        # A clock that was set back has stamped the newest lines below the cursor.
        since = 0 if self.answers.clock() < cursor.stamp - SLACK_NS else cursor.since
        if self.since is not None and self.since > cursor.stamp:
            yield from self._stream(self.since, Occurrences())
            return
        skip: int | None = None
        with closing(self._stream(since, Occurrences())) as scan:
            found = any((rows["position"] == cursor.stamp).any() for rows, _ in scan)
        for rows, frames in self._stream(since, Occurrences()):
            if skip is None and found:
                anchor = (rows["position"] == cursor.stamp).arg_true()
                if not len(anchor):
                    continue
                skip = int(anchor[0]) + cursor.count
            elif skip is None:
                if (rows["position"] == cursor.stamp).any():
                    raise UnavailableError("the engine's first answer was cut short", self._name)
                skip = _stored_behind_gap(rows["position"], cursor)
                self._gap(cursor.stamp, int(rows["position"][0]))
            taken = min(skip, rows.height)
            skip -= taken
            if taken < rows.height:
                yield rows.slice(taken), frames

    def _stream(self, since: int | None, numbers: Occurrences) -> Generator[tuple[pl.DataFrame, Frames]]:
        frames = Frames(tty=self.tty)
        for data in self.answers.log(None, since, self.until):
            rows = frames.feed(data)
            if rows.height:
                yield rows.with_columns(numbers.number(rows["position"])), frames
        rows = frames.finish(stopped=self.stopped)
        if rows.height:
            yield rows.with_columns(numbers.number(rows["position"])), frames
        self.notes += [f"{self._name}: the engine says: {error}" for error in frames.errors]

    def _gather(self, parts: Iterator[tuple[pl.DataFrame, Frames]]) -> Iterator[tuple[pl.DataFrame, Frames]]:
        """Parts of about BATCH_BYTES."""
        kept: list[pl.DataFrame] = []
        size = 0
        frames: Frames | None = None
        for rows, frames in parts:
            kept.append(rows)
            size += int(rows.estimated_size())
            if size >= BATCH_BYTES:
                yield pl.concat(kept), frames
                kept, size = [], 0
        if kept and frames:
            yield pl.concat(kept), frames

    # What is handed out

    def _batch(self, rows: pl.DataFrame, frames: Frames, place: Cursor | None) -> Batch:
        cursor = LogCursor(self.origin, place, rows["position"], frames.open_stamp)
        if frames.split_characters:
            self.notes.append(
                f"{self._name}: {frames.split_characters} characters at 16 KiB borders were already damaged by the engine"
            )
            frames.split_characters = 0
        undecodable, frames.undecodable = frames.undecodable, 0
        return self._said(Batch(self.origin, self.resource, _lines(rows), cursor, final=False, undecodable=undecodable))

    @property
    def _name(self) -> str:
        return self.resource.container_name or self.resource.service_name

    def _gap(self, stamp: int, first: int) -> None:
        reason = (
            f"gap: {self._name}: the engine deleted lines between {shown_time(stamp)} and {shown_time(first)}"
            " before they were collected (log rotation: raise max-size or max-file, or collect more often)"
        )
        self.notes.append(reason)
        self.gaps.append(Gap(_moment(stamp), _moment(first), reason))

    def _said(self, batch: Batch) -> Batch:
        """The batch with what is to be told by now."""
        notes, gaps = batch.notes + tuple(self.notes), batch.gaps + tuple(self.gaps)
        self.notes.clear()
        self.gaps.clear()
        return replace(batch, notes=notes, gaps=gaps)


def shown_time(stamp: int) -> str:
    """A nanosecond stamp as RFC 3339."""
    return f"{datetime.fromtimestamp(stamp // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{stamp % 10**9:09d}Z"


def _moment(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp // 10**9, UTC).replace(microsecond=stamp % 10**9 // 1000)


def _lines(rows: pl.DataFrame) -> pl.DataFrame:
    # By columns: hundreds of containers give a few rows each, for which a query would cost more than all else.
    observed = rows["position"].cast(pl.Datetime("ns", "UTC")).cast(TIMESTAMP)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)
    return pl.DataFrame({
        "text": rows["text"], "position": rows["position"], "seq": rows["seq"], "observed_timestamp": observed,
        "log_iostream": rows["log_iostream"], "service_name": nothing, "container_name": nothing,
    })  # fmt: skip


def _behind_anchor(rows: pl.DataFrame, cursor: Cursor, *, complete: bool, first: int | None) -> int | None:
    """The row from which lines are new, or None when this part of the log cannot tell for certain."""
    anchors = (rows["position"] == cursor.stamp).arg_true()
    if not len(anchors):
        return None
    anchor = int(anchors[0])
    start = anchor + cursor.count
    if complete:
        return min(start, rows.height)
    if anchor < _MARGIN or first is None:
        return None
    # The part may begin inside a long line: then the first row of that stream is a torso.
    heads = rows.with_row_index("row").group_by("log_iostream").agg(pl.col("row").first(), pl.col("position").first())
    torso = heads.filter((pl.col("row") >= start) & (pl.col("position") <= first + SLACK_NS))
    return None if torso.height else min(start, rows.height)


def _stored_behind_gap(stamps: pl.Series, cursor: Cursor) -> int:
    """Rows at the front that are stored although the anchor is gone: they followed it with no later stamp."""
    later = (stamps > cursor.stamp).arg_true()
    return min(cursor.count - 1, int(later[0]) if len(later) else len(stamps))
