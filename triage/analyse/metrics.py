"""The guide's monitoring figures as metrics: response times, ends and times of tasks, connections, memory, processor.

Counters count what the lake holds, day by day: a day that has not changed is not read again, so a long history costs
nothing at a scrape. Gauges are the last known values; what is older than `_STALE` is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from triage.analyse.model import Alert
from triage.query import Session

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_RECENT = timedelta(minutes=5)
_STALE = {"metrics_containers": timedelta(minutes=5), "metrics_programs": timedelta(hours=2)}
# What is counted, by the query that counts it and the columns that tell its rows apart.
_COUNTED = {
    "metrics_requests": ("service_name", "le"),
    "metrics_statuses": ("service_name", "code"),
    "metrics_tasks": ("task_name",),
    "metrics_task_times": ("task_name", "le"),
    "metrics_records": ("service_name", "problem"),
}
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value; `suffix` belongs to the name: _bucket, _sum, _count."""

    value: float
    labels: Labels = ()
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name without _total, its kind (counter, gauge, histogram), and its values."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """How the collector is doing, from the lake itself."""

    last_commit: datetime | None = None
    gaps: int = 0
    undecodable: int = 0


@dataclass
class Counters:
    """Sums over all days of the lake; days whose number of records is unchanged are remembered."""

    _days: dict[tuple[date, int], dict[str, pl.DataFrame]] = field(default_factory=dict)

    def read(self, session: Session) -> dict[str, pl.DataFrame]:
        """Each query of `_COUNTED`, summed over the days."""
        for day, records in session.named("metrics_days").iter_rows():
            if (day, records) not in self._days:
                self._days = {key: frames for key, frames in self._days.items() if key[0] != day}
                start = datetime.combine(day, time(), UTC)
                self._days[day, records] = counted(session, start, start + timedelta(days=1))
        days = list(self._days.values()) or [counted(session, _NEVER, _NEVER + timedelta(days=1))]
        return {
            name: pl.concat([frames[name] for frames in days]).group_by(keys).agg(pl.all().sum()).sort(keys)
            for name, keys in _COUNTED.items()
        }


def counted(session: Session, start: datetime, end: datetime) -> dict[str, pl.DataFrame]:
    """What is counted, in one stretch of time."""
    return {name: session.named(name, since=start, until=end) for name in _COUNTED}


def metrics(
    session: Session, at: datetime, counts: Mapping[str, pl.DataFrame], alerts: Sequence[Alert] = (),
    health: Health | None = None, version: str = "",
) -> tuple[Family, ...]:  # fmt: skip
    """All families that have a value at this time."""
    made = [
        *_requests(counts), *_tasks(counts), *_recent(session, at), *_containers(session, at), *_programs(session, at),
        *_alerts(alerts), *_collector(counts, health or Health(), version),
    ]  # fmt: skip
    return tuple(family for family in made if family.samples)


def _requests(counts: Mapping[str, pl.DataFrame]) -> Iterator[Family]:
    yield _histogram(
        "http_request_duration_seconds", "Time until a request was answered.", counts["metrics_requests"], "service_name",
        "service", "requests",
    )  # fmt: skip
    yield Family("http_requests", "counter", "Answered requests, by class of their status.", _samples(
        counts["metrics_statuses"], "requests", service="service_name", code="code"))  # fmt: skip


def _tasks(counts: Mapping[str, pl.DataFrame]) -> Iterator[Family]:
    frame = counts["metrics_tasks"]
    for column, told in (
        ("failures", "failed, timed out or were lost"),
        ("successes", "succeeded"),
        ("retries", "are to run again"),
    ):
        yield Family(f"ai_task_{column}", "counter", f"Tasks that {told}.", _samples(frame, column, task="task_name"))
    yield _histogram(
        "ai_task_duration_seconds", "Time that tasks ran.", counts["metrics_task_times"], "task_name", "task", "tasks"
    )


def _recent(session: Session, at: datetime) -> Iterator[Family]:
    row = session.named("metrics_recent", since=at - _RECENT, until=at).row(0, named=True)
    percentiles = {"50": row["p50_s"], "95": row["p95_s"], "99": row["p99_s"]}
    yield Family(
        "http_request_duration_recent_seconds", "gauge", "Percentiles of the response time over the last 5 minutes.",
        tuple(Sample(value, (("percentile", p),)) for p, value in percentiles.items() if value is not None),
    )  # fmt: skip
    ended = row["successes"] + row["failures"]
    yield Family("ai_task_success_ratio", "gauge", "Share of the tasks that ended in the last 5 minutes that succeeded.",
                 (Sample(row["successes"] / ended),) if ended else ())  # fmt: skip
    yield Family("ai_task_duration_mean_seconds", "gauge", "Mean time of the tasks that ended in the last 5 minutes.",
                 _one(row["mean_task_s"]))  # fmt: skip


def _containers(session: Session, at: datetime) -> Iterator[Family]:
    frame = session.named("metrics_containers", since=at - _STALE["metrics_containers"], until=at)
    for name, kind, column, told in (
        (
            "container_memory_working_set_bytes",
            "gauge",
            "memory_bytes",
            "Memory without the page cache that can be dropped.",
        ),
        ("container_spec_memory_limit_bytes", "gauge", "memory_limit_bytes", "Limit of memory."),
        ("container_cpu_usage_seconds", "counter", "cpu_seconds", "Processor time since the start."),
        ("container_restarts", "counter", "restarts", "Starts after an end, as far as the lake knows."),
        ("container_oom_kills", "counter", "oom_kills", "Ends for want of memory, as far as the lake knows."),
    ):
        yield Family(name, kind, told, _samples(frame, column, container="container_name", service="service_name"))


def _programs(session: Session, at: datetime) -> Iterator[Family]:
    frame = session.named("metrics_programs", since=at - _STALE["metrics_programs"], until=at)
    sessions = frame.filter((pl.col("probe") == "postgres_sessions") & pl.col("value").is_not_null())
    queues = frame.filter(
        (pl.col("probe") != "postgres_sessions") & pl.col("value").is_not_null() & (pl.col("key") != "")
    )
    by_queue = {"service": "service_name", "queue": "key"}
    limits = sessions.group_by("service_name", maintain_order=True).agg(pl.col("most").max())
    yield Family(
        "db_connections",
        "gauge",
        "Database sessions by state.",
        _samples(sessions, "value", service="service_name", state="key"),
    )
    yield Family(
        "db_connections_max",
        "gauge",
        "Most sessions that the database admits.",
        _samples(limits, "most", service="service_name"),
    )
    yield Family("queue_messages", "gauge", "Messages in a queue.", _samples(queues, "value", **by_queue))
    yield Family("queue_consumers", "gauge", "Consumers of a queue.", _samples(queues, "most", **by_queue))
    asked = (
        frame.group_by("container_name", "probe", maintain_order=True)
        .agg(up=1 - pl.col("failed").any().cast(pl.Int8), seconds=pl.col("duration_ms").max() / 1000)
        .sort("container_name", "probe")
    )
    pair = {"container": "container_name", "probe": "probe"}
    yield Family(
        "triage_probe_up", "gauge", "Whether the probe was answered at its last turn.", _samples(asked, "up", **pair)
    )
    yield Family(
        "triage_probe_duration_seconds",
        "gauge",
        "How long the probe took at its last turn.",
        _samples(asked, "seconds", **pair),
    )


def _alerts(alerts: Sequence[Alert]) -> Iterator[Family]:
    yield Family("triage_alert_firing", "gauge", "Whether the rule fired in the window.",
                 tuple(Sample(float(alert.firing), (("rule", alert.rule),)) for alert in alerts))  # fmt: skip
    yield Family("triage_alert_value", "gauge", "The worst value of the rule in the window.", tuple(
        Sample(alert.value, (("rule", alert.rule),)) for alert in alerts if alert.value is not None))  # fmt: skip


def _collector(counts: Mapping[str, pl.DataFrame], health: Health, version: str) -> Iterator[Family]:
    records = counts["metrics_records"]
    whole = records.group_by("service_name").agg(pl.col("records").sum()).sort("service_name")
    problems = records.filter(pl.col("problem") != "")
    yield Family(
        "triage_records", "counter", "Records in the lake.", _samples(whole, "records", service="service_name")
    )
    yield Family("triage_problem_records", "counter", "Records with a problem.", _samples(
        problems, "records", service="service_name", problem="problem"))  # fmt: skip
    yield Family("triage_last_commit_timestamp_seconds", "gauge", "When something was last stored.",
                 _one(health.last_commit.timestamp() if health.last_commit else None))  # fmt: skip
    yield Family(
        "triage_collection_gaps", "counter", "Stretches of logs that could not be collected.", _one(health.gaps)
    )
    yield Family(
        "triage_undecodable_lines",
        "counter",
        "Lines with bytes that are not valid in their encoding.",
        _one(health.undecodable),
    )
    yield Family("triage_build_info", "gauge", "The version that tells this.", (Sample(1.0, (("version", version),)),))


def _samples(frame: pl.DataFrame, value: str, **labels: str) -> tuple[Sample, ...]:
    """A sample for each row that has a value; labels by name and column."""
    return tuple(
        Sample(float(row[value]), tuple((name, str(row[column])) for name, column in labels.items()))
        for row in frame.iter_rows(named=True)
        if row[value] is not None
    )


def _one(value: float | None) -> tuple[Sample, ...]:
    return () if value is None else (Sample(float(value)),)


def _histogram(name: str, told: str, frame: pl.DataFrame, by: str, label: str, count: str) -> Family:
    samples: list[Sample] = []
    for (of,), part in frame.sort(by, "le").group_by(by, maintain_order=True):
        own: Labels = ((label, str(of)),)
        samples += [
            Sample(float(n), (*own, ("le", repr(float(le)))), "_bucket")
            for le, n in part.select("le", count).iter_rows()
        ]
        total, seconds = float(part["total"][0]), float(part["sum_s"][0])
        samples += [
            Sample(total, (*own, ("le", "+Inf")), "_bucket"),
            Sample(seconds, own, "_sum"),
            Sample(total, own, "_count"),
        ]
    return Family(name, "histogram", told, tuple(samples))
