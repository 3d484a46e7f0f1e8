"""One run of collect → parse → classify → lake: the only module that knows the order.

A collector reads ahead in a thread of its own, records are cut and dated in the middle, and the rest, reading what
they state, naming and writing what makes up a commit, is done behind them in a third: the middle does only what the
next batch has to wait for. So two cores stay busy, and no more than a few batches are in memory. Records are named by
the commit and not by the batch, because what patterns cost hardly depends on how many records they see.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import polars as pl

from triage.classify.library import Library
from triage.classify.redact import ALL, Kinds, redact
from triage.classify.template import with_template
from triage.errors import TriageError
from triage.lake.table import Lake
from triage.parse import Cut, ParseOptions, cut, open_from, parse
from triage.schema import LINES, LOGS, Batch, Resource

COMMIT_ROWS = 200_000
COMMIT_BYTES = 32 << 20
COMMIT_DELAY_S = 5.0
_TOGETHER_BYTES = 8 << 20  # of batches that are cut together, and of those read before they are needed; at least one
_TICK_S = 0.2

CursorsAfter = Callable[[int], Mapping[str, int]]
_Segment = tuple[int, int, CursorsAfter]  # lines left of a batch, lines before them in it, its cursors


@dataclass(slots=True)
class Progress:
    """What a run has done so far; read by status lines while the run goes on."""

    lines: int = 0
    records: int = 0
    bytes: int = 0
    undecodable: int = 0
    gaps: int = 0
    commits: int = 0
    origins: set[str] = field(default_factory=set)
    problems: Counter[str] = field(default_factory=Counter)
    committed_at: datetime | None = None
    committed: dict[str, datetime] = field(default_factory=dict)  # the last commit of each origin


@dataclass(frozen=True, slots=True)
class Stages:
    """How lines become records: the settings of a run."""

    library: Library
    options: ParseOptions = field(default_factory=ParseOptions)
    key: bytes | None = None  # None: no redaction
    kinds: Kinds = ALL

    def clean(self, lines: pl.DataFrame) -> pl.DataFrame:
        """The lines without secrets."""
        if self.key is None:
            return lines
        return lines.with_columns(redact(lines["text"], self.key, self.kinds).alias("text"))

    def named(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records with problem, pattern, extracted fields, template and fingerprint."""
        return with_template(self.library.classify(records))

    def records(self, lines: pl.DataFrame, resource: Resource) -> pl.DataFrame:
        """All of it at once, for callers that store nothing."""
        return self.named(parse(self.clean(lines), resource, self.options))


@dataclass(slots=True)
class _Carry:
    """Lines at an origin's end whose record may still grow, and the cursors of the batches they came in."""

    lines: pl.DataFrame
    segments: list[_Segment]


def as_lake(records: pl.DataFrame, origins: Sequence[str]) -> pl.DataFrame:
    """The records in the lake's columns, with the origin of their batch and an id; what patterns give may be null."""
    batch = records["batch"]
    short = [blake2b(origin.encode(), digest_size=6).hexdigest() for origin in origins]
    made = ("origin", "date", "record_id")
    return records.with_columns(
        pl.Series("origin", origins, dtype=pl.String).gather(batch),
        pl.col("timestamp").dt.date().alias("date"),
        pl.concat_str([pl.Series(short, dtype=pl.String).gather(batch), "position", "seq"], separator="-").alias("record_id"),
    ).select(
        (pl.col(name) if name in (*records.columns, *made) else pl.lit(None).alias(name)).cast(kind) for name, kind in LOGS.items()
    )


def run(
    batches: Iterable[Batch],
    lake: Lake,
    stages: Stages,
    *,
    progress: Progress | None = None,
    said: Callable[[str], None] = lambda note: None,
    shown: Callable[[pl.DataFrame], None] | None = None,
    upkeep: Callable[[], None] = lambda: None,
    delay_s: float = COMMIT_DELAY_S,
) -> Progress:
    """Store every record of the batches; `said` hears notes, `shown` sees the records once they are stored.

    `upkeep` is called behind each commit, by the thread that commits.
    """
    progress = progress or Progress()
    with _Committer(lake, stages, progress, delay_s, shown, upkeep) as committer:
        for group in _cut(_ahead(batches, committer.tick), stages):
            for batch in group.batches:
                for note in batch.notes:
                    said(note)
                _note(batch, committer, progress)
                progress.origins.update([batch.origin] if batch.lines.height else [])
                progress.lines += batch.lines.height
            if group.cursors:
                progress.records += group.height
                progress.bytes += committer.add(group) + group.height
    return progress


