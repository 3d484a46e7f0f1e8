"""What the analysis says: frozen values with plain fields, ready for a report, JSON or a terminal.

`record_ids` always name rows of the lake, so every statement can be looked up. Times are aware UTC datetimes.
A value that the logs cannot tell is None, never a guessed number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of time that is looked at: `start` inclusive, `end` exclusive."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why something is claimed: a sentence of plain text and the records behind it."""

    sentence: str
    record_ids: tuple[str, ...] = ()
    kind: str = "records"  # records | onset | leads_to | shared_keys | only_candidate | ambiguous | derived | changed_…
    values: Mapping[str, str] = field(default_factory=dict)  # what a translation of the sentence needs


@dataclass(frozen=True, slots=True)
class Cause:
    """The problem that most likely began an incident, and how sure that is (0..1)."""

    problem: str
    service: str
    first_seen: datetime
    confidence: float
    evidence: tuple[Evidence, ...]
    runner_up: str | None = None  # the problem that came second, where there was one

    @property
    def level(self) -> str:
        """high, medium or low."""
        return "high" if self.confidence >= 0.75 else "medium" if self.confidence >= 0.5 else "low"


@dataclass(frozen=True, slots=True)
class Step:
    """One problem of an incident in the order of onset."""

    problem: str
    service: str  # where it was first seen
    services: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    count: int
    after_s: float  # seconds after the incident's start
    role: str  # cause | effect | symptom (related in time only)
    caused_by: tuple[str, ...]  # problems of this incident that lead to it
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class RouteImpact:
    route: str
    requests: int
    failed: int
    slow: int


@dataclass(frozen=True, slots=True)
class TaskImpact:
    task_name: str
    tasks: int
    failed: int
    retried: int
    late: int
    lost: int
    stuck: int


@dataclass(frozen=True, slots=True)
class Impact:
    """Whom it hit. Counts are of distinct tasks, requests, users and jobs."""

    failed_tasks: int
    failed_requests: int
    slow_requests: int
    retried_tasks: int
    late_tasks: int
    lost_tasks: int
    stuck_tasks: int
    users: int
    jobs: int
    degraded_minutes: float
    by_route: tuple[RouteImpact, ...] = ()
    by_task: tuple[TaskImpact, ...] = ()
    error_budget_used: float | None = None  # share of the window's budget, where a target is set


@dataclass(frozen=True, slots=True)
class Incident:
    """A stretch of abnormal problems that belong together. `open` where it lasts to the window's end."""

    id: str
    start: datetime
    end: datetime
    open: bool
    problems: tuple[str, ...]  # in order of onset
    services: tuple[str, ...]
    counts: Mapping[str, int]  # problem -> failures
    suspected_cause: Cause | None
    chain: tuple[Step, ...]
    impact: Impact
    why: str = ""  # why this is no background noise
    record_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskLife:
    """What is known of one task id, over app, Beat and worker."""

    task_id: str
    task_name: str | None
    state: str  # sent | received | running | retrying | succeeded | failed | timeout | revoked | rejected | lost | stuck
    sent_at: datetime | None
    sent_by: str | None
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    worker: str | None
    receipts: int
    retries: int
    ends: int  # more than one: it ran twice
    wait_ms: float | None
    run_ms: float | None
    late: bool
    inferred: bool  # the state was concluded, not logged
    job_id: str | None
    request_id: str | None
    user_id: str | None
    reason: str | None  # exception type, or why the state was inferred
    record_ids: tuple[str, ...]

    @property
    def duplicate(self) -> bool:
        """Ended more than once, or received again without a retry between."""
        return self.ends > 1 or self.receipts > self.retries + 1


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """All tasks of one name."""

    task_name: str
    tasks: int
    received: int
    succeeded: int
    failed: int  # failed, timeout and lost
    timeouts: int
    retried: int
    late: int
    lost: int
    stuck: int
    unfinished: int
    duplicates: int
    mean_wait_ms: float | None
    p95_wait_ms: float | None
    mean_run_ms: float | None
    p95_run_ms: float | None
    max_run_ms: float | None


@dataclass(frozen=True, slots=True)
class RequestLife:
    """One request id over the services that name it."""

    request_id: str
    start: datetime
    end: datetime
    services: tuple[str, ...]
    method: str | None
    route: str | None
    status_code: int | None
    duration_ms: float | None
    user_id: str | None
    job_id: str | None
    task_ids: tuple[str, ...]
    problems: tuple[str, ...]
    record_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlowQuery:
    """Statements of one shape. `waiting` of them spent their time waiting for a lock, so are consequences."""

    fingerprint: str
    query: str
    count: int
    total_ms: float
    mean_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    first_seen: datetime
    last_seen: datetime
    services: tuple[str, ...]
    waiting: int
    record_ids: tuple[str, ...]  # the slowest first
    example: str
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class DeadlockProcess:
    pid: int
    waits_for: int | None
    lock: str | None  # "ShareLock on transaction 726"
    relation: str | None
    query: str | None


