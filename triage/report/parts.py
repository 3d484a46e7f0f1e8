"""What a report is made of: frozen data, complete before anything is rendered.

Templates loop over these and print them; they never compute. Every part that shows a number carries the
`Query` that the number came from, so a reader can run it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from triage.analyse.model import (
    Alert,
    Checkpoint,
    ClockSkew,
    Deadlock,
    DeadlockPair,
    Impact,
    Incident,
    LockWait,
    MemoryTrend,
    NewTemplate,
    RequestLife,
    Saturation,
    SlowQuery,
    Stopped,
    TaskLife,
    TaskSummary,
    TempFile,
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What the library says about a problem id, in the report's language."""

    problem: str
    title: str
    severity: str
    guide: str | None = None
    leads_to: tuple[str, ...] = ()
    runbook: Path | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A named query as it was run: shown beside its figures, and run again by the tests."""

    name: str
    sql: str
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the lake, as evidence shows it."""

    record_id: str
    timestamp: datetime
    service: str
    severity: str
    severity_number: int
    message: str
    body: str
    problem: str | None
    origin: str
    position: int
    line_count: int = 1
    keys: Mapping[str, str] = field(default_factory=dict)  # task_id, job_id, user_id … where the record has them


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record with what stood before and after it in the same origin."""

    record: Record
    before: tuple[Record, ...]
    after: tuple[Record, ...]
    query: Query


@dataclass(frozen=True, slots=True)
class Buckets:
    """Counts per time step, sparse: `(step number, count)`, numbers from the report's `Axis`."""

    pairs: tuple[tuple[int, int], ...]

    @property
    def total(self) -> int:
        return sum(count for _, count in self.pairs)


@dataclass(frozen=True, slots=True)
class Axis:
    """The steps that all charts and counts of the page share, so that a selection can be counted exactly."""

    start: datetime
    step_s: int
    steps: int


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of the timeline: one problem in one service."""

    service: str
    problem: str
    severity: str  # error | warning | info
    first_seen: datetime
    last_seen: datetime
    count: int
    buckets: Buckets
    example: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened to a container: start, stop, restart, kill, new image."""

    timestamp: datetime
    service: str
    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Point:
    """One step of a line chart."""

    step: int
    series: str
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """A chart below the timeline. `name` is a key of the texts; `unit` is count (bars), number, ms or MB (lines).

    The lines' names are keys of the texts, or shown as they are: containers, queues.
    """

    name: str
    unit: str
    points: tuple[Point, ...]
    query: Query
    verbatim: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(point.series for point in self.points))


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem over all services."""

    problem: str
    severity: str
    count: int  # distinct failures
    records: int
    first_seen: datetime
    last_seen: datetime
    by_service: Mapping[str, int]  # distinct failures
    derived: bool  # concluded from what is missing, not logged
    buckets: Buckets  # of records

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(self.by_service)


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """What a service wrote."""

    service: str
    source: str
    records: int
    errors: int
    problems: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """How often a container began and ended."""

    service_name: str
    container_name: str
    starts: int
    restarts: int
    deployments: int
    failed_ends: int
    oom_kills: int
    last_exit_code: int | None
    last_end: datetime | None


@dataclass(frozen=True, slots=True)
class Table:
    """What programs said of themselves: rows of a query as they are shown. Name and columns are keys of the texts."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, object], ...]
    query: Query


@dataclass(frozen=True, slots=True)
class Runbook:
    """The guide's answer to a problem, filled in for this window. `html` is rendered Markdown without raw HTML."""

    problem: str
    html: str
    markdown: str


@dataclass(frozen=True, slots=True)
class Card:
    """A problem inside an incident: its numbers, its evidence and what to do."""

    problem: str
    severity: str
    count: int  # distinct failures
    records: int  # that say so; 0 where it was concluded from others
    derived: bool  # concluded from what is missing, not logged
    services: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    evidence: tuple[Evidence, ...]
    runbook: Runbook | None
    query: Query


@dataclass(frozen=True, slots=True)
class Chapter:
    """An incident with what the page adds to it: a card for each of its problems."""

    incident: Incident
    cards: tuple[Card, ...]
    query: Query
    routes: Query  # of the requests that it hit