def completed(batches: Iterable[Batch], stages: Stages) -> Iterator[tuple[Batch, pl.DataFrame | None]]:
    """Each batch with the named records that it completed (None: none)."""
    for group in _cut(([batch] for batch in batches), stages):
        yield group.batches[0], stages.named(group.cut.read()) if group.cut is not None and group.cursors else None


@dataclass(frozen=True, slots=True)
class _Group:
    """Batches that were cut together, the records that are complete now, and the cursors behind them."""

    batches: Sequence[Batch]
    cut: Cut | None
    origins: Sequence[str]  # of the batches in `cut`
    cursors: Mapping[str, int]  # empty: no record is complete

    @property
    def height(self) -> int:
        return 0 if self.cut is None else self.cut.records.height


def _cut(groups: Iterable[Sequence[Batch]], stages: Stages) -> Iterator[_Group]:
    """Each group of batches, no two of one origin, cut. What is open at an origin's end is carried on to its next batch."""
    carried: dict[str, _Carry] = {}
    for batches in groups:
        yield _complete(batches, carried, stages)


def _complete(batches: Sequence[Batch], carried: dict[str, _Carry], stages: Stages) -> _Group:
    parts, segments, told = [], [], []
    for batch in batches:
        carry = carried.pop(batch.origin, None)
        lines, its = batch.lines, list[_Segment]()
        if carry is not None:
            lines, its = pl.concat([carry.lines, lines], rechunk=True), carry.segments
        if batch.lines.height:
            its.append((batch.lines.height, 0, batch.cursors_after))
        if lines.height:
            parts.append((stages.clean(lines), batch.resource))
            segments.append(its)
            told.append(batch)
    if not parts:
        return _Group(batches, None, [], {})
    found = cut(parts, stages.options)
    done = [
        lines.height if batch.final else surely
        for batch, (lines, _), surely in zip(told, parts, open_from(found), strict=True)
    ]
    cursors: dict[str, int] = {}
    for batch, (lines, _), its, count in zip(told, parts, segments, done, strict=True):
        if count:
            cursors |= _cursors(its, count)
        if count < lines.height:
            carried[batch.origin] = _Carry(lines.slice(count), _left(its, count))
    return _Group(batches, found.until(done), [batch.origin for batch in told], cursors)


def _left(segments: list[_Segment], done: int) -> list[_Segment]:
    left = []
    for count, before, cursors in segments:
        taken = min(done, count)
        done -= taken
        if taken < count:
            left.append((count - taken, before + taken, cursors))
    return left


def _cursors(segments: list[_Segment], done: int) -> Mapping[str, int]:
    for count, before, cursors in segments:
        if done <= count:
            return cursors(before + done)
        done -= count
    raise AssertionError("more lines were stored than collected")


def _note(batch: Batch, committer: _Committer, progress: Progress) -> None:
    row = {"timestamp": datetime.now(UTC), "origin": batch.origin, "service_name": batch.resource.service_name}
    progress.undecodable += batch.undecodable
    progress.gaps += len(batch.gaps)
    for gap in batch.gaps:
        committer.note({**row, "kind": "gap", "start": gap.start, "end": gap.end, "message": gap.reason})
    if batch.undecodable:
        message = f"{batch.undecodable:,} lines were not valid in their encoding; the wrong bytes were replaced"
        committer.note({**row, "kind": "undecodable", "lines": batch.undecodable, "message": message})
    for note in batch.notes:
        if not batch.gaps:
            committer.note({**row, "kind": "note", "message": note})


