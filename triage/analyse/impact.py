"""Whom it hit: tasks, requests, users, jobs and minutes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl

from triage.analyse.events import failures, problem_events
from triage.analyse.model import (
    Impact,
    RouteImpact,
    Settings,
    TaskImpact,
    TaskLife,
    Window,
)
from triage.analyse.tasks import FAILED, task_table, went_wrong
from triage.query import Session

_LISTED = 50
_NAMED_WITHIN = timedelta(hours=1)  # a request's or task's first lines may be before the incident


def impact(
    session: Session,
    window: Window,
    settings: Settings | None = None,
    lives: Sequence[TaskLife] | None = None,
    events: pl.DataFrame | None = None,
) -> Impact:
    """What went wrong in the window, or in an incident where its events are given."""
    settings = settings or Settings()
    lives = went_wrong(task_table(session, window)) if lives is None else lives
    events = problem_events(session, window, lives) if events is None else events
    hit = [life for life in lives if _hit(life, window)]
    routes = session.named(
        "request_outcomes", since=window.start, until=window.end, over_ms=settings.slow_request_ms
    )
    requests = int(routes["requests"].sum())
    # Where no line states an answer, or how long it took, the application's own word tells of it.
    failed = int(routes["failed"].sum()) if requests else _told(events, "api.server_error")
    slow = int(routes["slow"].sum()) or _told(events, "api.slow_response")
    named = _named(session, window, events, hit)
    return Impact(
        failed_tasks=sum(life.state in FAILED for life in hit),
        failed_requests=failed,
        slow_requests=slow,
        retried_tasks=sum(life.retries > 0 for life in hit),
        late_tasks=sum(life.late for life in hit),
        lost_tasks=sum(life.state == "lost" for life in hit),
        stuck_tasks=sum(life.state == "stuck" for life in hit),
        users=_distinct(events, hit, named, "user_id"),
        jobs=_distinct(events, hit, named, "job_id"),
        degraded_minutes=_degraded_minutes(events),
        by_route=_by_route(routes),
        by_task=_by_task(hit),
        error_budget_used=_budget(failed, requests, settings.error_target),
    )


def _told(events: pl.DataFrame, problem: str) -> int:
    """Failures of a problem, of the service that tells most of them: a proxy tells the same again."""
    told = failures(events.filter(problem=problem)).group_by("service_name").len()
    return int(told["len"].max() or 0)  # type: ignore[arg-type]


def _hit(life: TaskLife, window: Window) -> bool:
    """Tasks that went wrong in the window: by their end, or by when they should have gone on."""
    wrong = life.state in (*FAILED, "stuck") or life.retries > 0 or life.late
    when = life.ended_at if life.state in ("failed", "timeout") else (life.received_at or life.sent_at)
    if life.state == "stuck" or life.late:
        when = life.sent_at
    return wrong and when is not None and window.start <= when < window.end


def _by_route(routes: pl.DataFrame) -> tuple[RouteImpact, ...]:
    """The worst routes; hostile requests can make any number of them."""
    worst = routes.filter((pl.col("failed") > 0) | (pl.col("slow") > 0)).head(_LISTED)
    return tuple(RouteImpact(**row) for row in worst.iter_rows(named=True))


def _by_task(hit: Sequence[TaskLife]) -> tuple[TaskImpact, ...]:
    names = sorted({life.task_name or "(unknown)" for life in hit})
    rows = []
    for name in names:
        own = [life for life in hit if (life.task_name or "(unknown)") == name]
        rows.append(
            TaskImpact(
                name,
                len(own),
                sum(life.state in FAILED for life in own),
                sum(life.retries > 0 for life in own),
                sum(life.late for life in own),
                sum(life.state == "lost" for life in own),
                sum(life.state == "stuck" for life in own),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.failed, -row.tasks, row.task_name))[:_LISTED])


def _named(session: Session, window: Window, events: pl.DataFrame, hit: Sequence[TaskLife]) -> pl.DataFrame:
    """Users and jobs of what failed: the line of a failure rarely names them, another of its request or task does."""
    requests = events["request_id"].drop_nulls().unique().to_list()
    tasks = {life.task_id for life in hit} | set(events["task_id"].drop_nulls())
    since, until = window.start - _NAMED_WITHIN, window.end + _NAMED_WITHIN
    return session.named("users_of", request_ids=requests, task_ids=sorted(tasks), since=since, until=until)


def _distinct(events: pl.DataFrame, hit: Sequence[TaskLife], named: pl.DataFrame, column: str) -> int:
    lives = {getattr(life, column) for life in hit}
    return len((lives | set(events[column]) | set(named[column])) - {None})


def _degraded_minutes(events: pl.DataFrame) -> float:
    """Time with failures: stretches between failures at most a minute apart, each at least its last second."""
    times: list[datetime] = events["timestamp"].sort().to_list()
    if not times:
        return 0.0
    steps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    return round((1 + sum(step if step <= 60 else 1 for step in steps)) / 60, 2)


def _budget(failed: int, requests: int, target: float | None) -> float | None:
    if target is None or not requests or target >= 1:
        return None
    return round(failed / (requests * (1 - target)), 3)
