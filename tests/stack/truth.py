"""What really happened, as the driver saw it from its own side; written as JSON for the tests to compare with.

`count` is the number of failures (requests, tasks, statements, deadlocks, kills), however many log lines each of them
left behind. `where` says in which services' logs they can be found, and how many of them in each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def now() -> str:
    """The driver's clock."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Effect:
    """One problem that a fault brought about."""

    problem: str
    count: int
    where: dict[str, int]
    # True where the same log record already shows a more specific problem (a task that failed on a provider's refusal).
    secondary: bool = False
    requests: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deadlock:
    """Two transactions that waited for each other, seen in pg_locks while they did."""

    seen: str
    relation: str
    pids: tuple[int, ...]
    statements: tuple[str, ...]


@dataclass(frozen=True)
class SlowStatement:
    """One statement shape that took longer than the server's threshold, timed by its caller."""

    shape: str
    count: int
    fastest_ms: float
    slowest_ms: float


@dataclass
class Fault:
    """One injection."""

    name: str
    start: str
    end: str = ""
    effects: list[Effect] = field(default_factory=list)
    deadlocks: list[Deadlock] = field(default_factory=list)
    slow_statements: list[SlowStatement] = field(default_factory=list)
    # Statements that the server logs as slow although they only waited for someone else.
    consequences: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decoy:
    """A healthy request or task whose text reads like a failure."""

    service: str
    text: str
    request_id: str
    task_id: str | None = None


@dataclass
class Truth:
    """The whole run."""

    seed: int
    start: str
    end: str = ""
    slow_ms: int = 0
    faults: list[Fault] = field(default_factory=list)
    decoys: list[Decoy] = field(default_factory=list)
    http: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    provider_answers: dict[str, int] = field(default_factory=dict)
    database_deadlocks: int = 0
    engine_events: list[dict[str, str]] = field(default_factory=list)

    def expected(self) -> dict[str, dict[str, Any]]:
        """Per problem: how many failures, how many of them first and foremost this problem, and where."""
        return total(effect for fault in self.faults for effect in fault.effects)

    def write(self, path: Path) -> None:
        content = {"expected": self.expected(), **asdict(self)}
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def total(effects: Iterable[Effect]) -> dict[str, dict[str, Any]]:
    """Effects summed by problem."""
    sums: dict[str, dict[str, Any]] = {}
    for effect in effects:
        row = sums.setdefault(effect.problem, {"count": 0, "primary": 0, "where": {}})
        row["count"] += effect.count
        row["primary"] += 0 if effect.secondary else effect.count
        for service, count in effect.where.items():
            row["where"][service] = row["where"].get(service, 0) + count
    return dict(sorted(sums.items()))
