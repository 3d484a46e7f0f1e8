"""Logs from files, folders, globs and standard input, as batches of lines with cursors.

Only bytes are cut and decoded here; json-file, compose and CRI wrappers are unwrapped by the parser. Reading the same
content again gives no line, under whatever name (see `origins`). The last line of a file counts even without a
newline: if the writer is at work in that moment it gets a short while to finish it. Should the line grow later, the
next run gives its rest as a line of its own and says so; nothing is lost or doubled.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from triage.collect.batches import BatchMaker, no_lines, start_at, with_notes
from triage.collect.content import FileContent, binary_kind
from triage.collect.decode import Blocks, encoding_of, newline_of
from triage.collect.decompress import Readable
from triage.collect.names import Named, is_document, looks_like_log, named, printable
from triage.collect.origins import CursorLookup, Place, Places
from triage.collect.stdin import standard_input
from triage.errors import TriageError, UnavailableError, UsageError
from triage.schema import Batch, Resource

BATCH_BYTES = 32 << 20
_SETTLE_S = 0.3  # what a writer gets to finish the line it is writing
_SHOWN = 5  # names in one note


@dataclass(frozen=True, slots=True)
class _Task:
    """A file to read; one that was found in a folder is passed over when it is no log."""

    path: Path
    found: bool


@dataclass(slots=True)
class _Plan:
    """What to read, in order, and what was passed over and why."""

    tasks: list[_Task | None] = field(default_factory=list)  # None is standard input
    seen: set[tuple[int, int]] = field(default_factory=set)
    passed: dict[str, list[str]] = field(default_factory=dict)

    def pass_over(self, reason: str, path: Path) -> None:
        self.passed.setdefault(reason, []).append(printable(str(path)))

    def notes(self) -> tuple[str, ...]:
        """One note for each reason, and forget them."""
        notes = tuple(f"passed over {_some(names)}: {reason}" for reason, names in self.passed.items())
        self.passed.clear()
        return notes


def open_paths(
    paths: Sequence[str | Path],
    known: CursorLookup,
    *,
    service: str | None = None,
    source: str | None = None,
    batch_bytes: int = BATCH_BYTES,
) -> Iterator[Batch]:
    """The new lines of files, folders (recursive), globs and `-`; what was named and cannot be read is an error now.

    A batch may have no lines: it then carries notes, or says that a live stream has become quiet (`final`).
    """
    plan = _Plan()
    for path in paths:
        _add(plan, str(path))
    return _read_all(plan, Places(known), service, source, batch_bytes)


def _add(plan: _Plan, name: str) -> None:
    if name == "-":
        plan.tasks.append(None)
        return
    path = Path(name)
    if path.is_dir():
        _add_folder(plan, path)
    elif not os.path.lexists(path) and glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            raise UnavailableError("no file matches", printable(name), "check the pattern and the folder")
        for match in matches:
            if Path(match).is_dir():
                _add_folder(plan, Path(match))
            else:
                _add_file(plan, Path(match), found=True)
    else:
        _add_file(plan, path, found=False)


def _add_folder(plan: _Plan, folder: Path) -> None:
    def refused(error: OSError) -> None:
        if Path(str(error.filename)) == folder:
            raise UnavailableError("cannot list this folder", printable(str(folder)), error.strerror) from error
        plan.pass_over(f"cannot list it ({error.strerror})", Path(str(error.filename)))

    count = len(plan.tasks)
    visited: set[tuple[int, int]] = set()
    _first_time(folder, visited)
    for root, folders, files in os.walk(folder, followlinks=True, onerror=refused):
        # Links are followed, so a folder may come again below itself.
        folders[:] = sorted(n for n in folders if not n.startswith(".") and _first_time(Path(root, n), visited))
        for name in sorted(files):
            path = Path(root, name)
            if name.startswith("."):
                continue
            if looks_like_log(name):
                _add_file(plan, path, found=True)
            else:
                plan.pass_over("not a log by its name; name it to read it", path)
    if len(plan.tasks) == count and not plan.passed:
        plan.pass_over("no log file in it", folder)


def _first_time(path: Path, visited: set[tuple[int, int]]) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    key = (status.st_dev, status.st_ino)
    fresh = key not in visited
    visited.add(key)
    return fresh


def _add_file(plan: _Plan, path: Path, *, found: bool) -> None:
    try:
        with FileContent(path) as content:
            reason = binary_kind(content.head)
            if found and reason is None and is_document(path.name, content.head):
                reason = "one JSON document, not a log"
            elif reason and not found:
                raise UsageError(f"{reason}, not a text log", content.name, _binary_hint(reason))
    except TriageError as error:
        if not found:
            raise
        plan.pass_over(error.message, path)
        return
    if reason:
        plan.pass_over(reason, path)
    elif _first_time(path, plan.seen):
        plan.tasks.append(_Task(path, found))


def _binary_hint(reason: str) -> str:
    return "unpack it first" if "archive" in reason or "lz4" in reason else "give a log in text form"


def _read_all(
    plan: _Plan, places: Places, service: str | None, source: str | None, batch_bytes: int
) -> Iterator[Batch]:
    pending = plan.notes()
    for task in plan.tasks:
        if task is None:
            batches: Iterable[Batch] = standard_input(places, service or "stdin", source, batch_bytes)
        else:
            batches = _read_file(task, places, service, source, batch_bytes)
        for batch in batches:
            yield with_notes(batch, pending)
            pending = ()
    if pending:
        yield with_notes(no_lines("files", Resource(service or "files")), pending)


def _read_file(
    task: _Task, places: Places, service: str | None, source: str | None, batch_bytes: int
) -> Iterator[Batch]:
    who = named(task.path)
    try:
        content = FileContent(task.path)
    except TriageError as error:
        # It was there a moment ago; rotation may have renamed it.
        yield no_lines("files", Resource(service or who.service_name), f"{printable(str(task.path))}: {error.message}")
        return
    with content:
        resource = _resource(who, service, source)
        if not content.head:
            why = content.trouble or "it is empty"
            yield no_lines("files", resource, f"{content.name}: {why}")
            return
        place = places.find(content.head, content.look)
        yield from _read_content(content, place, places, resource, who.log_iostream, batch_bytes)


def _resource(who: Named, service: str | None, source: str | None) -> Resource:
    return Resource(
        service or who.service_name, who.container_name, who.container_id, who.container_image_name, source=source
    )


def _read_content(
    content: FileContent, place: Place, places: Places, resource: Resource, iostream: str | None, batch_bytes: int
) -> Iterator[Batch]:
    encoding = encoding_of(content.head)
    before, stream = content.open_at(place.offset)
    offset, before, first, notes = start_at(place, before, stream.read(batch_bytes), encoding, content.name)
    if place.repeated:
        notes += (f"{content.name}: the same content was read already in this run, under another name",)
    maker = BatchMaker(place.origin, resource, iostream, encoding, offset, before)
    blocks = Blocks(offset, encoding)
    ready: Batch | None = None
    for start, block in _blocks(content, stream, blocks, first, batch_bytes):
        if ready:
            yield ready
        ready = with_notes(maker.batch(start, block, final=False), notes)
        notes = ()
    if content.trouble:
        notes += (f"{content.name}: {content.trouble}",)
    if ready:
        yield with_notes(ready, notes, final=True)
    elif notes:
        yield no_lines(place.origin, resource, *notes)
    places.taken[place.origin] = maker.stand


def _blocks(
    content: FileContent, stream: Readable, blocks: Blocks, first: bytes, size: int
) -> Iterator[tuple[int, bytes]]:
    """Blocks of about `size` bytes that end at a newline, and the unterminated rest."""
    chunk, wanted = first, size
    while chunk:
        pieces, wanted = [chunk], size - len(chunk)
        while wanted > 0 and (more := stream.read(wanted)):  # unpacking gives small pieces
            pieces.append(more)
            wanted -= len(more)
        yield from blocks.feed(b"".join(pieces))
        chunk = stream.read(size)
    if blocks.waiting:
        yield from blocks.feed(content.grown(newline_of(blocks.encoding), _SETTLE_S))
    yield from blocks.rest()


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
