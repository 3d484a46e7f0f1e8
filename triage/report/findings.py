"""The parts of a report that come from the analysis: incidents with their cards, and what else it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from triage import analyse
from triage.analyse import Deadlock, ProblemCount, Step, TaskLife, Window
from triage.analyse.alerts import REQUEST_RULE, TASK_RULE
from triage.analyse.incidents import ANSWERED
from triage.report import figures, runbooks
from triage.report.parts import Buckets, Card, Chapter, Crossing, Evidence, Lane, Problem, ProblemRow, Query
from triage.report.sources import Source, record

EVIDENCE = 3  # records shown of each problem; the event table has all
_RANK = {"critical": 0, "error": 1, "warning": 2, "info": 3}
# What the guide's commands name, by the family of the service's logs.
_ROLES = {
    "app": "app",
    "celery": "worker",
    "beat": "beat",
    "postgres": "postgres",
    "redis": "redis",
    "rabbitmq": "rabbitmq",
}


def incidents(
    source: Source, known: Mapping[str, Problem], roles: Mapping[str, str], lives: Sequence[TaskLife],
    derived: frozenset[str], thresholds: analyse.Settings | None,
) -> tuple[Chapter, ...]:  # fmt: skip
    """Every incident, in order of time, with evidence and runbook for each of its problems.

    `derived` are the problems that no record of the window states.
    """
    slow_ms = (thresholds or analyse.Settings()).slow_request_ms
    leads_to = {name: problem.leads_to for name, problem in known.items()}
    found = analyse.incidents(source.session, Window(source.start, source.end), leads_to, thresholds, lives)
    return tuple(
        Chapter(
            incident,
            tuple(_card(source, step, known, roles, step.problem in derived) for step in incident.chain),
            source.query("report_problem_steps", since=incident.start, until=incident.end, step_s=source.axis.step_s),
            source.query("request_outcomes", since=incident.start, until=incident.end + ANSWERED, over_ms=slow_ms),
        )
        for incident in sorted(found, key=lambda i: (i.start, i.id))
    )


def roles(services: Mapping[str, str]) -> dict[str, str]:
    """The names that runbooks leave open: for each kind of program the busiest service of that kind."""
    named: dict[str, str] = {}
    for service, kind in services.items():
        if kind in _ROLES:
            named.setdefault(_ROLES[kind], service)
            named.setdefault(f"{_ROLES[kind]}_container", service)
    return named


def database(source: Source) -> dict[str, str]:
    """The names of the busiest database and its role, where Postgres' lines state them."""
    row = next(iter(source.rows(source.query("database_names", **source.window))), {})
    return {name: row[column] for name, column in (("database", "database"), ("db_user", "role")) if row.get(column)}


def _card(
    source: Source, step: Step, known: Mapping[str, Problem], roles: Mapping[str, str], derived: bool
) -> Card:
    span = {"since": step.first_seen, "until": step.last_seen, "problem": step.problem}
    query = source.query("report_problem_records", **span)
    rows = [record(row) for row in source.rows(source.query("report_evidence", **span, most=EVIDENCE))]
    if not rows:  # derived from other records, or begun long before its record was written
        rows = list(figures.records(source, step.evidence.record_ids[:EVIDENCE]).values())
    evidence = tuple(figures.context(source, row) for row in rows)
    return Card(
        step.problem,
        figures.severity(step.problem, known),
        step.count,
        sum(row["records"] for row in source.rows(query)),
        derived,
        step.services,
        step.first_seen,
        step.last_seen,
        evidence,
        runbooks.load(known.get(step.problem), _values(step, evidence, roles)),
        query,
    )


def _values(step: Step, evidence: Sequence[Evidence], roles: Mapping[str, str]) -> dict[str, str]:
    """What a runbook's placeholders mean here: the service, the ids of the first record that has them, the times."""
    values = {
        "service": step.service,
        "container": step.service,
        "since": f"{step.first_seen:%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{step.last_seen:%Y-%m-%dT%H:%M:%SZ}",
        **roles,
    }
    for item in evidence:
        for name, value in item.record.keys.items():
            values.setdefault(name, value)
    return values


def problems(
    source: Source, known: Mapping[str, Problem], lanes: Sequence[Lane], lives: Sequence[TaskLife],
    thresholds: analyse.Settings | None = None,
) -> tuple[tuple[ProblemRow, ...], tuple[Lane, ...]]:
    """Each problem with its distinct failures; and the lanes, with those of derived problems added."""
    counts = analyse.problem_counts(source.session, Window(source.start, source.end), lives, thresholds)
    by_problem: dict[str, list[Lane]] = {}
    for lane in lanes:
        by_problem.setdefault(lane.problem, []).append(lane)
    extra = [lane for count in counts if count.problem not in by_problem for lane in _derived(source, count, known)]
    rows = tuple(
        ProblemRow(
            count.problem,
            figures.severity(count.problem, known),
            count.count,
            count.records,
            count.first_seen,
            count.last_seen,
            count.by_service,
            count.derived,
            _together(
                [lane.buckets for lane in (*by_problem.get(count.problem, ()), *extra) if lane.problem == count.problem]
            ),
        )
        for count in counts
    )
    every = sorted((*lanes, *extra), key=lambda lane: (lane.first_seen, lane.service, lane.problem))
    return tuple(sorted(rows, key=lambda r: (_RANK.get(r.severity, 3), -r.count, r.problem))), tuple(every)


def _derived(source: Source, count: ProblemCount, known: Mapping[str, Problem]) -> list[Lane]:
    rows = list(figures.records(source, count.record_ids).values())
    if not rows:
        return []
    steps = pl.DataFrame(
        {"step": [int((r.timestamp - source.start).total_seconds() // source.axis.step_s) for r in rows]}
    ).filter(pl.col("step").is_between(0, source.axis.steps - 1))
    counted = steps.group_by("step").len().sort("step")
    severity = figures.severity(count.problem, known)
    service = next(iter(count.services), rows[0].service)
    pairs = Buckets(tuple(counted.iter_rows()))
    return [
        Lane(service, count.problem, severity, count.first_seen, count.last_seen, count.count, pairs, rows[0].message)
    ]


def _together(parts: Sequence[Buckets]) -> Buckets:
    sums: dict[int, int] = {}
    for part in parts:
        for step, count in part.pairs:
            sums[step] = sums.get(step, 0) + count
    return Buckets(tuple(sorted(sums.items())))


def alert_queries(source: Source, thresholds: analyse.Settings | None) -> dict[str, Query]:
    """What each of the guide's rules was evaluated on; its worst row is the value shown."""
    over = int((thresholds or analyse.Settings()).alert_window_s)
    return {
        f"alert.{TASK_RULE}": source.query("task_failure_rate", **source.window, over_s=over),
        f"alert.{REQUEST_RULE}": source.query("request_p95", **source.window, step_s=over),
    }


def crossings(deadlocks: Sequence[Deadlock]) -> tuple[Crossing, ...]:
    """Deadlocks by shape, the most frequent first."""
    shapes: dict[str, list[Deadlock]] = {}
    for deadlock in deadlocks:
        shapes.setdefault(deadlock.shape, []).append(deadlock)
    made = [
        Crossing(same[0], len(same), min(d.timestamp for d in same), max(d.timestamp for d in same))
        for same in shapes.values()
    ]
    return tuple(sorted(made, key=lambda c: (-c.count, c.first_seen)))
