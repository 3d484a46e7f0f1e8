"""Synthetic records in the lake's schema: a healthy hour, noise, and faults whose truth is known.

Records are made as rows, in no particular order; `write` turns them into Parquet files as the lake holds them.
Randomness is seeded, so a test sees the same hour every time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import polars as pl

from triage import schema

START = datetime(2026, 2, 3, 10, tzinfo=UTC)
APP, WORKER, BEAT, DB, BROKER = "shop-api", "shop-worker", "shop-beat", "shop-db", "shop-mq"
SOURCES = {APP: "app", WORKER: "celery", BEAT: "beat", DB: "postgres", BROKER: "rabbitmq"}
LEADS_TO = {
    "provider.rate_limited": ("task.retry", "task.failed", "api.server_error"),
    "provider.timeout": ("task.retry", "task.failed", "task.timeout", "api.server_error"),
    "provider.invalid_api_key": ("task.failed", "api.server_error"),
    "task.retry": ("task.failed",),
    "task.timeout": ("task.failed", "db.pool_exhausted"),
    "task.worker_lost": ("task.failed", "task.stuck_pending"),
    "broker.connection_lost": ("task.stuck_pending",),
    "db.pool_exhausted": ("api.server_error", "task.failed"),
    "db.slow_query": ("api.slow_response", "db.pool_exhausted"),
    "db.lock_timeout": ("db.slow_query", "db.deadlock", "db.pool_exhausted"),
    "db.deadlock": ("task.failed", "api.server_error"),
}

Row = dict[str, Any]


class Story:
    """Rows of one lake, added to by healthy traffic and faults."""

    def __init__(self, seed: int = 1, start: datetime = START, names: Mapping[str, str] | None = None) -> None:
        self.random = random.Random(seed)
        self.start = start
        self.names = names or {}
        self.rows: list[Row] = []
        self.tasks = 0

    def at(self, seconds: float) -> datetime:
        return self.start + timedelta(seconds=seconds)

    def add(self, seconds: float, service: str, message: str, problem: str | None = None, **fields: Any) -> Row:
        severity = fields.pop("severity", 17 if problem else 9)
        attributes: Mapping[str, str] = fields.pop("attributes", {})
        template = fields.pop("template", "".join("#" if c.isdigit() else c for c in message.splitlines()[0]))
        row: Row = {
            "timestamp": self.at(seconds),
            "service_name": self.names.get(service, service),
            "source": SOURCES.get(service, "other"),
            "severity_number": severity,
            "severity_text": {9: "INFO", 13: "WARNING", 17: "ERROR", 21: "CRITICAL"}.get(severity, "INFO"),
            "body": message,
            "message": message.splitlines()[0],
            "problem": problem,
            "problems": [problem] if problem else None,
            "pattern": problem,
            "template": template,
            "fingerprint": int.from_bytes(blake2b(template.encode(), digest_size=8).digest(), "big"),
            "attributes": [{"key": key, "value": value} for key, value in attributes.items()] or None,
            "line_count": message.count("\n") + 1,
        }
        self.rows.append(row | fields)
        return self.rows[-1]

    def healthy(self, length_s: float, requests_per_s: float = 0.5, tasks_per_s: float = 0.2, beat_s: float = 30) -> None:
        """Requests, tasks that succeed, and the scheduler's ticks."""
        for second in self._poisson(length_s, requests_per_s):
            self.request(second, status=200)
        for second in self._poisson(length_s, tasks_per_s):
            self.task(second)
        for tick in range(int(length_s / beat_s)):
            self.add(tick * beat_s, BEAT, "Scheduler: Sending due task sweep (shop.sweep)",
                     task_name="shop.sweep", attributes={"beat.entry": "sweep"})  # fmt: skip

    def noise(self, length_s: float, problem: str, service: str, per_s: float) -> None:
        """Failures that come all the time."""
        for second in self._poisson(length_s, per_s):
            self.add(second, service, f"usual trouble with item {self.random.randrange(1000)}", problem)

    def request(self, second: float, status: int = 200, duration_ms: float | None = None, path: str | None = None,
                problem: str | None = None, user: str | None = None) -> Row:  # fmt: skip
        path = path or f"/api/v1/jobs/{self.random.randrange(10_000)}"
        took = duration_ms if duration_ms is not None else self.random.uniform(5, 80)
        return self.add(
            second, APP, f'"GET {path} HTTP/1.1" {status}', problem, severity=9, status_code=status, duration_ms=took,
            user_id=user, attributes={"http.request.method": "GET", "url.path": path})  # fmt: skip

    def task(self, second: float, end: str | None = "succeeded", received: bool = True, run_s: float | None = None,
             wait_s: float = 0.02, problem: str | None = None, name: str = "shop.render") -> str:  # fmt: skip
        """One task from the application's line to its end; returns its id."""
        self.tasks += 1
        # An id depends on the seed only through its number, so equal stories have equal ids.
        task_id = f"{self.tasks:08x}-0000-4000-8000-{self.random.getrandbits(48):012x}"
        run_s = run_s if run_s is not None else self.random.uniform(0.1, 1.5)
        job = f"job-{self.tasks}"
        user = f"user-{self.tasks % 17}"
        self.add(second, APP, f"task queued task_id={task_id} job_id={job}", task_id=task_id, job_id=job, user_id=user)
        if received:
            self.worker(second + wait_s, task_id, "received", f"Task {name}[{task_id}] received", name)
            if end:
                self.end(second + wait_s + run_s, task_id, end, run_s, problem, name)
        return task_id

    def worker(self, second: float, task_id: str, state: str, message: str, name: str = "shop.render",
               problem: str | None = None, **fields: Any) -> Row:  # fmt: skip
        return self.add(second, WORKER, message, problem, task_id=task_id, task_name=name,
                        attributes={"celery.state": state}, **fields)  # fmt: skip

    def end(self, second: float, task_id: str, state: str, run_s: float, problem: str | None = None,
            name: str = "shop.render") -> None:  # fmt: skip
        if state == "succeeded":
            self.worker(second, task_id, state, f"Task {name}[{task_id}] succeeded in {run_s}s: None", name,
                        duration_ms=run_s * 1000)  # fmt: skip
        else:
            problems = [p for p in (problem, "task.failed") if p]
            self.worker(second, task_id, state, f"Task {name}[{task_id}] raised unexpected: Trouble()", name,
                        problem or "task.failed", problems=problems, severity=17)  # fmt: skip

    def slow_query(self, second: float, ms: float, sql: str, pid: int = 700, problem: str | None = "db.slow_query") -> None:
        self.add(second, DB, f"duration: {ms:.3f} ms  statement: {sql}", problem, severity=9, duration_ms=ms,
                 process_id=str(pid))  # fmt: skip

    def _poisson(self, length_s: float, per_s: float) -> Iterable[float]:
        second = self.random.expovariate(per_s)
        while second < length_s:
            yield second
            second += self.random.expovariate(per_s)

    def frame(self) -> pl.DataFrame:
        return frame(self.rows)


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    """Rows as the lake stores them: complete, sorted, with ids that depend on the content's order in each service."""
    made = pl.DataFrame(list(rows), schema_overrides=dict(schema.LOGS), infer_schema_length=None)
    made = made.with_columns(
        pl.lit(None, kind).alias(name) for name, kind in schema.LOGS.items() if name not in made.columns
    )
    order = pl.int_range(pl.len()).over("service_name")
    return (
        made.sort("service_name", "timestamp", maintain_order=True)
        .with_columns(
            date=pl.col("timestamp").dt.date(),
            position=order.cast(pl.Int64),
            origin=pl.coalesce("origin", pl.format("test:{}", "service_name")),
            record_id=pl.coalesce("record_id", pl.format("{}:{}", "source", order)),
        )
        .select(list(schema.LOGS))
        .cast(dict(schema.LOGS))  # type: ignore[arg-type]
    )


def write(rows: pl.DataFrame, folder: Path, files: int = 1) -> list[str]:
    """The frame as `files` Parquet files under date partitions, as a lake's file list."""
    paths: list[str] = []
    for (date,), part in rows.group_by(["date"], maintain_order=True):
        partition = folder / f"date={date}"
        partition.mkdir(parents=True, exist_ok=True)
        for number in range(files):
            path = partition / f"part-{number}.parquet"
            part.gather_every(files, number).drop("date").write_parquet(path)
            paths.append(str(path))
    return paths
