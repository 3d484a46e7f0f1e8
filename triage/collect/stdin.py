"""Standard input: any pipe, also one that never ends, and packed ones.

A live stream is handed out every few seconds; when it is quiet the last line's record is declared complete. A pipe
cannot be read twice, so while its beginning is compared with what is stored, it is kept in a temporary file.
"""

from __future__ import annotations

import os
import select
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from triage.collect.batches import BatchMaker, no_lines, start_at, with_notes
from triage.collect.content import binary_kind, look_through
from triage.collect.decode import Blocks, encoding_of
from triage.collect.decompress import Decompressed, compression_of
from triage.collect.origins import HEAD, TAIL, Mark, Places
from triage.errors import UnavailableError, UsageError
from triage.schema import Batch, Resource

DELAY_S = 2.0  # the longest time that a complete line waits
QUIET_S = 3.0  # after this long without a byte the last record is complete
_CHUNK = 1 << 20
_IN_MEMORY = 32 << 20


class _Feed(Protocol):
    def read(self, size: int, timeout_s: float) -> bytes | None:
        """Some bytes, b"" at the end, None when nothing came in time."""


class _Pipe:
    """A file descriptor that is read without waiting longer than asked."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, size: int, timeout_s: float) -> bytes | None:
        try:
            if not select.select([self._fd], [], [], timeout_s)[0]:
                return None
            return os.read(self._fd, size)
        except (OSError, ValueError) as error:
            raise UnavailableError(f"cannot read standard input: {error}", "-") from error


class _Unpacked:
    """A packed pipe; what is packed is no live log, so it may block."""

    def __init__(self, first: bytes, pipe: _Pipe, kind: str) -> None:
        self._first, self._pipe = first, pipe
        self._stream = Decompressed(_Blocking(self), kind)

    def take(self, size: int) -> bytes:
        if self._first:
            data, self._first = self._first[:size], self._first[size:]
            return data
        while True:
            packed = self._pipe.read(size, 60.0)
            if packed is not None:
                return packed

    def read(self, size: int, timeout_s: float) -> bytes | None:
        return self._stream.read(size)

    @property
    def trouble(self) -> str | None:
        return self._stream.trouble


class _Blocking:
    def __init__(self, unpacked: _Unpacked) -> None:
        self._unpacked = unpacked

    def read(self, size: int) -> bytes:
        return self._unpacked.take(size)


class _Kept:
    """A feed whose first part is kept, so that it can be looked at and then read from any offset in that part."""

    def __init__(self, feed: _Feed) -> None:
        self._feed = feed
        self._store = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed in close()
        self._size = 0
        self.head = b""
        while len(self.head) < HEAD and (data := self._pull(HEAD - len(self.head))):
            self.head += data

    def read(self, size: int) -> bytes:
        """For looking: what is kept first, then further bytes, which are kept; b"" also when the stream is quiet."""
        return self._store.read(size) or self._pull(size)

    def look(self, offsets: Sequence[int]) -> Mapping[int, Mark]:
        self._store.seek(0)
        return look_through(self, offsets)

    def open_at(self, offset: int) -> tuple[bytes, Iterator[bytes | None]]:
        """The TAIL bytes before an offset, and the chunks from there on; None means that nothing came for a while."""
        start = max(0, offset - TAIL)
        self._store.seek(start)
        return self._store.read(offset - start), self._chunks()

    def close(self) -> None:
        self._store.close()

    def _pull(self, size: int) -> bytes:
        data = self._feed.read(size, DELAY_S) or b""
        self._store.write(data)
        return data

    def _chunks(self) -> Iterator[bytes | None]:
        while data := self._store.read(_CHUNK):
            yield data
        while (more := self._feed.read(_CHUNK, DELAY_S / 4)) != b"":
            yield more


def standard_input(
    places: Places, service: str, source: str | None, batch_bytes: int, descriptor: int | None = None
) -> Iterator[Batch]:
    """The batches of standard input until it ends."""
    feed: _Pipe | _Unpacked = _Pipe(_descriptor() if descriptor is None else descriptor)
    resource = Resource(service, source=source)
    kept = _Kept(feed)
    if kind := compression_of(kept.head):
        feed = _Unpacked(kept.head, _Pipe(0 if descriptor is None else descriptor), kind)
        kept.close()
        kept = _Kept(feed)
    try:
        if what := binary_kind(kept.head):
            raise UsageError(f"{what}, not a text log", "standard input")
        if kept.head:
            yield from _batches(kept, places, resource, batch_bytes)
        else:
            yield no_lines("files", resource, "standard input is empty")
        if isinstance(feed, _Unpacked) and feed.trouble:
            yield no_lines("files", resource, f"standard input: {feed.trouble}")
    finally:
        kept.close()


def _descriptor() -> int:
    try:
        return sys.stdin.fileno()
    except (AttributeError, OSError, ValueError) as error:
        raise UnavailableError("there is no standard input", "-", "pipe a log into it") from error


def _batches(kept: _Kept, places: Places, resource: Resource, batch_bytes: int) -> Iterator[Batch]:
    place = places.find(kept.head, kept.look)
    encoding = encoding_of(kept.head)
    before, chunks = kept.open_at(place.offset)
    first = next((chunk for chunk in chunks if chunk is not None), b"")
    offset, before, first, notes = start_at(place, before, first, encoding, "standard input")
    maker = BatchMaker(place.origin, resource, None, encoding, offset, before)
    if place.repeated:
        notes += ("standard input: the same content was read already in this run",)
    for batch in _live(maker, Blocks(offset, encoding), first, chunks, batch_bytes):
        yield with_notes(batch, notes)
        notes = ()
    if notes:
        yield no_lines(place.origin, resource, *notes)
    places.taken[place.origin] = maker.stand


def _live(
    maker: BatchMaker, blocks: Blocks, first: bytes, chunks: Iterator[bytes | None], batch_bytes: int
) -> Iterator[Batch]:
    """Batches by size, by age of their oldest line, and a final one whenever the stream pauses."""
    ready: list[tuple[int, bytes]] = []
    oldest = last = time.monotonic()
    open_record = False

    def flush(*, final: bool) -> Iterator[Batch]:
        if ready:
            yield maker.batch(ready[0][0], b"".join(block for _, block in ready), final=final)
            ready.clear()
        elif final:
            yield no_lines(maker.origin, maker.resource)

    for chunk in _chain(first, chunks):
        now = time.monotonic()
        if chunk:
            last = now
            oldest = oldest if ready else now
            ready.extend(blocks.feed(chunk))
        quiet = now - last >= QUIET_S
        if ready and (quiet or now - oldest >= DELAY_S or sum(len(b) for _, b in ready) >= batch_bytes):
            yield from flush(final=quiet)
            open_record = not quiet
        elif quiet and open_record:
            yield from flush(final=True)
            open_record = False
    ready.extend(blocks.rest())
    if ready or open_record:
        yield from flush(final=True)


def _chain(first: bytes, chunks: Iterator[bytes | None]) -> Iterator[bytes | None]:
    if first:
        yield first
    yield from chunks
