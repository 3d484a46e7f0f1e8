"""The life of each request id over the services that name it."""

from __future__ import annotations

from triage.analyse.model import RequestLife, Window
from triage.query import Session

_LISTS = ("services", "task_ids", "problems", "record_ids")


def request_lives(session: Session, window: Window, most: int | None = None) -> tuple[RequestLife, ...]:
    """Requests in order of their first record; with `most` only so many that had a problem or were slowest."""
    limit = {} if most is None else {"most": most}
    rows = session.named("request_lives", since=window.start, until=window.end, **limit)
    rows = rows.sort("start", "request_id")
    return tuple(RequestLife(**row | {key: tuple(row[key]) for key in _LISTS}) for row in rows.iter_rows(named=True))
