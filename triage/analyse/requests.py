"""The life of each request id over the services that name it."""

from __future__ import annotations

from triage.analyse.model import RequestLife, Window
from triage.query import Session

_LISTS = ("services", "task_ids", "problems", "record_ids")


def request_lives(session: Session, window: Window, most: int = 1000) -> tuple[RequestLife, ...]:
    """Requests in order of their first record; of many those that had a problem or were slowest."""
    rows = session.named("request_lives", since=window.start, until=window.end, most=most)
    rows = rows.sort("start", "request_id")
    return tuple(RequestLife(**row | {key: tuple(row[key]) for key in _LISTS}) for row in rows.iter_rows(named=True))
