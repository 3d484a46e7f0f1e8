"""The life of each request id over the services that name it."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from triage.analyse.model import RequestLife, Window
from triage.query import Session

_EVIDENCE = 12


def request_lives(session: Session, window: Window, most: int | None = None) -> tuple[RequestLife, ...]:
    """Requests in order of their first record; with `most` only the first so many that had a problem or were slowest."""
    events = session.named("request_events", since=window.start, until=window.end)
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in events.iter_rows(named=True):
        rows[row["request_id"]].append(row)
    lives = [_life(ident, each) for ident, each in rows.items()]
    if most is not None:
        lives = sorted(lives, key=lambda life: (not life.problems, -(life.duration_ms or 0), life.request_id))[:most]
    return tuple(sorted(lives, key=lambda life: (life.start, life.request_id)))


def _life(request_id: str, rows: list[dict[str, Any]]) -> RequestLife:
    def first(column: str) -> Any:
        return next((row[column] for row in rows if row[column] is not None), None)

    def distinct(column: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row[column] for row in rows if row[column] is not None))

    start: datetime = rows[0]["timestamp"]
    end: datetime = rows[-1]["timestamp"]
    answered = next((row for row in rows if row["status_code"] is not None and row["method"] is not None), None)
    stated = answered["duration_ms"] if answered else None
    return RequestLife(
        request_id=request_id,
        start=start,
        end=end,
        services=distinct("service_name"),
        method=first("method"),
        route=first("path"),
        status_code=answered["status_code"] if answered else None,
        duration_ms=stated if stated is not None else (end - start).total_seconds() * 1000,
        user_id=first("user_id"),
        job_id=first("job_id"),
        task_ids=distinct("task_id"),
        problems=distinct("problem"),
        record_ids=tuple(row["record_id"] for row in rows[:_EVIDENCE]),
    )