@dataclass(frozen=True, slots=True)
class Deadlock:
    timestamp: datetime
    service: str
    processes: tuple[DeadlockProcess, ...]
    victim: int | None
    record_id: str
    shape: str  # equal for deadlocks between statements of the same shapes


@dataclass(frozen=True, slots=True)
class DeadlockPair:
    """A recurring deadlock: the statement shapes that cross."""

    shape: str
    statements: tuple[str, ...]
    relations: tuple[str, ...]
    count: int
    first_seen: datetime
    last_seen: datetime
    record_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LockWait:
    timestamp: datetime
    service: str
    pid: int
    lock: str
    holders: tuple[int, ...]
    waited_ms: float
    acquired: bool
    relation: str | None
    query: str | None
    record_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Saturation:
    """Connections refused or waited for, by kind: pool (in the app) or server (too many clients)."""

    kind: str
    service: str
    count: int
    first_seen: datetime
    last_seen: datetime
    limit: int | None
    record_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    timestamp: datetime
    service: str
    buffers: int | None
    total_s: float | None
    distance_kb: int | None
    record_id: str


@dataclass(frozen=True, slots=True)
class TempFile:
    timestamp: datetime
    service: str
    bytes: int
    query: str | None
    record_id: str


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """A message never seen before in the lake, or far more frequent than it used to be."""

    fingerprint: str
    template: str
    service: str
    severity: str
    severity_number: int
    problem: str | None
    count: int
    first_seen: datetime
    last_seen: datetime
    kind: str  # new | rising
    per_hour: float
    usual_per_hour: float
    record_id: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """What used to come regularly and came no more: `period_s` is how it used to come."""

    what: str
    kind: str  # beat | task | service | heartbeat
    service: str
    last_seen: datetime
    period_s: float
    silent_s: float
    count: int
    resumed_at: datetime | None
    record_id: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule, evaluated. `since` is when it began to hold, None when it never did in the window."""

    rule: str
    firing: bool  # at some time in the window
    value: float | None  # the worst value
    threshold: float
    unit: str
    since: datetime | None
    until: datetime | None
    active: bool  # at the window's end
    summary: str
    severity: str = "warning"


@dataclass(frozen=True, slots=True)
class MemoryTrend:
    """A life of a container whose memory grows steadily. The hourly growth has a 99 % interval."""

    service: str
    container_name: str
    container_id: str
    start: datetime
    end: datetime
    samples: int
    first_bytes: int
    last_bytes: int
    limit_bytes: int | None
    bytes_per_hour: float
    least_per_hour: float
    most_per_hour: float
    time_to_limit: timedelta | None  # from the last sample, at this rate; None without a limit
    record_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClockSkew:
    """How far a service's own clock is ahead of the reference (positive: ahead)."""

    service: str
    reference: str
    skew_s: float
    spread_s: float
    pairs: int
    method: str  # receive_time | shared_ids


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    fingerprint: str
    template: str
    problem: str | None
    exception_type: str | None
    services: tuple[str, ...]
    count: int
    first_seen: datetime
    last_seen: datetime
    record_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnclassifiedGroup:
    fingerprint: str
    template: str
    exception_type: str | None
    services: tuple[str, ...]
    count: int
    first_seen: datetime
    last_seen: datetime
    record_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProblemCount:
    """A finding: records whose primary problem this is, derived findings included."""

    problem: str
    count: int  # distinct failures: two printings of one failure count once
    records: int
    first_seen: datetime
    last_seen: datetime
    services: tuple[str, ...]
    by_service: Mapping[str, int]
    derived: bool
    record_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """matched + benign + unclassified = records."""

    records: int
    errors: int
    matched: int
    benign: int
    unclassified: int
    lines: int
    by_service: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Settings:
    """The thresholds of the analysis, each with the reason for its default in `incidents.py` and beside its use."""

    slow_request_ms: float = 1000.0  # the guide's alert rule: p95 over one second
    task_failure_rate: float = 0.1  # the guide's alert rule: failures a second over five minutes
    alert_window_s: float = 300.0
    minimum_failures: int = 3  # two can be chance; three distinct failures within seconds are a burst
    false_alarm: float = 1e-6  # chance that steady noise looks like a burst, per event looked at
    ratio: float = 3.0  # real noise is no Poisson process: less than three times the usual is still usual
    quiet_rate_per_hour: float = 0.5  # what a problem never seen before is assumed to do anyway
    leak_minimum_s: float = 600.0  # a program that starts fills its memory for minutes
    error_target: float | None = None  # e.g. 0.999 of the requests succeed: enables the error budget
    user_alerts: Mapping[str, str] = field(default_factory=dict)  # rule name -> SQL giving value, threshold
