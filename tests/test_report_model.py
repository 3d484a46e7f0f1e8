"""A report built from a lake: its figures are those of the queries shown beside them, and it can be built again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lake_factory import DB, LEADS_TO, START, WORKER, Story, write
from triage.query.session import Session
from triage.report import digest, formats, model, render
from triage.report.model import Report, Window
from triage.report.parts import Query

LENGTH_S = 1800
WINDOW = Window(START, START + timedelta(seconds=LENGTH_S))


@dataclass(frozen=True)
class Entry:
    title: dict[str, str]
    runbooks: dict[str, Path]
    leads_to: tuple[str, ...] = ()
    severity: str = "error"
    guide: str | None = None


class Library:
    """A catalogue with a runbook for deadlocks."""

    def __init__(self, folder: Path) -> None:
        path = folder / "db.deadlock.en.md"
        path.write_text("## Check\n\n```bash\ndocker logs {{container}} | grep deadlock\n```\n", encoding="utf-8")
        self.problems = {
            name: Entry(
                {"en": name.replace(".", " "), "zh": name}, {"en": path} if name == "db.deadlock" else {}, targets
            )
            for name, targets in LEADS_TO.items()
        }


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    story = Story()
    story.healthy(LENGTH_S)
    for k in range(12):
        report = (
            f"deadlock detected\nDETAIL:  Process {700 + k} waits for ShareLock on transaction 1; blocked by process 9."
        )
        story.add(600 + 3 * k, DB, report, "db.deadlock", process_id=str(700 + k))
        story.task(601 + 3 * k, "failed", problem="task.failed")
        story.request(602 + 3 * k, 500, problem="api.server_error", user=f"user-{k}")
        story.slow_query(640 + k, 1800 + k, f"SELECT * FROM jobs WHERE id = {k}")
    story.add(900, "shop-api", "nobody knows this", "error.unclassified")
    with Session(write(story.frame(), tmp_path_factory.mktemp("lake"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library(tmp_path_factory.mktemp("runbooks"))


@pytest.fixture(scope="module")
def report(session: Session, library: Library) -> Report:
    return model.build(session, WINDOW, library)


def queries(value: Any) -> Iterator[Query]:
    """Every query that a report carries, wherever it is."""
    if isinstance(value, Query):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from queries(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from queries(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from queries(item)


def test_every_query_shown_runs_unchanged_and_gives_what_the_named_one_gives(session: Session, report: Report) -> None:
    shown = {(q.name, str(q.params)): q for q in queries(report)}
    assert len({name for name, _ in shown}) > 10
    for query in shown.values():
        assert session.sql(formats.inlined(query)).equals(session.named(query.name, **query.params)), query.name


def test_figures_are_those_of_their_queries(session: Session, report: Report) -> None:
    def run(query: Query) -> Any:
        return session.sql(formats.inlined(query))

    assert report.totals.records == run(report.totals.query)["records"].sum()
    assert report.totals.problems + report.totals.benign + report.totals.unclassified == report.totals.records
    problems = run(report.queries["problems"])
    for row in report.problems:
        if not row.derived:
            assert row.records == problems.filter(problem=row.problem)["records"].sum() == row.buckets.total
    groups = run(report.queries["groups"])
    assert [g.count for g in report.groups] == groups["records"].to_list()
    assert all(g.count == g.buckets.total for g in report.groups)
    for series in report.series:
        assert len(series.points) == run(series.query).height * len(series.names)
    slow = run(report.queries["slow"]).drop("query", "record_ids", "p99_ms").rows()
    assert slow and [
        pytest.approx((q.count, q.total_ms, q.mean_ms, q.p95_ms, q.max_ms)) for q in report.slow_queries
    ] == slow
    assert report.error_buckets.total == report.totals.errors
    tasks = {row["task_name"]: row for row in run(report.queries["tasks"]).to_dicts()}
    assert len(tasks) == len(report.tasks)
    for task in report.tasks:
        row = tasks[task.task_name]
        assert (task.tasks, task.succeeded, task.timeouts) == (row["tasks"], row["succeeded"], row["timeouts"])
        assert task.failed >= row["failed"]
    assert sum(task.failed for task in report.tasks) - report.inferred_failures == sum(r["failed"] for r in tasks.values())
    assert len(report.deadlocks) == run(report.queries["deadlocks"]).height
    assert report.events.total == run(report.events.query).height
    assert report.failed_requests == run(report.queries["requests"])["failed"].sum()
    for chapter in report.chapters:
        impact, routes = chapter.incident.impact, run(chapter.routes)
        assert impact.failed_requests == routes["failed"].sum()
        # The server's lines state no durations here; then what the application says of slow answers counts.
        assert impact.slow_requests == (routes["slow"].sum() or chapter.incident.counts.get("api.slow_response", 0))
        assert [(r.route, r.requests, r.failed, r.slow) for r in impact.by_route] == routes.rows()[: len(impact.by_route)]
    worst = {"HighTaskFailureRate": "failures_per_s", "SlowAPIResponse": "p95_ms"}
    for alert in report.alerts:
        value = run(report.queries[f"alert.{alert.rule}"])[worst[alert.rule]].max()
        assert value and alert.value == pytest.approx(value / (1000 if alert.unit == "s" else 1))
    services = run(report.totals.query).select("service_name", "records", "errors").rows()
    assert [(s.service, s.records, s.errors) for s in report.services] == services
    origins = run(report.collection.query).select("origin", "records").rows()
    assert [(o.origin, o.records) for o in report.collection.origins] == origins


def test_cards_count_what_their_queries_count(session: Session, report: Report) -> None:
    cards = [card for chapter in report.chapters for card in chapter.cards]
    assert cards
    for card in cards:
        counted = session.sql(formats.inlined(card.query))
        assert card.records == counted["records"].sum()
        assert set(counted["service_name"]) <= set(card.services)
        for item in card.evidence:
            around = session.sql(formats.inlined(item.query))
            shown = [r.record_id for r in (*item.before, *item.after)]
            assert shown == around["record_id"].to_list()


def test_a_failure_that_only_its_workers_end_tells_is_told_apart(library: Library, tmp_path: Path) -> None:
    story = Story()
    story.healthy(300)
    story.task(100, end=None)
    story.add(120, WORKER, "WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL)", "task.worker_lost")
    with Session(write(story.frame(), tmp_path / "lake")) as opened:
        made = model.build(opened, Window(START, START + timedelta(seconds=300)), library)
    assert made.inferred_failures == sum(task.lost for task in made.tasks) == 1
    assert "1 of the failures is concluded" in render.html(made)


def test_incident_has_cards_with_evidence_and_a_filled_runbook(report: Report) -> None:
    assert [chapter.incident.suspected_cause.problem for chapter in report.chapters] == ["db.deadlock"]  # type: ignore[union-attr]
    cards = {card.problem: card for card in report.chapters[0].cards}
    assert cards["db.deadlock"].runbook and f"docker logs {DB} | grep" in cards["db.deadlock"].runbook.markdown
    assert cards["task.failed"].runbook is None
    for card in cards.values():
        assert card.evidence and all(e.record.problem for e in card.evidence)
        assert any(e.before or e.after for e in card.evidence)


def test_building_twice_gives_the_same_page(session: Session, library: Library, report: Report) -> None:
    assert render.html(model.build(session, WINDOW, library)) == render.html(report)


def test_summary_is_json_and_names_what_happened(report: Report) -> None:
    summary = json.loads(json.dumps(render.summary(report)))
    counts = {p["problem"]: p["count"] for p in summary["problems"]}
    assert counts["db.deadlock"] == 12 and counts["error.unclassified"] == 1
    assert summary["incidents"][0]["suspected_cause"]["problem"] == "db.deadlock"
    assert summary["unclassified_errors"][0]["count"] == 1
    assert summary["slow_queries"][0]["count"] == 12


def test_window_without_records_is_empty_and_renders(session: Session, library: Library) -> None:
    later = Window(START + timedelta(days=3), START + timedelta(days=4))
    report = model.build(session, later, library)
    assert report.totals.records == 0 and not report.chapters and not report.drawn
    assert "No records" in render.html(report)
    json.dumps(render.summary(report))


def test_empty_lake_renders(library: Library) -> None:
    with Session([]) as session:
        report = model.build(session, WINDOW, library, "zh")
    assert "没有任何记录" in render.html(report)


def test_window_of_any_length_has_few_steps() -> None:
    from triage.report.sources import axis

    start = datetime(2026, 1, 1, tzinfo=UTC)
    for seconds in (0.5, 59, 3600, 86400, 86400 * 400):
        made = axis(start, start + timedelta(seconds=seconds))
        assert made.steps <= 400 and made.step_s * made.steps >= seconds


def test_digest_of_a_day_and_of_a_day_without_records(session: Session, library: Library) -> None:
    made = digest.build(session, START.date(), library)
    assert made.records and made.base_days == 0 and not made.new
    assert [i.problems[0] for i in made.incidents] == ["db.deadlock"]
    assert "deadlock" in digest.html(made)
    nothing = digest.build(session, date(2026, 3, 1), library)
    assert "No records" in digest.markdown(nothing)
