"""Batches from blocks of bytes: the lines' columns, the cursor behind each line, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from triage.collect.decode import cut, newline_of
from triage.collect.origins import TAIL, FileCursor, Place, tail_hash
from triage.schema import LINES, TIMESTAMP, Batch, Resource


@dataclass(slots=True)
class BatchMaker:
    """Makes the batches of one origin, block after block; remembers where it stands."""

    origin: str
    resource: Resource
    log_iostream: str | None
    encoding: str
    offset: int  # behind the last block
    before: bytes  # the TAIL bytes in front of it

    def batch(self, start: int, block: bytes, *, final: bool) -> Batch:
        """The batch of a block that begins at byte `start`."""
        lines = cut(block, start, self.encoding)
        cursor = FileCursor(self.origin, start, block, self.before, lines.starts)
        self.before = (self.before + block[-TAIL:])[-TAIL:]
        self.offset = start + len(block)
        return Batch(
            self.origin, self.resource, self._frame(lines.text, lines.starts), cursor, final, lines.undecodable
        )

    @property
    def stand(self) -> tuple[int, int]:
        """Offset and tail hash behind all that was handed out."""
        return self.offset, tail_hash(self.before)

    def _frame(self, text: pl.Series, starts: pl.Series) -> pl.DataFrame:
        return pl.DataFrame([text, starts]).select(
            "text",
            "position",
            seq=pl.lit(0, pl.Int32),
            observed_timestamp=pl.lit(None, TIMESTAMP),
            log_iostream=pl.lit(self.log_iostream, pl.String),
            service_name=pl.lit(None, pl.String),
            container_name=pl.lit(None, pl.String),
        )


def start_at(
    place: Place, before: bytes, first: bytes, encoding: str, name: str
) -> tuple[int, bytes, bytes, tuple[str, ...]]:
    """Offset, bytes before it, first chunk and notes for reading on, also where a line had been stored unfinished."""
    newline = newline_of(encoding)
    if place.shortened:
        note = f"{name}: longer content with the same beginning is stored; this is read as a new file"
        return place.offset, before, first, (note,)
    if not before or before.endswith(newline) or not first:
        return place.offset, before, first, ()
    for end in ("\r\n".encode(encoding), newline):
        if first.startswith(end):  # the line was whole, only its newline was missing
            return place.offset + len(end), (before + end)[-TAIL:], first[len(end) :], ()
    note = f"{name}: the line before byte {place.offset:,} was stored before it was complete; its rest is the next line"
    return place.offset, before, first, (note,)


def no_lines(origin: str, resource: Resource, *notes: str) -> Batch:
    """A batch that only says something: that its origin is quiet, or a note."""
    return Batch(origin, resource, pl.DataFrame(schema=LINES), _nothing, final=True, notes=notes)


def with_notes(batch: Batch, notes: tuple[str, ...], *, final: bool | None = None) -> Batch:
    """The batch with further notes, and marked final where that is known only later."""
    return replace(batch, notes=batch.notes + notes, final=batch.final if final is None else final)


def _nothing(lines: int) -> Mapping[str, int]:
    raise ValueError(f"{lines} of 0 lines")
