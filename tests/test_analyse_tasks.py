"""Task and request lives: what happened to each id, what no line says, and the rules that watch them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.lake_factory import APP, BEAT, START, WORKER, Story, write
from triage.analyse import (
    Settings,
    TaskLife,
    Window,
    alerts,
    clock_skew,
    impact,
    new_templates,
    problem_counts,
    request_lives,
    stopped,
    task_lives,
    task_summaries,
    task_table,
)
from triage.errors import UsageError
from triage.query import Session

HOUR = Window(START, START + timedelta(hours=1))
Lake = Callable[[Story], Session]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lambda story: Session(write(story.frame(), tmp_path))


def life_of(session: Session, task_id: str) -> TaskLife:
    (life,) = (life for life in task_lives(session, HOUR) if life.task_id == task_id)
    return life


class TestTaskLife:
    def test_a_task_that_succeeds_has_wait_and_run_time(self, lake: Lake) -> None:
        story = Story()
        task = story.task(10, run_s=1.25, wait_s=0.5)
        life = life_of(lake(story), task)
        assert life.state == "succeeded"
        assert life.wait_ms == 500
        assert life.run_ms == 1250
        assert (life.sent_by, life.worker, life.job_id) == (APP, WORKER, "job-1")
        assert not life.inferred
        assert not life.duplicate

    def test_sent_and_never_received_is_stuck(self, lake: Lake) -> None:
        story = Story()
        story.healthy(600)
        task = story.task(300, received=False)
        life = life_of(lake(story), task)
        assert (life.state, life.inferred) == ("stuck", True)
        (found,) = (p for p in problem_counts(lake(story), HOUR) if p.problem == "task.stuck_pending")
        assert (found.count, found.derived, found.services) == (1, True, (APP,))

    def test_sent_a_moment_before_the_end_is_not_stuck_yet(self, lake: Lake) -> None:
        story = Story()
        story.healthy(600)
        story.add(605, APP, "last line")
        task = story.task(600, received=False)
        assert life_of(lake(story), task).state == "sent"

    def test_without_any_worker_log_nothing_is_stuck(self, lake: Lake) -> None:
        story = Story()
        task = story.task(10, received=False)
        story.add(3000, APP, "later")
        assert life_of(lake(story), task).state == "sent"

    def test_received_far_too_late_is_late_and_was_stuck(self, lake: Lake) -> None:
        story = Story()
        story.healthy(600)
        task = story.task(300, wait_s=75)
        session = lake(story)
        assert life_of(session, task).late
        assert "task.stuck_pending" in {p.problem for p in problem_counts(session, HOUR)}

    def test_a_poll_of_an_old_task_does_not_send_it(self, lake: Lake) -> None:
        story = Story()
        task = story.task(-7200)
        story.healthy(600)
        story.add(100, APP, f"state of {task} asked", task_id=task)
        assert life_of(lake(story), task).state == "sent"

    def test_open_when_its_worker_was_lost_is_lost_by_inference(self, lake: Lake) -> None:
        story = Story()
        done = story.task(5)
        lost = story.task(10, end=None)
        story.add(20, WORKER, "Task handler raised error: WorkerLostError('Worker exited prematurely: signal 9 (SIGKILL) Job: 5.')",
                  "task.worker_lost")  # fmt: skip
        after = story.task(30, end=None)
        session = lake(story)
        assert life_of(session, done).state == "succeeded"
        assert life_of(session, after).state == "running"
        life = life_of(session, lost)
        assert (life.state, life.inferred, life.reason) == ("lost", True, "its worker lost a child process")

    def test_open_when_its_worker_started_anew_is_lost(self, lake: Lake) -> None:
        story = Story()
        task = story.task(10, end=None)
        story.add(60, WORKER, "celery@worker-1 ready.")
        assert life_of(lake(story), task).state == "lost"

    def test_open_for_far_longer_than_any_other_is_lost_and_counts_as_a_failure(self, lake: Lake) -> None:
        story = Story()
        story.healthy(600)
        lost = [story.task(100 + 5 * number, end=None) for number in range(4)]
        last = story.task(590, end=None)
        session = lake(story)
        assert {life_of(session, task).state for task in lost} == {"lost"}
        assert life_of(session, last).state == "running"
        (found,) = (p for p in problem_counts(session, HOUR) if p.problem == "task.worker_lost")
        assert (found.count, found.derived, found.services) == (4, True, (WORKER,))

    def test_retries_are_counted_and_are_no_duplicates(self, lake: Lake) -> None:
        story = Story()
        task = story.task(10, end=None)
        for second in (11, 13):
            story.worker(second, task, "retry", f"Task shop.render[{task}] retry: Retry in 1s", problem="task.retry")
            story.worker(second + 1, task, "received", f"Task shop.render[{task}] received")
        story.end(15, task, "succeeded", 0.5)
        life = life_of(lake(story), task)
        assert (life.state, life.retries, life.receipts, life.duplicate) == ("succeeded", 2, 3, False)

    def test_run_twice_is_a_duplicate(self, lake: Lake) -> None:
        story = Story()
        task = story.task(10)
        story.worker(20, task, "received", f"Task shop.render[{task}] received")
        story.end(21, task, "succeeded", 0.5)
        assert life_of(lake(story), task).duplicate

    def test_summaries_add_up(self, lake: Lake) -> None:
        story = Story()
        story.healthy(600)
        for second in range(5):
            story.task(100 + second, end="failed", problem="provider.timeout", name="shop.mail")
        rows = {row.task_name: row for row in task_summaries(task_table(lake(story), HOUR))}
        assert (rows["shop.mail"].tasks, rows["shop.mail"].failed) == (5, 5)
        assert rows["shop.render"].succeeded == rows["shop.render"].tasks


class TestRequests:
    def test_a_request_told_by_proxy_server_and_application_counts_once(self, lake: Lake) -> None:
        story = Story()
        for second in range(0, 60, 3):
            failed = second < 9
            for service, scope, late in ((APP, "shop.http", 0.0), (APP, "uvicorn.access", 0.01), ("edge", None, 0.02)):
                story.add(second + late, service, "answered", status_code=500 if failed else 200, scope_name=scope,
                          duration_ms=20.0 if scope == "shop.http" else None,
                          attributes={"http.request.method": "POST", "url.path": "/orders" if scope == "shop.http" else "/orders?dry=1"})  # fmt: skip
            story.add(second, APP, "order stored")
        (route,) = impact(lake(story), HOUR).by_route
        assert (route.requests, route.failed) == (20, 3)

    def test_a_request_is_followed_over_services(self, lake: Lake) -> None:
        story = Story()
        story.add(1, APP, "begin", request_id="r-1", user_id="u-9")
        story.add(1.2, WORKER, "task for it", request_id="r-1", task_id="t-1")
        story.add(1.5, APP, "answered", "api.server_error", request_id="r-1", status_code=500, duration_ms=510.0,
                  attributes={"http.request.method": "POST", "url.path": "/jobs"})  # fmt: skip
        (life,) = request_lives(lake(story), HOUR)
        assert (life.status_code, life.duration_ms, life.services) == (500, 510.0, (APP, WORKER))
        assert (life.task_ids, life.problems, life.user_id) == (("t-1",), ("api.server_error",), "u-9")

    def test_the_error_budget_needs_a_target(self, lake: Lake) -> None:
        story = Story()
        for second in range(100):
            story.request(second, 500 if second < 2 else 200, problem="api.server_error" if second < 2 else None)
        session = lake(story)
        assert impact(session, HOUR).error_budget_used is None
        assert impact(session, HOUR, Settings(error_target=0.99)).error_budget_used == 2.0


class TestStoppedAndNew:
    def test_a_schedule_that_stops_is_reported_with_its_learned_period(self, lake: Lake) -> None:
        story = Story()
        story.healthy(600, beat_s=10)
        for second in range(600, 1800, 5):
            story.request(second)
        (found,) = (s for s in stopped(lake(story), HOUR) if s.kind == "beat")
        assert (found.what, found.period_s, found.resumed_at) == ("sweep", 10, None)

    def test_a_schedule_that_goes_on_is_not(self, lake: Lake) -> None:
        story = Story()
        story.healthy(600, beat_s=10)
        assert [s for s in stopped(lake(story), HOUR) if s.kind == "beat"] == []

    def test_a_gap_that_ended_says_when(self, lake: Lake) -> None:
        story = Story()
        for second in [*range(0, 200, 10), *range(400, 600, 10)]:
            story.add(second, BEAT, "Scheduler: Sending due task sweep (shop.sweep)", attributes={"beat.entry": "sweep"})
        (found,) = stopped(lake(story), HOUR)
        assert found.resumed_at == story.at(400)
        assert found.silent_s == 210

    def test_a_message_that_was_never_seen_is_new(self, lake: Lake) -> None:
        story = Story()
        for second in range(-7200, 3600, 10):
            story.add(second, APP, "usual")
        story.add(1000, APP, "something quite different", "error.unclassified")
        (found,) = new_templates(lake(story), HOUR)
        assert (found.template, found.kind) == ("something quite different", "new")

    def test_far_above_its_usual_rate_is_rising(self, lake: Lake) -> None:
        story = Story()
        for second in range(-7200, 0, 600):
            story.add(second, APP, "cache miss")
        for second in range(0, 3600, 20):
            story.add(second, APP, "cache miss")
        (found,) = new_templates(lake(story), HOUR)
        assert found.kind == "rising"

    def test_a_lake_without_history_has_nothing_new(self, lake: Lake) -> None:
        story = Story()
        story.healthy(600)
        assert new_templates(lake(story), HOUR) == ()


    def test_a_task_that_came_by_chance_and_often_has_stopped(self, lake: Lake) -> None:
        story = Story()
        story.healthy(1800, beat_s=10)
        for number in range(40):
            story.task(20 * number + 7 * (number % 3), name="shop.mail")
        (found,) = (s for s in stopped(lake(story), HOUR) if s.what == "shop.mail")
        assert (found.kind, found.service, found.resumed_at) == ("task", WORKER, None)

    def test_the_silence_of_a_task_that_comes_many_times_a_second_is_told_to_the_moment(self, lake: Lake) -> None:
        story = Story()
        for number in [*range(300), *range(1050, 1350)]:  # five a second; the 300th at 59.8 s
            story.worker(number / 5, f"t-{number}", "received", f"Task shop.mail[t-{number}] received", "shop.mail")
        story.healthy(270)
        session = lake(story)
        (found,) = (s for s in stopped(session, HOUR) if s.what == "shop.mail" and s.resumed_at)
        assert (found.last_seen, found.resumed_at, found.silent_s) == (story.at(59.8), story.at(210), 150.2)
        (told,) = session.named("report_records", record_ids=[found.record_id])["message"]
        assert told == "Task shop.mail[t-299] received"

    def test_what_stopped_before_the_window_is_missing_from_it(self, lake: Lake) -> None:
        story = Story()
        for second in range(-3600, -600, 60):
            story.add(second, BEAT, "Scheduler: Sending due task night (shop.night)", attributes={"beat.entry": "night"})
        story.healthy(600)
        assert "night" in {s.what for s in stopped(lake(story), HOUR) if s.kind == "beat" and s.resumed_at is None}


class TestAlerts:
    def test_task_failure_rate_fires_over_a_tenth_a_second(self, lake: Lake) -> None:
        story = Story()
        for second in range(40):
            story.task(1000 + second * 5, end="failed", problem="provider.timeout")
        task_rule, request_rule = alerts(lake(story), HOUR)
        assert task_rule.firing
        assert task_rule.value == pytest.approx(40 / 300)
        assert not task_rule.active
        assert not request_rule.firing

    def test_response_time_fires_over_a_second(self, lake: Lake) -> None:
        story = Story()
        for second in range(0, 3600, 10):
            story.request(second, duration_ms=1500 if second >= 3000 else 20)
        rule = alerts(lake(story), HOUR)[1]
        assert rule.firing
        assert rule.active
        assert rule.since == story.at(3000)

    def test_a_rule_of_the_user(self, lake: Lake) -> None:
        story = Story()
        story.request(5, 500, problem="api.server_error")
        sql = "SELECT count(*) AS value, 0 AS threshold FROM requests WHERE status_code >= 500 AND \"timestamp\" >= $since"
        rule = alerts(lake(story), HOUR, Settings(user_alerts={"any 5xx": sql}))[2]
        assert (rule.rule, rule.firing, rule.value) == ("any 5xx", True, 1.0)

    def test_a_rule_without_its_columns_is_told_so(self, lake: Lake) -> None:
        with pytest.raises(UsageError, match="alert rule 'x' must give the columns value and threshold"):
            alerts(Session([]), HOUR, Settings(user_alerts={"x": "SELECT 1 AS one"}))


class TestClocks:
    def test_a_clock_ahead_of_the_engine_is_seen(self, lake: Lake) -> None:
        story = Story()
        for second in range(50):
            row = story.add(second, APP, "tick")
            row["observed_timestamp"] = story.at(second - 8)
        (skew,) = clock_skew(lake(story), HOUR)
        assert (skew.service, skew.skew_s) == (APP, 8)

    def test_a_worker_that_receives_before_the_sending_is_behind(self, lake: Lake) -> None:
        story = Story()
        for second in range(10):
            task = story.task(second, received=False)
            story.worker(second - 4, task, "received", f"Task shop.render[{task}] received")
        (skew,) = clock_skew(lake(story), HOUR)
        assert skew.service == WORKER
        assert skew.skew_s == pytest.approx(-4)
