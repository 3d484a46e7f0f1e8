"""Alert rules: the guide's two, and the user's as SQL.

A user rule is a SELECT that gives one row with `value` and `threshold` (and may give `unit` and `summary`); it fires
where the value is above the threshold. `$since` and `$until` are bound where it names them.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import polars as pl

from triage.analyse.model import Alert, Settings, Window
from triage.errors import UsageError
from triage.query import Session

TASK_RULE = "HighTaskFailureRate"
REQUEST_RULE = "SlowAPIResponse"


def alerts(session: Session, window: Window, settings: Settings | None = None) -> tuple[Alert, ...]:
    """Every rule with its worst value in the window, firing or not."""
    settings = settings or Settings()
    mine = [_user_rule(session, window, name, sql) for name, sql in sorted(settings.user_alerts.items())]
    return (_task_rule(session, window, settings), _request_rule(session, window, settings), *mine)


def _task_rule(session: Session, window: Window, settings: Settings) -> Alert:
    over = settings.alert_window_s
    rows = session.named("task_failure_rate", since=window.start, until=window.end, over_s=int(over))
    above = rows.filter(pl.col("failures_per_s") > settings.task_failure_rate)
    worst = float(rows["failures_per_s"].max() or 0.0)  # type: ignore[arg-type]
    last = above["timestamp"][-1] + timedelta(seconds=over) if above.height else None
    summary = f"{worst:.3f} failed tasks a second over {over:.0f} s at worst; the limit is {settings.task_failure_rate:g}"
    return _alert(TASK_RULE, above, "timestamp", worst, settings.task_failure_rate, "1/s", last, window, summary)


def _request_rule(session: Session, window: Window, settings: Settings) -> Alert:
    step = settings.alert_window_s
    rows = session.named("request_p95", since=window.start, until=window.end, step_s=int(step))
    above = rows.filter(pl.col("p95_ms") > settings.slow_request_ms)
    worst = rows["p95_ms"].max()
    last = above["step"][-1] + timedelta(seconds=step) if above.height else None
    value = float(worst) / 1000 if worst is not None else None  # type: ignore[arg-type]
    limit = settings.slow_request_ms / 1000
    said = f"{value:.2f} s at worst" if value is not None else "not known, no request states its duration"
    summary = f"95th percentile of the response time over {step:.0f} s: {said}; the limit is {limit:g} s"
    return _alert(REQUEST_RULE, above, "step", value, limit, "s", last, window, summary)


def _alert(
    rule: str, above: pl.DataFrame, column: str, value: float | None, threshold: float, unit: str,
    last: datetime | None, window: Window, summary: str,
) -> Alert:  # fmt: skip
    firing = above.height > 0
    since = above[column][0] if firing else None
    active = last is not None and last >= window.end
    return Alert(rule, firing, value, threshold, unit, since, None if active else last, active, summary)


def _user_rule(session: Session, window: Window, name: str, sql: str) -> Alert:
    given = {"since": window.start, "until": window.end}
    params = {key: value for key, value in given.items() if re.search(rf"\${key}\b", sql)}
    rows = session.sql(sql, params)
    if not {"value", "threshold"} <= set(rows.columns):
        hint = "for example: SELECT count(*) AS value, 10 AS threshold FROM errors"
        raise UsageError(f"alert rule '{name}' must give the columns value and threshold", hint=hint)
    if rows.is_empty():
        return Alert(name, False, None, 0.0, "", None, None, False, "no rows")
    row = rows.row(0, named=True)
    value = float(row["value"]) if row["value"] is not None else None
    firing = value is not None and value > float(row["threshold"])
    unit, summary = str(row.get("unit") or ""), str(row.get("summary") or f"{value} against {row['threshold']}")
    since = window.start if firing else None
    return Alert(name, firing, value, float(row["threshold"]), unit, since, None, firing, summary)
