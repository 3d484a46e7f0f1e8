"""What is new in the window, and what has stopped."""

from __future__ import annotations

from triage.analyse.counts import fingerprint
from triage.analyse.model import NewTemplate, Stopped, Window
from triage.query import Session

RISING_FACTOR = 5.0  # counts vary with the day; five times the usual rate is more than a busy day
SILENT_PERIODS = 5.0  # a learned rhythm that misses five beats has stopped; one or two are load and jitter


def new_templates(session: Session, window: Window, most: int = 50) -> tuple[NewTemplate, ...]:
    """Messages never seen in the lake before the window, or far above their usual rate; the most severe first."""
    rows = session.named("new_templates", since=window.start, until=window.end, factor=RISING_FACTOR, most=most)
    return tuple(
        NewTemplate(
            fingerprint=fingerprint(row["fingerprint"]),
            template=row["template"] or "",
            service=row["service_name"],
            severity=row["severity_text"] or "",
            severity_number=row["severity_number"] or 0,
            problem=row["problem"],
            count=row["records"],
            first_seen=row["first_seen"],
            last_seen=row["last_seen"],
            kind=row["kind"],
            per_hour=row["per_hour"],
            usual_per_hour=row["usual_per_hour"],
            record_id=row["record_id"],
        )
        for row in rows.iter_rows(named=True)
    )


def stopped(session: Session, window: Window) -> tuple[Stopped, ...]:
    """Schedules, tasks and heartbeats that came regularly and then did not, in order of their last beat."""
    rows = session.named("rhythms", since=window.start, until=window.end, periods=SILENT_PERIODS)
    return tuple(
        Stopped(
            row["what"],
            row["kind"],
            row["service_name"],
            row["last_seen"],
            row["period_s"],
            row["silent_s"],
            row["records"],
            row["resumed_at"],
            row["record_id"],
        )
        for row in rows.iter_rows(named=True)
    )
