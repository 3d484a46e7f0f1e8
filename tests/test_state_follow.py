"""When probes are asked while following, and what settings mean: no engine is needed for either."""

from __future__ import annotations

from triage.state import judgements, probes
from triage.state.probing import Onsets, due
from triage.state.process import Process
from triage.state.programs import psql_options

GOOD = {
    "log_min_duration_statement": "500", "log_line_prefix": "%m [%p] %q%u@%d ", "log_lock_waits": "on", "deadlock_timeout": "1000",
    "log_temp_files": "10240", "logging_collector": "off", "log_timezone": "Etc/UTC", "is_superuser": "off",
    "idle_in_transaction_session_timeout": "60000",
}  # fmt: skip


def test_a_problem_begins_when_it_comes_after_minutes_without_it() -> None:
    onsets = Onsets()
    assert onsets.new({"db.deadlock": 2}, 0.0) == ["db.deadlock"]
    assert onsets.new({"db.deadlock": 2}, 1.0) == []
    assert onsets.new({"db.deadlock": 5, "task.failed": 1}, 100.0) == ["task.failed"], (
        "the one goes on, the other begins"
    )
    assert onsets.new({"db.deadlock": 6}, 350.0) == [], "no more than minutes since the last"
    assert onsets.new({"db.deadlock": 7}, 700.0) == ["db.deadlock"]


def test_what_is_dear_is_asked_seldom_and_an_onset_asks_beside_the_schedule() -> None:
    known = {probe.id: probe for probe in probes.load()}
    some = [known["postgres_blocking"], known["rabbitmq_status"]]
    scheduled: dict[str, float] = {}

    def turn(now: float) -> list[str]:
        return [probe.id for probe in due(some, scheduled, lambda probe: max(300.0, probe.every_s), now)]

    assert [turn(now) for now in (0, 299, 300, 1800)] == [
        ["postgres_blocking", "rabbitmq_status"], [], ["postgres_blocking"], ["postgres_blocking", "rabbitmq_status"],
    ]  # fmt: skip
    onset: dict[str, float] = {}
    assert len(due(some, onset, lambda probe: 30.0, 1801)) == 2 and due(some, onset, lambda probe: 30.0, 1810) == []


def levels(**settings: str) -> dict[str, tuple[str, str]]:
    found = judgements.postgres("the db", {**GOOD, **settings})
    return {f.message: (f.level, f.fix or "") for f in found}


def test_settings_of_postgres_are_judged_each_with_the_command_that_mends_it() -> None:
    assert levels() == {"Postgres logs what is needed": ("ok", "")}
    for settings, level, fix in (
        ({"log_min_duration_statement": "-1"}, "problem", "SET log_min_duration_statement = '1s'"),
        ({"log_min_duration_statement": "5000"}, "note", "SET log_min_duration_statement = '1s'"),
        ({"log_line_prefix": "< %p >"}, "problem", "SET log_line_prefix = '%m [%p] %q%u@%d '"),
        ({"log_line_prefix": "%m [%p] "}, "note", "SET log_line_prefix"),
        ({"log_lock_waits": "off"}, "problem", "SET log_lock_waits = on"),
        ({"deadlock_timeout": "60000"}, "note", "SET deadlock_timeout = '1s'"),
        ({"log_temp_files": "-1"}, "note", "SET log_temp_files = '10MB'"),
        ({"logging_collector": "on"}, "problem", "docker restart 'the db'"),
        ({"log_timezone": "Asia/Shanghai"}, "note", "SET log_timezone = 'UTC'"),
        ({"is_superuser": "on"}, "note", "IN ROLE pg_monitor"),
    ):
        found = [(told, how) for told, how in levels(**settings).items() if told != "Postgres logs what is needed"]
        assert len(found) == 1, settings
        assert found[0][1][0] == level and fix in found[0][1][1], found
        assert ("Postgres logs what is needed" in levels(**settings)) is (level != "problem"), settings


def test_the_fix_reaches_the_server_as_its_container_was_told() -> None:
    words = ("initdb", "-U", "shop", "&&", "postgres", "-p", "5433", "-k", "/tmp")
    options = psql_options(Process("base", words, {}))
    (found,) = [f for f in judgements.postgres("db", {**GOOD, "log_lock_waits": "off"}, options) if f.level == "problem"]
    assert found.fix == (
        'docker exec db psql -U shop -d postgres -p 5433 -h /tmp -c "ALTER SYSTEM SET log_lock_waits = on" -c "SELECT pg_reload_conf()"'
    )


def test_settings_of_celery_are_judged_from_command_and_configuration() -> None:
    def told(command: str, **conf: str) -> dict[str, str]:
        found = judgements.celery("worker", Process("shop:1", tuple(command.split()), {}), [{"node": "a@b", **conf}])
        return {f.message: f.level for f in found}

    good = {"worker_send_task_events": "true", "worker_max_tasks_per_child": "100", "task_soft_time_limit": "300"}
    assert told("celery -A shop worker -l info", **good) == {"Celery answers and logs from INFO on: a@b": "ok"}
    assert told("celery -A shop worker -E -l INFO --max-tasks-per-child=9 --time-limit 5").keys() == {
        "Celery answers and logs from INFO on: a@b"
    }
    assert "problem" in told("celery -A shop worker", **good).values(), "WARNING by default: no task is told of"
    formats = told(
        "celery -A shop worker -l INFO", worker_log_format="%(message)s", worker_task_log_format="%(message)s", **good
    )
    assert sorted(formats.values()) == ["note", "ok", "problem"]


def test_a_health_check_fits_the_program() -> None:
    assert "pg_isready" in judgements.health_check(Process("postgres:16", ("docker-entrypoint.sh", "postgres"), {}))
    assert "redis-cli" in judgements.health_check(Process("library/redis:7", ("docker-entrypoint.sh",), {}))
    assert "celery -A shop.app inspect ping" in judgements.health_check(
        Process("x", ("celery", "-A", "shop.app", "worker"), {})
    )
    assert "/health" in judgements.health_check(Process("shop:1", ("uvicorn", "main:app"), {}))
