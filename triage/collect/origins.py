"""Which file is this, and how much of it is stored already: identity by content, so that it survives renaming.

The origin of a file is `file:<n>:<hash of its first n bytes>` after decompression, n the largest power of two that
fits, at most HEAD. Its transaction holds the byte offset up to which lines are stored, `<origin>#tail` a hash of the
bytes before that offset. A file continues an origin when it still has those bytes at that offset: growth, rotation
(`app.log` to `app.log.1.gz`) and copies are recognised. Another file with the same head gets the suffix `~1`, `~2`, …
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import polars as pl

HEAD = 4096
TAIL = 256

# Transaction id to committed version, or None: the lake's `version_of`.
CursorLookup = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class Mark:
    """What a file shows at an offset: the hash of the bytes before it and whether the file ends there."""

    tail: int
    at_end: bool


# Looks at a file at the given offsets; an offset beyond the end is missing from the answer.
Look = Callable[[Sequence[int]], Mapping[int, Mark]]


@dataclass(frozen=True, slots=True)
class Place:
    """An origin and the offset from which its lines are new."""

    origin: str
    offset: int
    shortened: bool = False  # more than this file holds was stored under the same head: a new file, or a cut one
    repeated: bool = False  # the whole content was already read in this run, under another name


@dataclass(slots=True)
class Places:
    """Finds the places of files, for one run.

    `taken` remembers what this run has read but perhaps not committed: two files that are read in one run are two
    origins unless their contents are equal, however alike they begin.
    """

    known: CursorLookup
    taken: dict[str, tuple[int, int]] = field(default_factory=dict)

    def find(self, head: bytes, look: Look) -> Place:
        """The place of the file with this head."""
        largest = 1 << (len(head).bit_length() - 1)
        options: list[tuple[str, int, int | None]] = []
        free = ""
        while largest:
            base = f"file:{largest}:{blake2b(head[:largest], digest_size=16).hexdigest()}"
            unused = self._collect(base, options)
            free = free or unused
            largest //= 2
        marks = look([offset for _, offset, _ in options]) if options else {}
        best = Place(free, 0, shortened=bool(options) and not marks)
        for origin, offset, tail in options:
            mark = marks.get(offset)
            if mark is None or mark.tail != tail or offset <= best.offset:
                continue
            if origin not in self.taken:
                best = Place(origin, offset)
            elif mark.at_end:
                best = Place(origin, offset, repeated=True)
        return best

    def _collect(self, base: str, options: list[tuple[str, int, int | None]]) -> str:
        """Add what is known under a head, and give the first id that is free."""
        origin, number = base, 0
        while True:
            stored = self.taken.get(origin)
            if stored is not None:
                options.append((origin, *stored))
            elif (offset := self.known(origin)) is not None:
                options.append((origin, offset, self.known(f"{origin}#tail")))
            else:
                return origin
            number += 1
            origin = f"{base}~{number}"


def tail_hash(before: bytes) -> int:
    """A positive 63-bit hash of the last TAIL bytes."""
    return int.from_bytes(blake2b(before[-TAIL:], digest_size=8).digest(), "big") >> 1


@dataclass(frozen=True, slots=True)
class FileCursor:
    """What to commit after the first n lines of a block."""

    origin: str
    start: int  # offset of the block
    block: bytes
    before: bytes  # the TAIL bytes in front of the block
    starts: pl.Series

    def __call__(self, lines: int) -> dict[str, int]:
        if not 0 < lines <= len(self.starts):
            raise ValueError(f"{lines} of {len(self.starts)} lines")
        end = int(self.starts[lines]) - self.start if lines < len(self.starts) else len(self.block)
        tail = self.block[max(0, end - TAIL) : end]
        if end < TAIL:
            tail = (self.before + tail)[-TAIL:]
        return {self.origin: self.start + end, f"{self.origin}#tail": tail_hash(tail)}
