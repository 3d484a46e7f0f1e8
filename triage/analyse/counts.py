"""Totals, problems as findings, error groups: counts that need no judgement."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from triage.analyse.events import failures, problem_events
from triage.analyse.model import (
    ErrorGroup,
    ProblemCount,
    Settings,
    TaskLife,
    Totals,
    UnclassifiedGroup,
    Window,
)
from triage.query import Session

_EVIDENCE = 10


def totals(session: Session, window: Window) -> Totals:
    params = {"since": window.start, "until": window.end}
    row = session.named("totals", **params).row(0, named=True)
    services = session.named("services", **params)
    return Totals(**row, by_service=dict(zip(services["service_name"], services["records"], strict=True)))


def problem_counts(
    session: Session, window: Window, lives: Sequence[TaskLife] | None = None, settings: Settings | None = None
) -> tuple[ProblemCount, ...]:
    """Every problem that a record is primarily classified as, and derived ones, the most frequent first."""
    events = problem_events(session, window, lives, settings).filter(pl.col("problem") == pl.col("primary_problem"))
    found = []
    for (problem,), part in events.group_by(["problem"], maintain_order=True):
        each = failures(part)
        services = each.group_by("service_name").len().sort("service_name")
        found.append(
            ProblemCount(
                problem=str(problem),
                count=each.height,
                records=part.height,
                first_seen=part["timestamp"].min(),  # type: ignore[arg-type]
                last_seen=part["timestamp"].max(),  # type: ignore[arg-type]
                services=tuple(services["service_name"]),
                by_service=dict(services.iter_rows()),
                derived=bool(part["derived"].all()),
                record_ids=tuple(part["record_id"][:_EVIDENCE]),
            )
        )
    return tuple(sorted(found, key=lambda count: (-count.count, count.problem)))


def error_groups(session: Session, window: Window, most: int = 50) -> tuple[ErrorGroup, ...]:
    """Errors by fingerprint, the most frequent first."""
    rows = session.named("top_error_groups", since=window.start, until=window.end, most=most)
    return tuple(
        ErrorGroup(
            fingerprint(row["fingerprint"]),
            row["template"] or "",
            row["problem"],
            row["exception_type"],
            tuple(row["services"]),
            row["records"],
            row["first_seen"],
            row["last_seen"],
            tuple(row["record_ids"]),
        )
        for row in rows.iter_rows(named=True)
    )


def unclassified_errors(session: Session, window: Window, most: int = 50) -> tuple[UnclassifiedGroup, ...]:
    """Errors that no pattern knows, by fingerprint."""
    rows = session.named("unclassified_errors", since=window.start, until=window.end, most=most)
    return tuple(
        UnclassifiedGroup(
            fingerprint(row["fingerprint"]),
            row["template"] or "",
            row["exception_type"],
            tuple(row["services"]),
            row["records"],
            row["first_seen"],
            row["last_seen"],
            tuple(row["record_ids"]),
        )
        for row in rows.iter_rows(named=True)
    )


def fingerprint(value: int | None) -> str:
    """As people see it: sixteen hexadecimal digits."""
    return f"{value or 0:016x}"
