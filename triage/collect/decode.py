"""Bytes to lines: blocks that end at a newline, then columns of text and byte offsets.

No line is visited by Python unless its bytes are invalid or it is longer than MAX_LINE. Nothing is dropped: invalid
bytes become U+FFFD and are counted, NUL and lone CR stay in the text, a line over MAX_LINE comes in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import polars as pl
import pyarrow as pa

MAX_LINE = 16 << 20  # bytes of one piece of a line; cut at the same places however the bytes arrive
_SLACK = 2  # a line of exactly MAX_LINE may still have its CR and LF
_FEW = 64  # rows that are decoded one by one
_BOMS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_UTF8_BOM = b"\xef\xbb\xbf"


def encoding_of(head: bytes) -> str:
    """The encoding that the first bytes of a file announce, or UTF-16 where every second one is NUL; else UTF-8."""
    marked = _BOMS.get(head[:2])
    if marked:
        return marked
    some = head[:1024]
    half = len(some) // 2
    if half >= 8 and abs(some.count(0) - half) <= half // 4:
        odd = some[1::2].count(0)
        if odd > half * 3 // 4:
            return "utf-16-le"
        if odd < half // 4:
            return "utf-16-be"
    return "utf-8"


def newline_of(encoding: str) -> bytes:
    """The bytes of one newline."""
    return "\n".encode(encoding)


class Blocks:
    """Gathers chunks and gives back blocks of whole lines; what follows the last newline waits for more.

    Only the newest chunk is searched and the waiting pieces are joined once, so a line of many MB costs linear time.
    """

    def __init__(self, offset: int, encoding: str = "utf-8") -> None:
        self.offset = offset  # of the first byte that has not been given out
        self.encoding = encoding
        self._newline = newline_of(encoding)
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def waiting(self) -> int:
        """Bytes that have been fed and not been given out."""
        return self._size

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        """Blocks (offset, bytes) that are complete after this chunk."""
        end = self._last_newline(chunk)
        if end:
            self._pieces.append(chunk[:end])
            self._size += end
            yield self._take()
        if end < len(chunk):
            self._pieces.append(chunk[end:])
            self._size += len(chunk) - end
        if self._size > MAX_LINE + _SLACK:
            yield from self._take_long()

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """The bytes after the last newline, when no more will come."""
        if self._size:
            yield self._take()

    def _take(self) -> tuple[int, bytes]:
        block, start = b"".join(self._pieces), self.offset
        self.offset += len(block)
        self._pieces, self._size = [], 0
        return start, block

    def _take_long(self) -> Iterator[tuple[int, bytes]]:
        start, block = self._take()
        cuts = _long_cuts(block, 0, len(block), self.encoding)
        for low, high in pairwise([0, *cuts]):
            yield start + low, block[low:high]
        left = block[cuts[-1] :]
        self.offset = start + cuts[-1]
        self._pieces, self._size = [left], len(left)

    def _last_newline(self, chunk: bytes) -> int:
        width = len(self._newline)
        at = chunk.rfind(self._newline)
        # In UTF-16 the two bytes may also be halves of neighbouring characters.
        while at >= 0 and (self.offset + self._size + at) % width:
            at = chunk.rfind(self._newline, 0, at + width - 1)
        return at + width if at >= 0 else 0


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one block: text without newline, byte offset of each start, and how many were not decodable."""

    text: pl.Series
    starts: pl.Series
    undecodable: int


def cut(block: bytes, start: int, encoding: str = "utf-8") -> Lines:
    """The lines of a block that begins at byte `start` of its file."""
    bounds = _bounds(block, encoding)
    starts = bounds.head(len(bounds) - 1) + start
    if encoding == "utf-8":
        text, bad = _decode(block, bounds)
    else:
        # Transcode the block, not each line: invalid halves become U+FFFD, newlines stay as many as they were.
        clean = block.decode(encoding, "replace").encode("utf-8", "replace")
        text, _ = _decode(clean, _bounds(clean, "utf-8", len(bounds) - 1))
        bad = int(text.str.contains("�", literal=True).sum()) if "�".encode() in clean else 0
    text = text.str.strip_suffix("\n").str.strip_suffix("\r")
    if start == 0 and len(text) and (block[:2] in _BOMS or block[:3] == _UTF8_BOM):
        text = text.scatter(0, text[0].removeprefix("\ufeff"))
    return Lines(text.alias("text"), starts.alias("position"), bad)


