"""Compressed files as streams, recognised by their first bytes; memory and output are bounded.

`read(n)` gives up to n bytes and b"" at the end. Damage and refused bombs end the stream early and are said in
`trouble`: what came before them is good and is kept.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from typing import BinaryIO, Protocol

import zstandard

# Logs shrink 10 to 50 times; only a file made for it shrinks this much over this length.
BOMB_BYTES = 1 << 28
BOMB_RATIO = 250
_WINDOW = 1 << 27  # the largest memory that a compressed file may ask for
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError, ValueError)


class Readable(Protocol):
    """Anything that gives bytes."""

    def read(self, size: int, /) -> bytes: ...


def compression_of(head: bytes) -> str | None:
    """The compression that a file's first bytes show."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


class Decompressed:
    """A compressed file read as its content."""

    def __init__(self, raw: Readable, kind: str) -> None:
        self.trouble: str | None = None
        self._kind = kind
        self._raw = _Counted(raw)
        self._stream = _open(self._raw, kind)
        self._given = 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of content; fewer do not mean the end, none do."""
        if self.trouble:
            return b""
        if self._given > BOMB_BYTES and self._given > BOMB_RATIO * self._raw.count:
            self.trouble = (
                f"stopped after {self._given:,} bytes: it unpacks to more than {BOMB_RATIO} times its size;"
                " unpack it yourself if you trust it"
            )
            return b""
        try:
            data = self._stream.read1(size)
        except _BROKEN as error:
            self.trouble = f"the {self._kind} data is damaged or ends early ({error}); read up to byte {self._given:,}"
            return b""
        self._given += len(data)
        return data


class _Stream(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class _Counted(io.RawIOBase):
    """The compressed side, counted."""

    def __init__(self, raw: Readable) -> None:
        self.count = 0
        self._source = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self._source.read(len(view))
        view[: len(data)] = data
        self.count += len(data)
        return len(data)


def _open(raw: _Counted, kind: str) -> _Stream:
    buffered: BinaryIO = io.BufferedReader(raw, 1 << 16)
    if kind == "gzip":
        return gzip.GzipFile(fileobj=buffered, mode="rb")
    if kind == "bzip2":
        return bz2.BZ2File(buffered, "rb")
    if kind == "zstd":
        return _Zstd(buffered)
    return _Xz(buffered)


class _Zstd:
    """zstd with a bounded window, over all frames of the file.

    Fed in small bites, because one KB of input may unpack to 32 MB; zstandard's own reader bounds its output too, but
    takes a truncated frame for the end.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._factory = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        self._raw = raw
        self._frame = self._factory.decompressobj()
        self._fresh = True
        self._spare = b""

    def read1(self, size: int) -> bytes:
        pieces = [self._spare]
        gathered = len(self._spare)
        while gathered < size:
            bite = self._raw.read(1 << 10)
            if self._frame.eof:
                bite = self._frame.unused_data + bite
                self._frame, self._fresh = self._factory.decompressobj(), True
            if not bite:
                if not gathered and not self._fresh:
                    raise EOFError("no end of frame")
                break
            pieces.append(self._frame.decompress(bite))
            gathered += len(pieces[-1])
            self._fresh = False
        data = b"".join(pieces)
        self._spare = data[size:]
        return data[:size]


class _Xz:
    """xz with a memory limit, which `lzma.LZMAFile` cannot set, over all streams of the file."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._decoder = lzma.LZMADecompressor(memlimit=_WINDOW)
        self._pending = b""

    def read1(self, size: int) -> bytes:
        while True:
            if self._decoder.eof:
                self._pending = (self._decoder.unused_data or self._raw.read(1 << 16)).lstrip(b"\0")
                if not self._pending:
                    return b""
                self._decoder = lzma.LZMADecompressor(memlimit=_WINDOW)
            elif self._decoder.needs_input and not self._pending:
                self._pending = self._raw.read(1 << 16)
                if not self._pending:
                    raise EOFError("no end marker")
            data = self._decoder.decompress(self._pending, size)
            self._pending = b""
            if data:
                return data
