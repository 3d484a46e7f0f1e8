"""Slow statements by shape, each execution counted once.

`auto_explain` and `log_min_duration_statement` log one execution twice; the pair becomes one execution, with its plan.
A statement that spent its time waiting for a lock is counted and marked: it is a consequence of who held the lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from triage.analyse.model import SlowQuery, Window
from triage.analyse.statements import fingerprint, shape
from triage.analyse.tasks import quantile
from triage.query import Session

SLOW = "db.slow_query"
_PAIR = timedelta(seconds=1)  # plan and statement are printed one after the other by one process
_EVIDENCE = 10
_NO_TEXT = "(statement not logged)"


@dataclass(frozen=True, slots=True)
class Execution:
    timestamp: datetime
    service: str
    pid: str | None
    duration_ms: float
    query: str
    record_id: str
    slow: bool
    plan: str | None = None
    waited: bool = False


def slow_queries(session: Session, window: Window, most: int | None = None) -> tuple[SlowQuery, ...]:
    """Statements that a pattern calls slow, by shape, those that cost most time first."""
    params = {"since": window.start, "until": window.end}
    each = executions(session.named("slow_statements", **params))
    waits = _waits(session.named("lock_waits", **params))
    slow = [_waited(execution, waits) for execution in each if execution.slow]
    shapes: dict[str, list[Execution]] = defaultdict(list)
    for execution in slow:
        shapes[shape(execution.query)].append(execution)
    made = [_slow_query(text, of_shape) for text, of_shape in shapes.items()]
    made.sort(key=lambda query: (-query.total_ms, query.fingerprint))
    return tuple(made[:most])


def executions(statements: pl.DataFrame) -> list[Execution]:
    """Executions from the query `slow_statements`: a plan and its statement merged into one."""
    merged: list[Execution] = []
    plans: dict[tuple[str, str | None], list[Execution]] = defaultdict(list)
    rows = statements.to_dicts()
    for row in rows:
        if row["kind"] == "plan":
            plans[row["service_name"], row["process_id"]].append(_execution(row))
    for row in rows:
        if row["kind"] == "plan":
            continue
        execution = _execution(row)
        candidates = plans.get((execution.service, execution.pid), [])
        plan = next((plan for plan in candidates if _same(plan, execution)), None)
        if plan is not None:
            candidates.remove(plan)
            query = execution.query if execution.query != _NO_TEXT else plan.query
            execution = replace(execution, plan=plan.plan, query=query, slow=execution.slow or plan.slow)
        merged.append(execution)
    merged += [plan for left in plans.values() for plan in left]
    return sorted(merged, key=lambda execution: (execution.timestamp, execution.record_id))


def _execution(row: dict[str, Any]) -> Execution:
    plan = row["body"] if row["kind"] == "plan" else None
    query = (row["query"] or "").strip() or _NO_TEXT
    return Execution(
        row["timestamp"],
        row["service_name"],
        row["process_id"],
        row["duration_ms"],
        query,
        row["record_id"],
        row["problem"] == SLOW,
        plan,
    )


def _same(plan: Execution, execution: Execution) -> bool:
    """Whether plan and statement are one execution: near in time, and the statement lasted as long and a bit more."""
    longer = execution.duration_ms - plan.duration_ms
    near = abs(execution.timestamp - plan.timestamp) <= _PAIR
    return near and -1.0 <= longer <= 10 + 0.1 * plan.duration_ms


def _waits(lock_waits: pl.DataFrame) -> dict[tuple[str, str], list[tuple[datetime, float]]]:
    waits: dict[tuple[str, str], list[tuple[datetime, float]]] = defaultdict(list)
    for row in lock_waits.iter_rows(named=True):
        waits[row["service_name"], str(row["pid"])].append((row["timestamp"], row["waited_ms"]))
    return waits


def _waited(execution: Execution, waits: dict[tuple[str, str], list[tuple[datetime, float]]]) -> Execution:
    """Marked where the same process was waiting for a lock for most of the statement's time."""
    start = execution.timestamp - timedelta(milliseconds=execution.duration_ms)
    own = waits.get((execution.service, execution.pid or ""), ())
    longest = max((ms for when, ms in own if start <= when <= execution.timestamp + _PAIR), default=0.0)
    return replace(execution, waited=longest >= execution.duration_ms / 2)


def _slow_query(text: str, each: Sequence[Execution]) -> SlowQuery:
    slowest = sorted(each, key=lambda execution: (-execution.duration_ms, execution.record_id))
    times = sorted(execution.duration_ms for execution in each)
    total = sum(times)
    return SlowQuery(
        fingerprint=fingerprint(text),
        query=text,
        count=len(each),
        total_ms=round(total, 3),
        mean_ms=round(total / len(each), 3),
        p95_ms=round(quantile(times, 0.95) or 0.0, 3),
        p99_ms=round(quantile(times, 0.99) or 0.0, 3),
        max_ms=times[-1],
        first_seen=min(execution.timestamp for execution in each),
        last_seen=max(execution.timestamp for execution in each),
        services=tuple(sorted({execution.service for execution in each})),
        waiting=sum(execution.waited for execution in each),
        record_ids=tuple(execution.record_id for execution in slowest[:_EVIDENCE]),
        example=slowest[0].query,
        plan=next((execution.plan for execution in slowest if execution.plan), None),
    )
