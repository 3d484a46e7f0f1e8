"""Incidents: bursts over the window's own baseline, their cause first, whatever the window, the names and the clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.lake_factory import APP, DB, LEADS_TO, START, WORKER, Story, write
from triage.analyse import Incident, Settings, Window, incidents
from triage.analyse.bursts import unlikely
from triage.query import Session

HOUR = Window(START, START + timedelta(hours=1))
Fault = Callable[[Story, float], None]


def analyse(story: Story, folder: Path, window: Window = HOUR, files: int = 2) -> tuple[Incident, ...]:
    return incidents(Session(write(story.frame(), folder, files)), window, LEADS_TO)


def healthy(seed: int = 1, length_s: float = 3600) -> Story:
    story = Story(seed)
    story.healthy(length_s)
    story.noise(length_s, "api.not_found", APP, 1 / 30)
    story.noise(length_s, "db.constraint_violation", DB, 1 / 400)
    return story


def clumpy(seed: int, hours: float) -> Story:
    """Two to eight failures within ten seconds, as of one page, at random times all along."""
    story = Story(seed)
    story.healthy(hours * 3600)
    draw = random.Random(seed)
    for _ in range(int(hours * 36)):
        second = draw.uniform(0, hours * 3600 - 10)
        for _ in range(draw.randint(2, 8)):
            story.add(second + draw.uniform(0, 10), APP, "no such thing", "api.not_found")
    return story


def rate_limit(story: Story, at: float) -> None:
    for step in range(12):
        task = story.task(at + step * 3, end="failed", run_s=6, problem="provider.rate_limited")
        story.worker(at + step * 3 + 2, task, "retry", f"Task shop.render[{task}] retry: Retry in 1s", problem="task.retry")
    for step in range(8):
        story.request(at + 10 + step * 4, 500, problem="api.server_error")


def pool(story: Story, at: float) -> None:
    for step in range(10):
        story.slow_query(at + step * 4, 3000, f"SELECT * FROM jobs WHERE user_id = {step}")
        story.add(at + 5 + step * 4, APP, "QueuePool limit of size 5 overflow 10 reached", "db.pool_exhausted")
        story.request(at + 5.1 + step * 4, 500, problem="api.server_error")


def stuck(story: Story, at: float) -> None:
    for step in range(6):
        story.add(at + step * 2, WORKER, "consumer: Connection to broker lost", "broker.connection_lost")
        story.task(at + 3 + step * 2, received=False)


def deadlock(story: Story, at: float) -> None:
    for step in range(4):
        story.add(at + step * 8, DB, "deadlock detected", "db.deadlock")
        story.task(at + step * 8 - 2, end="failed", run_s=2.1, problem="db.deadlock")


def lost_worker(story: Story, at: float) -> None:
    for step in range(4):
        story.add(at + step * 9, WORKER, "WorkerLostError('Worker exited prematurely: signal 9')", "task.worker_lost")
        story.task(at + step * 9 - 3, end="failed", run_s=3.1)


FAULTS: dict[str, tuple[Fault, str, set[str]]] = {
    "rate_limit": (rate_limit, "provider.rate_limited", {"task.retry", "task.failed", "api.server_error"}),
    "pool": (pool, "db.slow_query", {"db.pool_exhausted", "api.server_error"}),
    "stuck": (stuck, "broker.connection_lost", {"task.stuck_pending"}),
    "deadlock": (deadlock, "db.deadlock", {"task.failed"}),
    "lost_worker": (lost_worker, "task.worker_lost", {"task.failed"}),
}


class TestHealthy:
    @pytest.mark.parametrize("seed", range(6))
    def test_noise_and_traffic_are_no_incident(self, tmp_path: Path, seed: int) -> None:
        assert analyse(healthy(seed), tmp_path) == ()

    @pytest.mark.parametrize("per_s", [1 / 1800, 1 / 600, 1 / 60, 1 / 5, 2])
    def test_steady_noise_of_any_rate_is_no_incident(self, tmp_path: Path, per_s: float) -> None:
        story = Story(7)
        story.healthy(3600)
        story.noise(3600, "error.unclassified", APP, per_s)
        assert analyse(story, tmp_path) == ()

    def test_one_failure_is_a_finding_and_no_incident(self, tmp_path: Path) -> None:
        story = healthy()
        story.task(1000, end="failed", problem="provider.timeout")
        assert analyse(story, tmp_path) == ()

    def test_one_failure_printed_three_times_is_one_failure(self, tmp_path: Path) -> None:
        story = healthy()
        story.add(1000, APP, "unhandled error", "api.server_error", pattern="app.handler")
        story.add(1000.002, APP, "Exception in ASGI application", "api.server_error", pattern="app.uvicorn")
        story.request(1000.004, 500, problem="api.server_error")
        assert analyse(story, tmp_path) == ()

    def test_errors_that_only_grow_with_the_traffic_are_no_incident(self, tmp_path: Path) -> None:
        story = Story(3)
        for second in range(3600):
            for part in range(20 if 1800 <= second < 2100 else 2):
                number = second * 20 + part
                story.request(second + part / 20, 404 if number % 25 == 0 else 200,
                              problem="api.not_found" if number % 25 == 0 else None)  # fmt: skip
        assert analyse(story, tmp_path) == ()

    def test_a_job_that_fails_in_the_same_way_every_minute_is_background(self, tmp_path: Path) -> None:
        story = Story(4)
        story.healthy(3600)
        for minute in range(60):
            for step in range(4):
                story.add(minute * 60 + step, APP, "sync of shop 12 failed", "error.unclassified")
        assert analyse(story, tmp_path) == ()

    @pytest.mark.parametrize("hours", [2, 24])
    def test_failures_that_always_come_in_clumps_are_background(self, tmp_path: Path, hours: int) -> None:
        story = clumpy(9, hours)
        assert analyse(story, tmp_path, Window(START, START + timedelta(hours=hours))) == ()

    def test_a_burst_over_clumps_is_an_incident(self, tmp_path: Path) -> None:
        story = clumpy(9, 2)
        for step in range(200):
            story.add(4000 + step, APP, "no such thing", "api.not_found")
        (incident,) = analyse(story, tmp_path, Window(START, START + timedelta(hours=2)))
        assert abs((incident.start - story.at(4000)).total_seconds()) < 60

    def test_words_in_benign_records_are_nothing(self, tmp_path: Path) -> None:
        story = healthy()
        for step in range(50):
            story.add(2000 + step / 10, APP, f"prompt {step}: explain 'ERROR: deadlock detected' and rate limit")
        assert analyse(story, tmp_path) == ()

    def test_an_empty_lake_has_no_incident(self) -> None:
        assert incidents(Session([]), HOUR, LEADS_TO) == ()


class TestFaults:
    @pytest.mark.parametrize("at", [400.5, 1800, 3300])
    @pytest.mark.parametrize("name", FAULTS)
    def test_the_injected_one_is_first_and_the_others_are_in_its_chain(
        self, tmp_path: Path, name: str, at: float
    ) -> None:
        fault, cause, effects = FAULTS[name]
        story = healthy(seed=int(at))
        fault(story, at)
        (incident,) = analyse(story, tmp_path)
        assert incident.suspected_cause is not None
        assert incident.suspected_cause.problem == cause
        assert {step.problem for step in incident.chain} >= effects
        assert incident.chain[0].problem == cause
        assert abs((incident.start - story.at(at)).total_seconds()) < 10

    def test_two_faults_far_apart_are_two_incidents(self, tmp_path: Path) -> None:
        story = healthy()
        pool(story, 600)
        deadlock(story, 2400)
        found = analyse(story, tmp_path)
        assert [each.suspected_cause.problem for each in found if each.suspected_cause] == ["db.slow_query", "db.deadlock"]

    def test_lasting_to_the_end_is_open(self, tmp_path: Path) -> None:
        story = healthy()
        rate_limit(story, 3560)
        (incident,) = analyse(story, tmp_path)
        assert incident.open

    def test_over_before_the_end_is_closed(self, tmp_path: Path) -> None:
        story = healthy()
        rate_limit(story, 1800)
        (incident,) = analyse(story, tmp_path)
        assert not incident.open

    def test_most_of_the_window_may_be_the_incident(self, tmp_path: Path) -> None:
        story = healthy()
        for step in range(300):
            story.add(900 + step * 8, APP, "provider said no", "provider.invalid_api_key")
        (incident,) = analyse(story, tmp_path)
        assert incident.start == story.at(900)
        assert incident.end == story.at(900 + 299 * 8)

    def test_a_rise_over_steady_noise_is_found(self, tmp_path: Path) -> None:
        story = Story(11)
        story.healthy(3600)
        story.noise(3600, "api.not_found", APP, 1 / 10)
        for step in range(120):
            story.add(2000 + step / 2, APP, "no such thing", "api.not_found")
        (incident,) = analyse(story, tmp_path)
        assert abs((incident.start - story.at(2000)).total_seconds()) < 30

    def test_impact_counts_tasks_requests_users_and_jobs(self, tmp_path: Path) -> None:
        story = healthy()
        rate_limit(story, 1800)
        (incident,) = analyse(story, tmp_path)
        assert incident.impact.failed_tasks == 12
        assert incident.impact.failed_requests == 8
        assert incident.impact.retried_tasks == 12
        assert incident.impact.jobs == 12
        assert 0.5 < incident.impact.degraded_minutes < 1.5

    def test_without_a_graph_onset_and_keys_still_order(self, tmp_path: Path) -> None:
        story = healthy()
        pool(story, 1800)
        (incident,) = incidents(Session(write(story.frame(), tmp_path)), HOUR)
        assert incident.suspected_cause is not None
        assert incident.suspected_cause.problem == "db.slow_query"
        assert incident.suspected_cause.confidence < 0.75


class TestInvariance:
    @staticmethod
    def essence(found: tuple[Incident, ...]) -> list[tuple[object, ...]]:
        return [
            (each.start, each.end, each.problems, each.counts, each.suspected_cause and each.suspected_cause.problem,
             each.impact)
            for each in found
        ]  # fmt: skip

    def faulty(self, seed: int = 5, **options: object) -> Story:
        story = Story(seed, **options)  # type: ignore[arg-type]
        story.healthy(3600)
        story.noise(3600, "api.not_found", APP, 1 / 30)
        pool(story, 900)
        rate_limit(story, 2700)
        return story

    def test_other_files_change_nothing(self, tmp_path: Path) -> None:
        one, many = analyse(self.faulty(), tmp_path / "a", files=1), analyse(self.faulty(), tmp_path / "b", files=7)
        assert one == many

    def test_shifted_clocks_shift_the_incidents(self, tmp_path: Path) -> None:
        shift = timedelta(days=3, hours=5, minutes=17, seconds=13.3)
        here = analyse(self.faulty(), tmp_path / "a")
        window = Window(HOUR.start + shift, HOUR.end + shift)
        there = analyse(self.faulty(start=START + shift), tmp_path / "b", window)
        assert [(i.start + shift, i.end + shift, i.problems, i.counts) for i in here] == [
            (i.start, i.end, i.problems, i.counts) for i in there
        ]

    def test_renamed_services_change_only_the_names(self, tmp_path: Path) -> None:
        names = {APP: "zz", WORKER: "a1", DB: "mm"}
        here, there = analyse(self.faulty(), tmp_path / "a"), analyse(self.faulty(names=names), tmp_path / "b")
        assert self.essence(here) == self.essence(there)
        assert here[0].services != there[0].services

    @pytest.mark.parametrize("hours", [24, 24 * 30])
    def test_an_hour_in_a_longer_window_has_the_same_incidents(self, tmp_path: Path, hours: int) -> None:
        hour = analyse(self.faulty(), tmp_path / "hour")
        before = Story(77, start=START - timedelta(hours=hours / 2))
        rate = 0.02 if hours > 24 else 0.2
        before.healthy(hours * 1800, rate, rate)
        before.noise(hours * 1800, "api.not_found", APP, 1 / 30)
        after = Story(78, start=START + timedelta(hours=1))
        after.healthy(hours * 1800 - 3600, rate, rate)
        after.noise(hours * 1800 - 3600, "api.not_found", APP, 1 / 30)
        story = self.faulty()
        story.rows += before.rows + after.rows
        window = Window(START - timedelta(hours=hours / 2), START + timedelta(hours=hours / 2))
        found = analyse(story, tmp_path / "long", window)
        assert self.essence(found) == self.essence(hour)
        assert len(found) == 2


def test_the_bound_on_chance_is_monotonic() -> None:
    assert not unlikely(2, 2, 1e-6)
    assert [unlikely(n, 0.01, 1e-6) for n in (1, 2, 3, 10)] == [False, False, True, True]


def test_thresholds_are_settings(tmp_path: Path) -> None:
    story = healthy()
    deadlock(story, 1800)
    session = Session(write(story.frame(), tmp_path))
    assert incidents(session, HOUR, LEADS_TO, Settings(minimum_failures=50)) == ()


@pytest.mark.parametrize(("late", "told"), [(DB, True), (WORKER, False)], ids=["engine", "ids"])
def test_clocks_that_are_apart_do_not_turn_cause_and_effect(tmp_path: Path, late: str, told: bool) -> None:
    """A minute and a half ahead: known from the engine's time, or from tasks that two services name."""
    story = healthy()
    (deadlock if late == WORKER else pool)(story, 1800)
    plain = analyse(story, tmp_path / "plain")
    for row in story.rows:
        row["observed_timestamp"] = row["timestamp"] + timedelta(milliseconds=2) if told else None
        if row["service_name"] == late:
            row["timestamp"] += timedelta(seconds=90)
    (found, *_) = analyse(story, tmp_path / "apart")
    assert found.suspected_cause is not None
    assert plain[0].suspected_cause is not None
    assert found.suspected_cause.problem == plain[0].suspected_cause.problem
    assert [step.problem for step in found.chain] == [step.problem for step in plain[0].chain]
    assert abs(found.start - plain[0].start) < timedelta(seconds=1)
    assert f"The clock of {late} is 90 s ahead" in found.why