class _Committer:
    """Gathers records of several batches, reads, names and stores them, behind the run, at a bounded delay."""

    def __init__(
        self, lake: Lake, stages: Stages, progress: Progress, delay_s: float,
        shown: Callable[[pl.DataFrame], None] | None, upkeep: Callable[[], None],
    ) -> None:  # fmt: skip
        self._lake, self._stages, self._progress, self._delay, self._shown = lake, stages, progress, delay_s, shown
        self._upkeep = upkeep
        # Records and the cursors behind them are one item: an interrupt cannot come between them.
        self._gathered: list[_Group] = []
        self._notes: list[Mapping[str, Any]] = []
        self._rows = self._bytes = 0
        self._since = time.monotonic()
        self._writer = ThreadPoolExecutor(1, "triage-lake")
        self._writing: Future[None] | None = None

    def __enter__(self) -> _Committer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            # After a failure or Ctrl-C what is gathered is complete too: cursors stand behind whole records.
            self.flush()
            self._wait()
        except TriageError:
            if kind is None:
                raise  # else the first failure is the one to tell
        finally:
            self._writer.shutdown(wait=True)

    def add(self, group: _Group) -> int:
        """Take complete records in; the bytes of their bodies."""
        if not self._gathered:
            self._since = time.monotonic()
        size = _text_bytes(group.cut.records["body"]) if group.cut is not None else 0
        self._gathered.append(group)
        self._rows += group.height
        self._bytes += size
        self.tick()
        return size

    def note(self, row: Mapping[str, Any]) -> None:
        self._notes.append(row)

    def tick(self) -> None:
        """Store what is gathered if it is much or has waited long."""
        if self._rows >= COMMIT_ROWS or self._bytes >= COMMIT_BYTES or (self._gathered and time.monotonic() - self._since >= self._delay):
            self.flush()

    def flush(self) -> None:
        """Hand over to the writer; waits for the commit before, so no more than two are in memory."""
        self._wait()
        if not self._gathered and not self._notes:
            return
        gathered, notes = self._gathered, self._notes
        self._gathered, self._notes, self._rows, self._bytes = [], [], 0, 0
        self._since = time.monotonic()
        self._writing = self._writer.submit(self._store, gathered, notes)

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _store(self, gathered: list[_Group], notes: list[Mapping[str, Any]]) -> None:
        # Notes first: a gap told twice does no harm, a hole that nobody explains does.
        self._lake.note(notes)
        if gathered:
            read = [as_lake(group.cut.read(), group.origins) for group in gathered if group.cut is not None]
            records = self._stages.named(pl.concat(read))
            self._progress.problems.update(dict(records["problem"].drop_nulls().value_counts().iter_rows()))
            cursors = {name: cursor for each in gathered for name, cursor in each.cursors.items()}
            self._lake.append(records, cursors)
            now = datetime.now(UTC)
            self._progress.commits += 1
            self._progress.committed_at = now
            self._progress.committed |= {name: now for name in cursors if "#" not in name}
            if self._shown is not None:
                self._shown(records)
            self._upkeep()


def _text_bytes(text: pl.Series) -> int:
    return int(text.str.len_bytes().sum())


class _Ready:
    """Batches that were read and wait to be cut: at least one, and more while they are small."""

    def __init__(self) -> None:
        self._batches: deque[tuple[Batch, int]] = deque()  # and the bytes of its lines
        self._changed = threading.Condition()
        self._failure: BaseException | None = None
        self._ended = False

    def fill(self, batches: Iterable[Batch]) -> None:
        """Read ahead, and pass on how reading ended."""
        try:
            for batch in batches:
                size = _text_bytes(batch.lines["text"])
                with self._changed:
                    self._changed.wait_for(lambda: self._ended or sum(size for _, size in self._batches) < _TOGETHER_BYTES)
                    if self._ended:
                        return
                    self._batches.append((batch, size))
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again where the batches are used
            self._failure = error
        self.end()

    def take(self, timeout_s: float) -> list[Batch] | None:
        """What is ready, of each origin one and not much together; nothing after the timeout, None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._ended, timeout_s)
            taken: dict[str, Batch] = {}
            total = 0
            while self._batches and self._batches[0][0].origin not in taken and total < _TOGETHER_BYTES:
                batch, size = self._batches.popleft()
                taken[batch.origin] = batch
                total += size
            self._changed.notify_all()
            if not taken and self._ended:
                if self._failure is not None:
                    raise self._failure
                return None
            return list(taken.values())

    def end(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _ahead(batches: Iterable[Batch], tick: Callable[[], None]) -> Iterator[Sequence[Batch]]:
    """The batches in groups, read in a thread of their own; `tick` is called while there is nothing to do."""
    ready = _Ready()
    threading.Thread(target=ready.fill, args=[batches], name="triage-collect", daemon=True).start()
    try:
        while (group := ready.take(_TICK_S)) is not None:
            if group:
                yield group
            else:
                tick()
    finally:
        ready.end()


def reclassified(library: Library) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """What `lake reclassify` does to stored records: parsed columns stay, what patterns gave is made anew."""

    def apply(records: pl.DataFrame) -> pl.DataFrame:
        bare = records.with_columns(
            pl.lit(None, LOGS[name]).alias(name) for name in ("problem", "problems", "pattern")
        )
        return with_template(library.classify(bare))

    return apply


def lines_of(texts: Iterable[str]) -> pl.DataFrame:
    """Texts as lines without a place, for `explain` and samples."""
    text = pl.Series("text", list(texts), dtype=pl.String)
    empty = pl.DataFrame(schema=LINES).clear(n=len(text)).drop("text", "position", "seq")
    place = pl.DataFrame({"position": pl.int_range(len(text), eager=True)}).with_columns(seq=pl.lit(0, pl.Int32))
    return pl.concat([text.to_frame(), place, empty], how="horizontal").select(
        pl.col(name).cast(kind) for name, kind in LINES.items()
    )

