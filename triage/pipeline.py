"""One run of collect → parse → classify → lake: the only module that knows the order.

A collector reads ahead in a thread of its own, records are cut and dated in the middle, and what makes up a commit is
classified and written behind them in a third: several cores stay busy, and no more than a few batches are in memory.
Records are named by the commit and not by the batch, because what patterns cost hardly depends on how many records
they see.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
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
from triage.parse import ParseOptions, open_from, parse
from triage.schema import LINES, LOGS, Batch, Resource

COMMIT_ROWS = 200_000
COMMIT_BYTES = 32 << 20
COMMIT_DELAY_S = 5.0
_AHEAD = 1  # batches read before they are needed

CursorsAfter = Callable[[int], Mapping[str, int]]


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
    segments: list[tuple[int, int, CursorsAfter]]  # lines left of a batch, lines before them in it, its cursors


def as_lake(records: pl.DataFrame, origin: str) -> pl.DataFrame:
    """The records in the lake's columns, with their origin and id; what patterns give may still be null."""
    short = blake2b(origin.encode(), digest_size=6).hexdigest()
    return records.with_columns(
        pl.lit(origin).alias("origin"),
        pl.col("timestamp").dt.date().alias("date"),
        pl.concat_str([pl.lit(short), "position", "seq"], separator="-").alias("record_id"),
    ).select(
        (pl.col(name) if name in (*records.columns, "origin", "date", "record_id") else pl.lit(None).alias(name)).cast(kind)
        for name, kind in LOGS.items()
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
        for batch, records, cursors in _parsed(_ahead(batches, committer.tick), stages):
            for note in batch.notes:
                said(note)
            _note(batch, committer, progress)
            progress.origins.update([batch.origin] if batch.lines.height else [])
            progress.lines += batch.lines.height
            if records is None:
                continue
            progress.records += records.height
            progress.bytes += committer.add(as_lake(records, batch.origin), cursors) + records.height
    return progress


def completed(
    batches: Iterable[Batch], stages: Stages
) -> Iterator[tuple[Batch, pl.DataFrame | None, Mapping[str, int]]]:
    """Each batch with the named records that it completed (None: none) and the cursors behind them."""
    for batch, records, cursors in _parsed(batches, stages):
        yield batch, None if records is None else stages.named(records), cursors


def _parsed(
    batches: Iterable[Batch], stages: Stages
) -> Iterator[tuple[Batch, pl.DataFrame | None, Mapping[str, int]]]:
    """The same with records that no pattern has seen yet."""
    carried: dict[str, _Carry] = {}
    for batch in batches:
        yield batch, *_complete(batch, carried, stages)


def _complete(
    batch: Batch, carried: dict[str, _Carry], stages: Stages
) -> tuple[pl.DataFrame | None, Mapping[str, int]]:
    """The records of an origin that are complete now, and the cursors behind them; the open rest is carried on."""
    carry = carried.pop(batch.origin, None)
    lines, segments = batch.lines, list[tuple[int, int, CursorsAfter]]()
    if carry is not None:
        lines, segments = pl.concat([carry.lines, lines], rechunk=True), carry.segments
    if batch.lines.height:
        segments.append((batch.lines.height, 0, batch.cursors_after))
    if not lines.height:
        return None, {}
    lines = stages.clean(lines)
    records = parse(lines, batch.resource, stages.options)
    done = lines.height if batch.final else open_from(records, lines)
    if done < lines.height:
        records = records.filter(pl.col("last_line") < done)
        carried[batch.origin] = _Carry(lines.slice(done), _left(segments, done))
    return (records, _cursors(segments, done)) if done else (None, {})


def _left(segments: list[tuple[int, int, CursorsAfter]], done: int) -> list[tuple[int, int, CursorsAfter]]:
    left = []
    for count, before, cursors in segments:
        taken = min(done, count)
        done -= taken
        if taken < count:
            left.append((count - taken, before + taken, cursors))
    return left


def _cursors(segments: list[tuple[int, int, CursorsAfter]], done: int) -> Mapping[str, int]:
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
    """Gathers records of several batches, names and stores them together, behind the run, at a bounded delay."""

    def __init__(
        self, lake: Lake, stages: Stages, progress: Progress, delay_s: float,
        shown: Callable[[pl.DataFrame], None] | None, upkeep: Callable[[], None],
    ) -> None:  # fmt: skip
        self._lake, self._stages, self._progress, self._delay, self._shown = lake, stages, progress, delay_s, shown
        self._upkeep = upkeep
        # Records and the cursors behind them are one item: an interrupt cannot come between them.
        self._gathered: list[tuple[pl.DataFrame, Mapping[str, int]]] = []
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

    def add(self, records: pl.DataFrame, cursors: Mapping[str, int]) -> int:
        """Take records in (columns of LOGS, not named yet); the bytes of their bodies."""
        if not self._gathered:
            self._since = time.monotonic()
        size = int(records["body"].str.len_bytes().sum())
        self._gathered.append((records, cursors))
        self._rows += records.height
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

    def _store(
        self, gathered: list[tuple[pl.DataFrame, Mapping[str, int]]], notes: list[Mapping[str, Any]]
    ) -> None:
        # Notes first: a gap told twice does no harm, a hole that nobody explains does.
        self._lake.note(notes)
        if gathered:
            records = self._stages.named(pl.concat([frame for frame, _ in gathered]))
            self._progress.problems.update(dict(records["problem"].drop_nulls().value_counts().iter_rows()))
            cursors = {name: cursor for _, each in gathered for name, cursor in each.items()}
            self._lake.append(records, cursors)
            now = datetime.now(UTC)
            self._progress.commits += 1
            self._progress.committed_at = now
            self._progress.committed |= {name: now for name in cursors if "#" not in name}
            if self._shown is not None:
                self._shown(records)
            self._upkeep()


def _ahead(batches: Iterable[Batch], tick: Callable[[], None]) -> Iterator[Batch]:
    """The batches, read in a thread of their own; `tick` is called while there is nothing to do."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=_AHEAD)
    ended = threading.Event()

    def read() -> None:
        last: BaseException | None = None
        try:
            for batch in batches:
                if not _put(ready, batch, ended):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the batches are used
            last = error
        _put(ready, last, ended)

    reader = threading.Thread(target=read, name="triage-collect", daemon=True)
    reader.start()
    try:
        while True:
            try:
                item = ready.get(timeout=0.2)
            except queue.Empty:
                tick()
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ended.set()


def _put(ready: queue.Queue[Any], item: object, ended: threading.Event) -> bool:
    while not ended.is_set():
        try:
            ready.put(item, timeout=0.2)
        except queue.Full:
            continue
        return True
    return False


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

