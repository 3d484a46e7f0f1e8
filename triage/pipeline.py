"""One run of collect → parse → classify → lake: the only module that knows the order.

A collector reads ahead in a thread of its own, records are cut and dated in the middle, and the rest, reading what
they state, naming and writing what makes up a commit, is done behind them in a third: the middle does only what the
next batch has to wait for. So two cores stay busy, and no more than a few batches are in memory. Records are named by
the commit and not by the batch, because what patterns cost hardly depends on how many records they see.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import polars as pl

from triage.classify.library import Library
from triage.classify.redact import ALL, Kinds, redact_apart
from triage.classify.template import with_template
from triage.collect.ahead import ahead, text_bytes
from triage.errors import TriageError
from triage.lake.table import Lake
from triage.parse import Cut, ParseOptions, cut, open_from, parse
from triage.schema import LINES, LOGS, Batch, Resource

COMMIT_ROWS = 200_000
COMMIT_BYTES = 32 << 20
COMMIT_DELAY_S = 5.0
_NAMED_ROWS = 300_000  # at once, more than a usual commit: an error of forty bytes takes 5 KB while it is tried against all

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

    def clean(self, lines: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
        """The lines of several origins without secrets."""
        if self.key is None:
            return list(lines)
        texts = redact_apart([part["text"] for part in lines], self.key, self.kinds)
        place = lines[0].get_column_index("text")
        return [part.clone().replace_column(place, text.alias("text")) for part, text in zip(lines, texts, strict=True)]

    def named(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records with problem, pattern, extracted fields, template and fingerprint."""
        parts = list(records.iter_slices(_NAMED_ROWS)) or [records]
        return pl.concat([with_template(self.library.classify(part)) for part in parts])

    def records(self, lines: pl.DataFrame, resource: Resource) -> pl.DataFrame:
        """All of it at once, for callers that store nothing."""
        return self.named(parse(self.clean([lines])[0], resource, self.options))


@dataclass(frozen=True, slots=True)
class _Held:
    """Lines of one origin that are not stored yet, and the cursors of the batches they came in."""

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
        for group in _cut(ahead(batches, committer.tick), stages):
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
    carried: dict[str, _Held] = {}
    for batches in groups:
        yield _complete(batches, carried, stages)


def _complete(batches: Sequence[Batch], carried: dict[str, _Held], stages: Stages) -> _Group:
    held = [(batch, _held(batch, carried.pop(batch.origin, None))) for batch in batches]
    held = [(batch, its) for batch, its in held if its.lines.height]
    if not held:
        return _Group(batches, None, [], {})
    cleaned = stages.clean([its.lines for _, its in held])
    found = cut([(lines, batch.resource) for lines, (batch, _) in zip(cleaned, held, strict=True)], stages.options)
    done, cursors = [], dict[str, int]()
    for (batch, its), lines, surely in zip(held, cleaned, open_from(found), strict=True):
        count = lines.height if batch.final else surely
        done.append(count)
        cursors |= _cursors(its.segments, count) if count else {}
        if count < lines.height:
            carried[batch.origin] = _Held(lines.slice(count), _left(its.segments, count))
    return _Group(batches, found.until(done), [batch.origin for batch, _ in held], cursors)


def _held(batch: Batch, before: _Held | None) -> _Held:
    """The lines of a batch behind those that were left of its origin."""
    lines, segments = batch.lines, list[_Segment]()
    if before is not None:
        lines, segments = pl.concat([before.lines, lines]), before.segments
    if batch.lines.height:
        segments.append((batch.lines.height, 0, batch.cursors_after))
    return _Held(lines, segments)


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
        self._took = 0.0  # seconds that the last commit took, which are part of the delay
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
        size = text_bytes(group.cut.records["body"]) if group.cut is not None else 0
        self._gathered.append(group)
        self._rows += group.height
        self._bytes += size
        self.tick()
        return size

    def note(self, row: Mapping[str, Any]) -> None:
        self._notes.append(row)

    def tick(self) -> None:
        """Store what is gathered if it is much or has waited long."""
        waits = max(self._delay - self._took, self._delay / 5)
        if self._rows >= COMMIT_ROWS or self._bytes >= COMMIT_BYTES or (self._gathered and time.monotonic() - self._since >= waits):
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
        began = time.monotonic()
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
            self._took = time.monotonic() - began
            self._upkeep()


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