@dataclass(frozen=True, slots=True)
class Crossing:
    """Deadlocks of one shape: one drawn, all counted."""

    example: Deadlock
    count: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Database:
    """What the database says of itself, beside slow statements and deadlocks."""

    pairs: tuple[DeadlockPair, ...] = ()
    lock_waits: tuple[LockWait, ...] = ()
    connections: tuple[Saturation, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    temp_files: tuple[TempFile, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors of one fingerprint."""

    fingerprint: str
    title: str
    problem: str | None
    exception_type: str | None
    severity: str
    count: int
    first_seen: datetime
    last_seen: datetime
    services: tuple[str, ...]
    buckets: Buckets
    example: Record


@dataclass(frozen=True, slots=True)
class Gap:
    origin: str
    service: str
    start: datetime | None
    end: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Origin:
    """One container or file that was read."""

    origin: str
    service: str
    records: int
    first_seen: datetime
    last_seen: datetime
    longest_silence_s: float | None


@dataclass(frozen=True, slots=True)
class Collection:
    """How complete the data is."""

    origins: tuple[Origin, ...]
    gaps: tuple[Gap, ...] = ()
    duplicates: int = 0
    truncated: int = 0
    undecodable: int = 0
    notes: tuple[str, ...] = ()
    query: Query | None = None

    @property
    def clean(self) -> bool:
        return not (self.gaps or self.duplicates or self.truncated or self.undecodable)


@dataclass(frozen=True, slots=True)
class EventColumns:
    """The searchable table, by column. `total` counts what the window holds, of which the newest may be left out."""

    timestamps_us: tuple[int, ...]
    services: tuple[int, ...]
    severities: tuple[int, ...]
    problems: tuple[int, ...]
    messages: tuple[str, ...]
    bodies: Mapping[int, str]
    record_ids: tuple[str, ...]
    service_names: tuple[str, ...]
    severity_names: tuple[tuple[str, int], ...]
    problem_ids: tuple[str, ...]
    total: int
    query: Query


@dataclass(frozen=True, slots=True)
class Totals:
    records: int
    errors: int
    problems: int  # records with a problem
    unclassified: int
    benign: int
    by_service: Mapping[str, int]
    query: Query


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the page, the JSON and the post-mortem say."""

    start: datetime
    end: datetime
    now: datetime
    lang: str
    axis: Axis
    totals: Totals
    services: tuple[ServiceRow, ...]
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]
    series: tuple[Series, ...]
    problems: tuple[ProblemRow, ...]
    chapters: tuple[Chapter, ...]
    slow_queries: tuple[SlowQuery, ...]
    deadlocks: tuple[Deadlock, ...]
    crossings: tuple[Crossing, ...]
    tasks: tuple[TaskSummary, ...]
    failed_requests: int  # answered with 5xx
    inferred_failures: int  # of the tasks that failed: no record states it, a worker's death implies it
    groups: tuple[ErrorGroup, ...]
    new: tuple[NewTemplate, ...]
    stopped: tuple[Stopped, ...]
    unclassified: tuple[ErrorGroup, ...]
    alerts: tuple[Alert, ...]
    skew: tuple[ClockSkew, ...]
    collection: Collection
    events: EventColumns
    queries: Mapping[str, Query]  # section -> query; `alert.<rule>` -> a rule's
    error_buckets: Buckets
    known: Mapping[str, Problem]  # every problem of the library
    impact: Impact  # of the whole window
    lives: tuple[TaskLife, ...]  # of tasks that did not go well
    requests: tuple[RequestLife, ...]  # that had a problem, or were the slowest
    database: Database
    version: str = ""
    containers: tuple[ContainerRow, ...] = ()
    memory: tuple[MemoryTrend, ...] = ()
    programs: tuple[Table, ...] = ()

    @property
    def incidents(self) -> tuple[Incident, ...]:
        return tuple(chapter.incident for chapter in self.chapters)

    @property
    def drawn(self) -> bool:
        """Whether there is anything to draw a chart of."""
        return bool(self.lanes or self.marks or self.series)

    @property
    def many_days(self) -> bool:
        """Whether a time of day alone would be ambiguous; the end itself is not in the window."""
        return self.start.date() != (self.end - timedelta(microseconds=1)).date()

    @property
    def start_form(self) -> str:
        """How the window's start is printed: to the second where that matters."""
        whole = self.start.second == self.end.second == 0
        return "d" if whole or self.end - self.start > timedelta(hours=2) else "ds"

    @property
    def end_form(self) -> str:
        """As the start, without a date that is the same."""
        same = self.start.date() == self.end.date()
        return {"d": "hm", "ds": "s"}[self.start_form] if same else self.start_form
