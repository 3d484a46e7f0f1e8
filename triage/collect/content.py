"""Readable content behind a path or standard input: opened safely, unpacked, and readable again from its start.

FIFOs, devices and folders are refused before a byte is read, so nothing can hang; what is no text is recognised by
its first bytes.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from triage.collect.decode import encoding_of
from triage.collect.decompress import Decompressed, Readable, compression_of
from triage.collect.names import printable
from triage.collect.origins import HEAD, TAIL, Mark, tail_hash
from triage.errors import UnavailableError, UsageError

_CHUNK = 1 << 20
_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_BINARY = {
    b"\x7fELF": "a program", b"MZ": "a program", b"PK\x03\x04": "a zip archive", b"%PDF-": "a PDF",
    b"\x89PNG": "an image", b"\xff\xd8\xff": "an image", b"GIF8": "an image", b"SQLite format 3": "a database",
    b"PAR1": "a Parquet file", b"\x04\x22\x4d\x18": "an lz4 file", b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a rar archive", b"LPKSHHRH": "a systemd journal",
}  # fmt: skip
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\v\f\r\b\x1b\x07") + b"\x7f"


class FileContent:
    """A regular file, plain or packed. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = printable(str(path))
        self._fd = open_regular(path)
        self._size = os.fstat(self._fd).st_size
        self._kind = compression_of(self.pread(16, 0))
        self._stream: Decompressed | None = None
        self.head = _fill(self._from_start(), HEAD)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    @property
    def trouble(self) -> str | None:
        """Why the last stream ended before its content did."""
        return self._stream.trouble if self._stream else None

    def open_at(self, offset: int) -> tuple[bytes, Readable]:
        """The TAIL bytes before an offset and a stream from it on, up to where the file ended when it was opened."""
        start = max(0, offset - TAIL)
        stream: Readable = _Plain(self, start, self._size)
        if self._kind is not None:
            stream = self._from_start()
            skip(stream, start)
        return _fill(stream, offset - start), stream

    def look(self, offsets: Sequence[int]) -> Mapping[int, Mark]:
        """The marks at some offsets."""
        if self._kind is not None:
            return look_through(self._from_start(), offsets)
        inside = [offset for offset in offsets if offset <= self._size]
        return {o: Mark(tail_hash(self.pread(min(o, TAIL), max(0, o - TAIL))), o == self._size) for o in inside}

    def _from_start(self) -> Readable:
        plain = _Plain(self, 0, self._size)
        if self._kind is None:
            return plain
        self._stream = Decompressed(plain, self._kind)
        return self._stream

    def grown(self, newline: bytes, wait_s: float) -> bytes:
        """What a writer adds to the unterminated last line, if it is writing at this moment."""
        if self._kind is not None or time.time() - os.fstat(self._fd).st_mtime > 2:
            return b""
        deadline = time.monotonic() + wait_s
        while True:
            more = self.pread(_CHUNK, self._size)
            end = more.find(newline)
            if end >= 0:
                return more[: end + len(newline)]
            if time.monotonic() > deadline:
                return more
            time.sleep(0.02)

    def pread(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, size, offset)
        except OSError as error:
            raise UnavailableError(f"cannot read on: {error.strerror}", self.name) from error


class _Plain:
    """Sequential reads over pread, so that streams of one file do not disturb each other."""

    def __init__(self, content: FileContent, offset: int, end: int) -> None:
        self._content, self._offset, self._end = content, offset, end

    def read(self, size: int) -> bytes:
        """Up to `size` bytes."""
        data = self._content.pread(min(size, self._end - self._offset), self._offset) if size else b""
        self._offset += len(data)
        return data


def open_regular(path: Path) -> int:
    """A file descriptor of a regular file, or a clear error."""
    name = printable(str(path))
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _cannot_open(name, error) from error
    kind = stat.S_IFMT(os.fstat(fd).st_mode)
    if kind == stat.S_IFREG:
        return fd
    os.close(fd)
    what = _KINDS.get(kind, "not a regular file")
    raise UsageError(f"{what}, not a log file", name, "to read a pipe, use: triage ingest - < PIPE")


def _cannot_open(name: str, error: OSError | ValueError) -> UnavailableError | UsageError:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.ENOENT:
        return UnavailableError("no such file", name, "check the path; quote a pattern such as '*.log'")
    if code in (errno.EACCES, errno.EPERM):
        return UnavailableError("no permission to read it", name, "run as a user who may, or change its mode")
    if code in (errno.ENXIO, errno.EOPNOTSUPP):
        return UsageError("a socket or device, not a log file", name)
    return UnavailableError(f"cannot open it: {getattr(error, 'strerror', None) or error}", name)


def binary_kind(head: bytes) -> str | None:
    """What a file is when it is no text, else None. UTF-16 and stretches of NUL are text."""
    for magic, what in _BINARY.items():
        if head.startswith(magic):
            return what
    if head[257:262] == b"ustar":
        return "a tar archive"
    if encoding_of(head) != "utf-8":
        return None
    # A log truncated under its writer begins with NULs, and a crash leaves a run of them: strip before judging.
    text = head.strip(b"\0")
    odd = len(text) - len(text.translate(None, _CONTROLS))
    return "binary data" if odd > max(2, len(text) // 20) else None


def look_through(stream: Readable, offsets: Sequence[int]) -> dict[int, Mark]:
    """The marks at some offsets of a stream that can only be read forwards."""
    marks: dict[int, Mark] = {}
    position, before = 0, b""
    waiting = sorted(set(offsets))
    data = b""
    for offset in waiting:
        while position < offset:
            data = stream.read(min(_CHUNK, offset - position))
            if not data:
                return marks
            position += len(data)
            before = (before + data)[-TAIL:]
        marks[offset] = Mark(tail_hash(before), at_end=False)
    if waiting and not stream.read(1):
        marks[waiting[-1]] = Mark(tail_hash(before), at_end=True)
    return marks


def skip(stream: Readable, count: int) -> None:
    """Read and forget."""
    while count > 0 and (data := stream.read(min(_CHUNK, count))):
        count -= len(data)


def _fill(stream: Readable, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data
