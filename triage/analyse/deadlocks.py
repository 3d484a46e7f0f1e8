"""Deadlocks as graphs: who waited for whom, for which lock, on which relation, with which statement, and who died.

Read from the server's own report (its DETAIL lists every process twice: what it waits for, and its statement).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from triage.analyse.model import Deadlock, DeadlockPair, DeadlockProcess, Window
from triage.analyse.statements import fingerprint, relations, shape
from triage.query import Session

_WAITS = re.compile(r"Process (?P<pid>\d+) waits for (?P<lock>.+?); blocked by process (?P<holder>\d+)\.")
_QUERY = re.compile(r"^\s*(?:DETAIL:\s+)?Process (?P<pid>\d+): ?(?P<query>.*)$")
_NEXT = re.compile(r"\b(?:HINT|CONTEXT|STATEMENT|QUERY|LOCATION):  ")
_TUPLE = re.compile(r'(?:tuple \([0-9,]+\) in )?relation "(?P<name>[^"]+)"')
_TABLE = re.compile(r"\b(?:UPDATE|INTO|FROM)\s+(?:ONLY\s+)?\"?(?P<name>[\w.]+)", re.IGNORECASE)


def deadlocks(session: Session, window: Window) -> tuple[Deadlock, ...]:
    """The deadlocks of the window in order of time."""
    rows = session.named("deadlocks", since=window.start, until=window.end)
    return tuple(_deadlock(row) for row in rows.iter_rows(named=True))


def deadlock_pairs(found: Sequence[Deadlock]) -> tuple[DeadlockPair, ...]:
    """Deadlocks of the same statement shapes together, the most frequent first."""
    shapes: dict[str, list[Deadlock]] = defaultdict(list)
    for deadlock in found:
        shapes[deadlock.shape].append(deadlock)
    pairs = [
        DeadlockPair(
            key,
            tuple(sorted({shape(process.query) for each in group for process in each.processes if process.query})),
            tuple(sorted({process.relation for each in group for process in each.processes if process.relation})),
            len(group),
            group[0].timestamp,
            group[-1].timestamp,
            tuple(each.record_id for each in group),
        )
        for key, group in shapes.items()
    ]
    return tuple(sorted(pairs, key=lambda pair: (-pair.count, pair.first_seen, pair.shape)))


def _deadlock(row: dict[str, Any]) -> Deadlock:
    detail, body = row["detail"] or "", row["body"] or ""
    waits = {int(m["pid"]): (m["lock"], int(m["holder"])) for m in _WAITS.finditer(detail)}
    queries = _queries(detail) or _queries(body)
    victim = int(row["process_id"]) if (row["process_id"] or "").isdigit() else None
    if victim not in waits:
        victim = None
    in_context = _TUPLE.search(row["context"] or "")
    processes = tuple(
        DeadlockProcess(
            pid,
            holder,
            lock,
            _relation(lock, queries.get(pid), in_context["name"] if in_context and pid == victim else None),
            queries.get(pid),
        )
        for pid, (lock, holder) in sorted(waits.items())
    )
    statements = sorted(shape(process.query) if process.query else "" for process in processes)
    return Deadlock(
        row["timestamp"], row["service_name"], processes, victim, row["record_id"], fingerprint(" | ".join(statements))
    )


def _relation(lock: str, query: str | None, context: str | None) -> str | None:
    """The relation a process waited on: the server names the victim's; the others' is in their statement or lock."""
    if context:
        return context
    if query:
        named = relations(query)
        if len(named) == 1:
            return named[0]
        # Of several tables the one that is written is the one that is locked.
        found = _TABLE.search(query)
        if found:
            return found["name"]
    of_lock = re.search(r"relation (\d+)", lock)
    return f"oid {of_lock[1]}" if of_lock else None


def _queries(text: str) -> dict[int, str]:
    """The statement of each process: from its line to the next process or the next field of the record."""
    queries: dict[int, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        begins = _QUERY.match(line)
        if begins:
            current = queries.setdefault(int(begins["pid"]), [])
            current.append(begins["query"])
        elif _WAITS.search(line) or _NEXT.search(line):
            current = None
        elif current is not None:
            current.append(line.removeprefix("\t"))
    return {pid: "\n".join(lines).strip() for pid, lines in queries.items()}
