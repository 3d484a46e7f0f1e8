"""The JSON of `triage report --json`: other programs rely on its keys, so they only ever grow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from triage.analyse.model import Deadlock, Impact, Incident, Step
from triage.report import formats
from triage.report.parts import Collection, ErrorGroup, Report


def summary(report: Report) -> dict[str, Any]:
    """The JSON contract: times in RFC 3339, everything else as the model has it."""
    return {
        "window": {"start": formats.rfc3339(report.start), "end": formats.rfc3339(report.end)},
        "totals": {
            "records": report.totals.records,
            "errors": report.totals.errors,
            "by_service": dict(report.totals.by_service),
            "with_problem": report.totals.problems,
            "unclassified": report.totals.unclassified,
            "benign": report.totals.benign,
        },
        "problems": [
            {
                "problem": p.problem,
                "count": p.count,
                "records": p.records,
                "first_seen": formats.rfc3339(p.first_seen),
                "last_seen": formats.rfc3339(p.last_seen),
                "services": list(p.services),
                "by_service": dict(p.by_service),
            }
            for p in report.problems
        ],
        "incidents": [incident_json(incident) for incident in report.incidents],
        "impact": _impact(report.impact),
        "tasks": _plain(report.tasks),
        "task_lives": [{**_plain(life), "duplicate": life.duplicate} for life in report.lives],
        "requests": _plain(report.requests),
        "slow_queries": _plain(report.slow_queries),
        "deadlocks": [_deadlock(deadlock) for deadlock in report.deadlocks],
        "deadlock_pairs": _plain(report.database.pairs),
        "lock_waits": _plain(report.database.lock_waits),
        "connections": _plain(report.database.connections),
        "checkpoints": _plain(report.database.checkpoints),
        "temp_files": _plain(report.database.temp_files),
        "new_templates": _plain(report.new),
        "stopped": _plain(report.stopped),
        "unclassified_errors": [_group(group) for group in report.unclassified],
        "alerts": _plain(report.alerts),
        "clock_skew": _plain(report.skew),
        "collection": _collection(report.collection),
        **_state(report),
    }


def _plain(value: Any) -> Any:
    """The values of the analysis by their own names: times as text, the rest as it is."""
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, datetime):
        return formats.rfc3339(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _state(report: Report) -> dict[str, Any]:
    """What the engine and programs said; a lake without state has no such keys."""
    parts: dict[str, Any] = {
        "containers": _plain(report.containers),
        "container_marks": _plain(report.marks),
        "memory_trends": [
            {
                "service": k.service,
                "container": k.container_name,
                "start": formats.rfc3339(k.start),
                "end": formats.rfc3339(k.end),
                "first_bytes": k.first_bytes,
                "last_bytes": k.last_bytes,
                "limit_bytes": k.limit_bytes,
                "bytes_per_hour": [round(v) for v in (k.least_per_hour, k.bytes_per_hour, k.most_per_hour)],
                "seconds_to_limit": None if k.time_to_limit is None else round(k.time_to_limit.total_seconds()),
            }
            for k in report.memory
        ],
    }
    parts["programs"] = {table.name: _plain(table.rows) for table in report.programs}
    return {name: rows for name, rows in parts.items() if rows}


def incident_json(incident: Incident) -> dict[str, Any]:
    """One incident, as `triage report --json` and `triage incidents --format json` give it."""
    cause, impact = incident.suspected_cause, incident.impact
    return {
        "id": incident.id,
        "start": formats.rfc3339(incident.start),
        "end": formats.rfc3339(incident.end),
        "open": incident.open,
        "problems": list(incident.problems),
        "services": list(incident.services),
        "counts": dict(incident.counts),
        "suspected_cause": cause
        and {
            "problem": cause.problem,
            "service": cause.service,
            "first_seen": formats.rfc3339(cause.first_seen),
            "confidence": round(cause.confidence, 3),
            "level": cause.level,
            "evidence": _plain(cause.evidence),
            "runner_up": cause.runner_up,
        },
        "chain": [_step(step) for step in incident.chain],
        "impact": _impact(impact),
        "why": incident.why,
        "record_ids": list(incident.record_ids),
    }


def _step(step: Step) -> dict[str, Any]:
    return {**_plain(step), "after_s": round(step.after_s, 3)}


def _impact(impact: Impact) -> dict[str, Any]:
    return {
        "failed_tasks": impact.failed_tasks,
        "failed_requests": impact.failed_requests,
        "users": impact.users,
        "jobs": impact.jobs,
        "slow_requests": impact.slow_requests,
        "retried_tasks": impact.retried_tasks,
        "late_tasks": impact.late_tasks,
        "stuck_tasks": impact.stuck_tasks,
        "lost_tasks": impact.lost_tasks,
        "degraded_minutes": impact.degraded_minutes,
        "error_budget_used": impact.error_budget_used,
        "by_route": _plain(impact.by_route),
        "by_task": _plain(impact.by_task),
    }


def _deadlock(deadlock: Deadlock) -> dict[str, Any]:
    return {
        "timestamp": formats.rfc3339(deadlock.timestamp),
        "processes": [
            {"pid": p.pid, "waits_for": p.waits_for, "lock": p.lock, "relation": p.relation, "query": p.query}
            for p in deadlock.processes
        ],
        "victim": deadlock.victim,
        "service": deadlock.service,
        "record_id": deadlock.record_id,
        "shape": deadlock.shape,
    }


def _group(group: ErrorGroup) -> dict[str, Any]:
    return {
        "fingerprint": group.fingerprint,
        "template": group.title,
        "exception_type": group.exception_type,
        "count": group.count,
        "first_seen": formats.rfc3339(group.first_seen),
        "last_seen": formats.rfc3339(group.last_seen),
        "services": list(group.services),
        "example": {"record_id": group.example.record_id, "body": group.example.body},
    }


def _collection(collection: Collection) -> dict[str, Any]:
    return {
        "origins": len(collection.origins),
        "gaps": [
            {
                "service": g.service,
                "origin": g.origin,
                "start": g.start and formats.rfc3339(g.start),
                "end": g.end and formats.rfc3339(g.end),
                "reason": g.reason,
            }
            for g in collection.gaps
        ],
        "duplicates": collection.duplicates,
        "truncated": collection.truncated,
        "undecodable": collection.undecodable,
    }