def test_the_start_is_the_bursts_and_not_that_of_a_stray_failure_before(tmp_path: Path) -> None:
    """Ten minutes are little to learn from: one failure three minutes earlier is not yet the incident."""
    story = Story()
    story.healthy(600)
    story.add(200, APP, "invalid key", "provider.invalid_api_key")
    for step in range(20):
        story.add(400 + 4 * step, APP, "invalid key", "provider.invalid_api_key")
    (found,) = analyse(story, tmp_path, Window(START, START + timedelta(minutes=10)))
    assert found.start == story.at(400)


def test_failures_that_are_mostly_anothers_follow_from_it(tmp_path: Path) -> None:
    """A stray failed task before an expired key's does not make failed tasks the cause."""
    story = Story()
    story.healthy(600)
    for second in (250, 300):
        story.task(second, end="failed", problem="task.failed")
    for step in range(15):
        task = story.task(450 + 9 * step, end="failed", run_s=1, problem="task.failed")
        story.worker(450 + 9 * step + 1, task, "failed", "raised AuthenticationError", problem="provider.invalid_api_key")
    leads_to = {"provider.invalid_api_key": ("task.failed",)}
    (found,) = incidents(Session(write(story.frame(), tmp_path)), Window(START, START + timedelta(minutes=10)), leads_to)
    assert found.suspected_cause is not None
    assert found.suspected_cause.problem == "provider.invalid_api_key"
