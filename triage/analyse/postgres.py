"""What the database says of its locks, connections, checkpoints and temporary files."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from triage.analyse.model import Checkpoint, LockWait, Saturation, TempFile, Window
from triage.query import Session

_KINDS = {
    "db.pool_exhausted": "pool",
    "db.too_many_connections": "server",
    "db.connection_lost": "lost",
    "broker.connection_lost": "broker",
}


def lock_waits(session: Session, window: Window) -> tuple[LockWait, ...]:
    """Waits in order of time: "still waiting" and "acquired" of one process and lock are one wait."""
    rows = session.named("lock_waits", since=window.start, until=window.end)
    waits: dict[tuple[object, ...], list[dict[str, Any]]] = defaultdict(list)
    open_key: dict[tuple[str, int, str], int] = defaultdict(int)
    for row in rows.iter_rows(named=True):
        key = (row["service_name"], row["pid"], row["lock"])
        waits[(*key, open_key[key])].append(row)
        if row["state"] != "still waiting":
            open_key[key] += 1  # the next one is a new wait
    return tuple(sorted((_wait(each) for each in waits.values()), key=lambda wait: (wait.timestamp, wait.pid)))


def saturation(session: Session, window: Window) -> tuple[Saturation, ...]:
    """Connections refused, lost or waited for in vain."""
    rows = session.named("connections", since=window.start, until=window.end)
    return tuple(
        Saturation(
            _KINDS[row["problem"]],
            row["service_name"],
            row["records"],
            row["first_seen"],
            row["last_seen"],
            row["size"],
            tuple(row["record_ids"]),
        )
        for row in rows.iter_rows(named=True)
    )


def checkpoints(session: Session, window: Window) -> tuple[Checkpoint, ...]:
    rows = session.named("checkpoints", since=window.start, until=window.end)
    return tuple(Checkpoint(**row) for row in _renamed(rows.to_dicts()))


def temp_files(session: Session, window: Window) -> tuple[TempFile, ...]:
    """The largest first."""
    rows = session.named("temp_files", since=window.start, until=window.end)
    return tuple(TempFile(**row) for row in _renamed(rows.to_dicts()))


def _renamed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"service" if key == "service_name" else key: value for key, value in row.items()} for row in rows]


def _wait(rows: list[dict[str, Any]]) -> LockWait:
    last = rows[-1]
    holders = sorted({pid for row in rows for pid in row["holders"] or ()})
    return LockWait(
        timestamp=rows[0]["timestamp"],
        service=last["service_name"],
        pid=last["pid"],
        lock=last["lock"],
        holders=tuple(holders),
        waited_ms=max(row["waited_ms"] for row in rows),
        acquired=last["state"] == "acquired",
        relation=next((row["relation"] for row in rows if row["relation"]), None),
        query=next((row["query"] for row in rows if row["query"]), None),
        record_ids=tuple(row["record_id"] for row in rows),
    )
