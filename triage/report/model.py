"""Builds a report: runs the named queries and the analysis over a window and puts the results in `parts`.

Everything is computed here, before rendering; two runs over the same lake and window give equal reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from triage import analyse
from triage.analyse import Settings, Window
from triage.report import figures, findings
from triage.report.parts import Buckets, Collection, Database, Gap, Report, Series
from triage.report.sources import Source
from triage.report.texts import Entry, catalogue

if TYPE_CHECKING:
    from triage.query.session import Session

__all__ = ["Collection", "Gap", "Library", "Report", "Window", "build"]
QUERIES = 50  # slow statements listed
LIVES = 200  # of tasks and of requests, those that went wrong first; `task_lives` and `request_lives` give all
ROWS = 500  # of what the database logs by the minute: the longest, largest or last


class Library(Protocol):
    """What the report needs of the pattern library; `triage.classify.Library` is one."""

    @property
    def problems(self) -> Mapping[str, Entry]: ...


def build(
    session: Session,
    window: Window,
    library: Library,
    lang: str = "en",
    now: datetime | None = None,
    collection: Collection | None = None,
    version: str = "",
    thresholds: Settings | None = None,
) -> Report:
    """Everything that the page, the JSON and the post-mortem say about the window.

    `library` gives titles, severities and runbooks of problems. `collection` is what the collectors noted (gaps,
    truncation …); the origins are read from the lake. `now` is the time of making, else the window's end.
    `thresholds` are those of the analysis.
    """
    with session.gathered(window.start, window.end):
        return _built(session, window, library, lang, now, collection, version, thresholds)


def _built(
    session: Session, window: Window, library: Library, lang: str, now: datetime | None, collection: Collection | None,
    version: str, thresholds: Settings | None,
) -> Report:  # fmt: skip
    source = Source(session, window.start, window.end)
    known = catalogue(library.problems, lang)
    totals, services = figures.services(source)
    logged, problem_query = figures.lanes(source, known)
    lives, summaries = _tasks(session, window)
    rows, lanes = findings.problems(source, known, logged, lives, thresholds)
    derived = frozenset(row.problem for row in rows if row.derived)
    series = figures.series(source)
    marks, mark_query = figures.marks(source)
    containers, container_query = figures.containers(source)
    groups, group_query = figures.groups(source, "top_error_groups", figures.GROUPS)
    unknown, unknown_query = figures.groups(source, "unclassified_errors", figures.UNKNOWN)
    roles = findings.roles({row.service: row.source for row in services}) | findings.database(source)
    deadlocks = analyse.deadlocks(session, window)
    queries = {
        "timeline": problem_query,
        "problems": problem_query,
        "groups": group_query,
        "unclassified": unknown_query,
        "slow": source.query("slow_queries", **source.window, most=QUERIES),
        "deadlocks": source.query("deadlocks", **source.window),
        "tasks": source.query("task_failures", **source.window),
        "requests": source.query("request_outcomes", **source.window),
        "new": source.query("new_templates", **source.window),
        "stopped": source.query("rhythms", **source.window),
        "containers": container_query,
        "memory": source.query("memory_trend", **source.window),
        "marks": mark_query,
        **findings.alert_queries(source, thresholds),
    }
    stated = {row["task_name"]: row["failed"] for row in source.rows(queries["tasks"])}
    return Report(
        start=window.start,
        end=window.end,
        now=now or window.end,
        lang=lang,
        axis=source.axis,
        totals=totals,
        services=services,
        lanes=lanes,
        marks=marks,
        series=series,
        problems=rows,
        chapters=findings.incidents(source, known, roles, lives, derived, thresholds),
        slow_queries=analyse.slow_queries(session, window, most=QUERIES),
        deadlocks=deadlocks,
        crossings=findings.crossings(deadlocks),
        tasks=summaries,
        failed_requests=int(source.run(queries["requests"])["failed"].sum()),
        inferred_failures=sum(max(0, task.failed - stated.get(task.task_name, 0)) for task in summaries),
        groups=groups,
        new=analyse.new_templates(session, window),
        stopped=analyse.stopped(session, window),
        unclassified=unknown,
        alerts=analyse.alerts(session, window, thresholds),
        skew=analyse.clock_skew(session, window),
        collection=_collection(source, collection),
        events=figures.events(source, totals.records),
        queries=queries,
        error_buckets=_errors(series),
        known=known,
        impact=analyse.impact(session, window, thresholds, lives),
        lives=analyse.troubled(lives, LIVES),
        requests=analyse.request_lives(session, window, LIVES),
        database=_database(session, window, deadlocks),
        version=version,
        containers=containers,
        memory=analyse.memory_trends(session, window, thresholds),
        programs=figures.programs(source),
    )


def _tasks(session: Session, window: Window) -> tuple[tuple[analyse.TaskLife, ...], tuple[analyse.TaskSummary, ...]]:
    """The tasks that went wrong and the sums over all, whose table need not be kept: it may have a million rows."""
    table = analyse.task_table(session, window)
    return analyse.went_wrong(table), analyse.task_summaries(table)


def _database(session: Session, window: Window, deadlocks: tuple[analyse.Deadlock, ...]) -> Database:
    waits = sorted(analyse.lock_waits(session, window), key=lambda wait: (-wait.waited_ms, wait.timestamp))
    return Database(
        analyse.deadlock_pairs(deadlocks),
        tuple(waits[:ROWS]),
        analyse.saturation(session, window),
        analyse.checkpoints(session, window)[-ROWS:],
        analyse.temp_files(session, window)[:ROWS],
    )


def _errors(series: tuple[Series, ...]) -> Buckets:
    points = next((s.points for s in series if s.name == "errors"), ())
    return Buckets(tuple((point.step, int(point.value)) for point in points))


def _collection(source: Source, noted: Collection | None) -> Collection:
    origins, query = figures.origins(source)
    if noted is None:
        return Collection(origins, query=query)
    return Collection(origins, noted.gaps, noted.duplicates, noted.truncated, noted.undecodable, noted.notes, query)