def binary_column(data: bytes, bounds: pl.Series) -> pl.Series:
    """One binary value between each two neighbouring bounds, without copying the bytes."""
    offsets = bounds.cast(pl.Int64).rechunk().to_arrow().buffers()[1]
    array = pa.Array.from_buffers(pa.large_binary(), len(bounds) - 1, [None, offsets, pa.py_buffer(data)])
    column = pl.from_arrow(array)
    assert isinstance(column, pl.Series)
    return column


def text_column(raw: pl.Series) -> tuple[pl.Series, int]:
    """Decode a binary column as UTF-8; rows with invalid bytes get U+FFFD for them and are counted."""
    try:
        return raw.cast(pl.String), 0
    except pl.exceptions.ComputeError:
        if len(raw) > _FEW:  # narrow it down, so that only the neighbours of an invalid row are visited one by one
            step = max(_FEW, len(raw) // 16)
            parts = [text_column(raw.slice(low, step)) for low in range(0, len(raw), step)]
            return pl.concat([text for text, _ in parts]), sum(bad for _, bad in parts)
    values = [value.decode("utf-8", "replace") for value in raw]
    bad = sum(text.encode() != value for text, value in zip(values, raw, strict=True))
    return pl.Series(raw.name, values, dtype=pl.String), bad


def byte_column(data: bytes) -> pl.Series:
    """The bytes as a column of numbers, without copying."""
    column = pl.from_arrow(pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)]))
    assert isinstance(column, pl.Series)
    return column


def _decode(block: bytes, bounds: pl.Series) -> tuple[pl.Series, int]:
    return text_column(binary_column(block, bounds))


def _bounds(block: bytes, encoding: str, expected: int | None = None) -> pl.Series:
    """Where lines begin, and the end of the block; `expected` skips the search for long lines after transcoding."""
    ends = _newlines(block, encoding)
    if not len(ends) or ends[-1] != len(block):
        ends = ends.append(pl.Series([len(block)], dtype=pl.Int64))
    bounds = pl.concat([pl.Series([0], dtype=pl.Int64), ends])
    lengths = ends - bounds.head(len(ends))
    longest = lengths.max()
    if expected is None and isinstance(longest, int) and longest > MAX_LINE + _SLACK:
        extra: list[int] = []
        for row in (lengths > MAX_LINE + _SLACK).arg_true():
            extra += _long_cuts(block, bounds[row], bounds[row + 1], encoding)
        bounds = pl.concat([bounds, pl.Series(extra, dtype=pl.Int64)]).sort()
    return bounds


def _newlines(block: bytes, encoding: str) -> pl.Series:
    """Offsets just behind each newline."""
    if encoding == "utf-8":
        return (byte_column(block) == 10).arg_true().cast(pl.Int64) + 1
    even = len(block) // 2 * 2
    units = pl.from_arrow(pa.Array.from_buffers(pa.uint16(), even // 2, [None, pa.py_buffer(block)]))
    assert isinstance(units, pl.Series)
    code = 0x000A if encoding == "utf-16-le" else 0x0A00
    return (units == code).arg_true().cast(pl.Int64) * 2 + 2


def _long_cuts(block: bytes, low: int, high: int, encoding: str) -> list[int]:
    """Where to cut a line that is too long: every MAX_LINE bytes, never inside a character."""
    cuts = []
    while high - low > MAX_LINE + _SLACK:
        low += MAX_LINE
        if encoding == "utf-8":
            back = next((n for n in range(4) if block[low - n] & 0xC0 != 0x80), 0)
            low -= back
        else:
            unit = block[low : low + 2] if encoding == "utf-16-be" else block[low + 1 : low - 1 : -1]
            low -= 2 if b"\xdc\x00" <= unit <= b"\xdf\xff" else 0
        cuts.append(low)
    return cuts
