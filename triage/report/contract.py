"""The JSON of `triage report --json`: other programs rely on its keys, so they only ever grow."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from triage.analyse.model import Alert, Deadlock, Incident
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
        "slow_queries": [
            {
                "fingerprint": q.fingerprint,
                "query": q.query,
                "count": q.count,
                "total_ms": q.total_ms,
                "mean_ms": q.mean_ms,
                "p95_ms": q.p95_ms,
                "max_ms": q.max_ms,
            }
            for q in report.slow_queries
        ],
        "deadlocks": [_deadlock(deadlock) for deadlock in report.deadlocks],
        "new_templates": [
            {
                "fingerprint": w.fingerprint,
                "template": w.template,
                "service": w.service,
                "count": w.count,
                "first_seen": formats.rfc3339(w.first_seen),
            }
            for w in report.new
        ],
        "unclassified_errors": [_group(group) for group in report.unclassified],
        "alerts": [_alert(alert) for alert in report.alerts],
        "collection": _collection(report.collection),
        **_state(report),
    }


def _state(report: Report) -> dict[str, Any]:
    """What the engine said; a lake without state has no such keys."""
    parts = {
        "containers": [
            {**asdict(row), "last_end": row.last_end and formats.rfc3339(row.last_end)} for row in report.containers
        ],
        "container_marks": [
            {"timestamp": formats.rfc3339(m.timestamp), "service": m.service, "kind": m.kind, "detail": m.detail}
            for m in report.marks
        ],
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
            "evidence": [{"sentence": e.sentence, "record_ids": list(e.record_ids)} for e in cause.evidence],
        },
        "chain": [
            {
                "problem": step.problem,
                "service": step.service,
                "first_seen": formats.rfc3339(step.first_seen),
                "count": step.count,
                "role": step.role,
                "caused_by": list(step.caused_by),
            }
            for step in incident.chain
        ],
        "impact": {
            "failed_tasks": impact.failed_tasks,
            "failed_requests": impact.failed_requests,
            "users": impact.users,
            "jobs": impact.jobs,
            "slow_requests": impact.slow_requests,
            "stuck_tasks": impact.stuck_tasks,
            "lost_tasks": impact.lost_tasks,
        },
    }


def _deadlock(deadlock: Deadlock) -> dict[str, Any]:
    return {
        "timestamp": formats.rfc3339(deadlock.timestamp),
        "processes": [
            {"pid": p.pid, "waits_for": p.waits_for, "lock": p.lock, "relation": p.relation, "query": p.query}
            for p in deadlock.processes
        ],
        "victim": deadlock.victim,
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


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "rule": alert.rule,
        "firing": alert.firing,
        "value": alert.value,
        "threshold": alert.threshold,
        "unit": alert.unit,
        "since": alert.since and formats.rfc3339(alert.since),
        "active": alert.active,
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
