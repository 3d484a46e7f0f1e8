"""What `triage report --json` says against what the driver knows: a sentence for each difference, none when it is right."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

# True in the log, and not counted by the driver: connections that killed clients leave in the broker's log, and waits
# that the database notes when the other side of a deadlock is slow to give way.
_LEFT_BEHIND = (("broker.connection_lost", "jointo-server-rabbitmq"), ("db.lock_timeout", "jointo-server-postgres"))


def differences(truth: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """Problems by service and count, deadlocks and slow statements."""
    return [*_problems(truth, summary), *_deadlocks(truth, summary), *_slow_statements(truth, summary)]


def decoys_taken(truth: Mapping[str, Any], problems_of: Callable[[str], list[str]]) -> list[str]:
    """Decoys that were named a problem; `problems_of(request id)` gives the problems of a request's records."""
    wrong = []
    for decoy in truth["decoys"]:
        if named := problems_of(decoy["request_id"]):
            wrong.append(f"the decoy {decoy['text']!r} in {decoy['service']} was named {', '.join(named)}")
    return wrong


def _problems(truth: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    wrong = []
    got = {row["problem"]: dict(row["by_service"]) for row in summary["problems"]}
    # A statement that waited for a lock is logged as slow, too: rightly so, and flagged by its lock.
    extra = {"db.slow_query": sum(len(f["consequences"]) * max(1, len(f["deadlocks"])) for f in truth["faults"])}
    for problem, row in truth["expected"].items():
        found = got.pop(problem, {})
        where = row["where"]
        if set(found) - set(where):
            wrong.append(f"{problem} in {sorted(set(found) - set(where))}, where it was not")
        if row["primary"] == row["count"]:
            for service, count in where.items():
                most = count + extra.get(problem, 0)
                if not count <= found.get(service, 0) <= most:
                    wrong.append(f"{problem} in {service}: {found.get(service, 0)}, not {count}")
        elif not row["primary"] <= sum(found.values()) <= row["count"]:
            wrong.append(f"{problem}: {sum(found.values())}, not {row['primary']} to {row['count']}")
    for problem, service in _LEFT_BEHIND:
        got.get(problem, {}).pop(service, None)
    wrong += [f"{problem} in {found}, which nobody provoked" for problem, found in got.items() if found]
    return wrong


def _deadlocks(truth: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    provoked = [d for fault in truth["faults"] for d in fault["deadlocks"]]
    expected = Counter((frozenset(d["pids"]), d["relation"]) for d in provoked)
    found: Counter[tuple[frozenset[int], str]] = Counter()
    wrong = []
    for deadlock in summary["deadlocks"]:
        processes = deadlock["processes"]
        relations = {p["relation"] for p in processes if p["relation"]}
        found[frozenset(p["pid"] for p in processes), ", ".join(sorted(relations))] += 1
        if deadlock["victim"] not in {p["pid"] for p in processes}:
            wrong.append(f"the deadlock's victim {deadlock['victim']} is none of its processes")
        if not all(p["query"] and p["waits_for"] for p in processes):
            wrong.append(f"a deadlock without queries: {processes}")
    if found != expected:
        wrong.append(f"deadlocks {dict(found)}, not {dict(expected)}")
    return wrong


def _slow_statements(truth: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    wrong = []
    for fault in truth["faults"]:
        for statement in fault["slow_statements"]:
            words = _words(statement["shape"])
            rows = [q for q in summary["slow_queries"] if _words(q["query"])[: len(words)] == words]
            if [q["count"] for q in rows] != [statement["count"]]:
                wrong.append(f"{statement['shape']}: {[q['count'] for q in rows]}, not one shape {statement['count']} times")
            elif not 0 < rows[0]["max_ms"] <= statement["slowest_ms"] + 1:
                wrong.append(f"{statement['shape']}: {rows[0]['max_ms']} ms, but its caller saw {statement['slowest_ms']}")
    return wrong


def _words(statement: str) -> list[str]:
    return [word for word in re.findall(r"\w+|[^\w\s]", statement.lower()) if word != "as"]


def load(text: str) -> dict[str, Any]:
    """A truth file or a summary."""
    value = json.loads(text)
    assert isinstance(value, dict)
    return value
