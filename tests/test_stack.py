"""End to end on the real thing: engine, services, every fault, collect, report, compared with what really happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack import setup
from tests.stack.compare import decoys_taken, differences, load
from tests.stack.engine import Engine, engine, missing
from tests.stack.faults import FAULTS, OUTAGES
from tests.stack.run import drive
from tests.stack.stack import ALL, BEAT, POSTGRES, PROJECT, RABBITMQ, WORKER, Stack, StackError, stack, until
from tests.test_readme import commands, needs_engine

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.engine
if os.environ.get("CI") != "true" and (lacks := missing()):
    pytest.skip(f"the real stack needs: {', '.join(lacks)}", allow_module_level=True)


@dataclass(frozen=True)
class Run:
    """The stack after all faults, its engine still up; `lake` was collected while everything ran."""

    folder: Path
    engine: Engine
    truth: dict[str, object]
    services: Stack

    def triage(self, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**self.engine.env, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "triage", *arguments], cwd=self.folder, env=environment, capture_output=True,
            text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not ok, done.stderr
        return done

    def story(self, lake: str) -> set[tuple[str, str]]:
        """Id and text of the records of a lake up to the story's end."""
        query = f"SELECT record_id, body FROM logs WHERE \"timestamp\" < TIMESTAMPTZ '{self.truth['end']}'"
        told = self.triage("--lake", lake, "sql", query, "--format", "json").stdout
        rows = [(row["record_id"], row["body"]) for row in json.loads(told)]
        assert len(rows) == len(set(rows))
        return set(rows)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Everything up, and one follower collecting from the first line on."""
    setup.provide()
    folder = Path(tempfile.mkdtemp(prefix="triage-stack-"))
    try:
        with engine(folder / "engine") as here, stack(here, folder) as services:
            environment = {**here.env, "PYTHONPATH": str(ROOT)}
            command = [sys.executable, "-m", "triage", "--lake", "followed", "collect", "--follow", "--project", PROJECT]
            with (folder / "follow.log").open("wb") as log:
                follower = subprocess.Popen(command, cwd=folder, env=environment, stderr=log, stdout=log)
            truth = drive(services, [name for name in FAULTS if name not in OUTAGES], seed=3)
            truth.write(folder / "truth.json")
            found = Run(folder, here, load((folder / "truth.json").read_text(encoding="utf-8")), services)
            found.triage("--lake", "later", "collect", "--project", PROJECT)
            with suppress(StackError):  # what is missing is told by the test that compares
                until(lambda: found.story("followed") == found.story("later"), 60, "the follower")
            follower.send_signal(signal.SIGTERM)
            assert follower.wait(60) == 0, (folder / "follow.log").read_text()
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_report_agrees_with_what_happened(run: Run) -> None:
    run.engine.docker("stop", "-t", "5", BEAT)  # stopped containers have logs too
    run.triage("--lake", "lake", "collect", "--project", PROJECT)
    run.triage("--lake", "lake", "report", "--json", "summary.json", "--markdown", "postmortem.md")
    if artifacts := os.environ.get("TRIAGE_ARTIFACTS"):  # to look at what went wrong
        for name in ("report.html", "summary.json", "postmortem.md", "truth.json"):
            shutil.copy(run.folder / name, artifacts)
        shutil.copytree(run.folder / "lake", Path(artifacts) / "lake", dirs_exist_ok=True)
    summary = load((run.folder / "summary.json").read_text(encoding="utf-8"))
    assert differences(run.truth, summary) == []
    assert summary["collection"]["gaps"] == []
    assert set(summary["totals"]["by_service"]) <= set(ALL)
    query = "SELECT request_id, list(DISTINCT problem) AS problems FROM logs WHERE problem IS NOT NULL GROUP BY 1"
    rows = json.loads(run.triage("--lake", "lake", "sql", query, "--format", "json").stdout)
    named = {row["request_id"]: row["problems"] for row in rows}
    assert decoys_taken(run.truth, lambda request: named.get(request, [])) == []


def test_second_collect_adds_only_what_is_new(run: Run) -> None:
    run.triage("--lake", "again", "collect", "--project", PROJECT)
    count = "SELECT count(*) AS n, count(DISTINCT record_id) AS ids FROM logs WHERE service_name LIKE '%postgres' OR source = 'beat'"
    before = json.loads(run.triage("--lake", "again", "sql", count, "--format", "json").stdout)[0]
    run.triage("--lake", "again", "collect", "--project", PROJECT)
    after = json.loads(run.triage("--lake", "again", "sql", count, "--format", "json").stdout)[0]
    assert before["n"] == before["ids"]
    assert after["n"] == after["ids"]
    assert after["n"] - before["n"] <= 5  # a checkpoint may have come in between


def test_following_gives_what_collecting_gives(run: Run) -> None:
    """The follower's lake and one collected afterwards hold the same records of the story."""
    followed, later = run.story("followed"), run.story("later")
    assert followed - later == later - followed == set()
    assert later


def test_readme_commands_that_need_an_engine(run: Run) -> None:
    for command in filter(needs_engine, commands()):
        words = command.replace("myapp", PROJECT).split()[1:]
        environment = {**run.engine.env, "PYTHONPATH": str(ROOT), "TRIAGE_LAKE": "readme"}
        process = subprocess.Popen(
            [sys.executable, "-m", "triage", *words], cwd=run.folder, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if {"--follow", "watch", "metrics"} & set(words):
            time.sleep(6)
            process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=120)
        codes = (0, 130) if {"watch", "metrics"} & set(words) else (0, 1) if {"doctor", "snapshot"} & set(words) else (0,)
        assert process.returncode in codes, told
        assert "Traceback" not in told


def test_unknown_container_is_one_sentence(run: Run) -> None:
    done = run.triage("collect", "jointo-server-ap", ok=False)
    assert done.returncode in (2, 3)
    assert "jointo-server-app" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def _sessions(run: Run, statements: str, count: int = 1) -> None:
    """Sessions of their own that run statements and then stay as they are, until the container ends."""
    psql = f"psql -h 127.0.0.1 -p {run.services.ports['postgres']} -U jointoAI -d jointo -Xq"
    script = f"for n in $(seq {count}); do (echo \"{statements}\"; sleep 300) | {psql} & done; wait"
    run.engine.docker("exec", "-d", POSTGRES, "sh", "-c", script)


def test_state_of_the_running_stack_in_json_report_and_sql(run: Run) -> None:
    """A probe's schedule and an onset while following; then who blocks whom, no connections, a queue without a worker."""
    environment = {**run.engine.env, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "triage", "--lake", "state", "collect", "--follow", "--probe", "--project", PROJECT]
    with (run.folder / "probe.log").open("wb") as log:
        follower = subprocess.Popen(command, cwd=run.folder, env=environment, stderr=log, stdout=log)

    def rows(*query: str) -> list[dict[str, object]]:
        done = run.triage("--lake", "state", "sql", *query, "--format", "json", ok=False)
        return json.loads(done.stdout) if done.returncode == 0 else []

    _sessions(run, "BEGIN; UPDATE user_credits SET balance = balance + 1;")
    held = "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'idle in transaction' AND application_name = 'psql'"
    until(lambda: run.services.psql(held) == ["t"], 60, "a session idle in a transaction")
    _sessions(run, "UPDATE user_credits SET balance = balance + 2;")
    # The wait is logged after a second: an onset that postgres_blocking supports, unless an older fault of the backlog was first.
    asked = "SELECT DISTINCT probe, reason FROM snapshots"
    onset = f"{asked} WHERE probe = 'postgres_blocking' AND reason <> 'schedule'"
    until(lambda: rows(onset) != [], 300, "the onset's probes")
    until(lambda: {"probe": "celery_stats", "reason": "schedule"} in rows(asked), 300, "the schedule's probes")
    follower.send_signal(signal.SIGTERM)
    assert follower.wait(60) == 0, (run.folder / "probe.log").read_text()

    run.engine.docker("stop", "-t", "2", WORKER)
    publish = 'rabbit_basic:publish(rabbit_misc:r(<<"/">>, exchange, <<"">>), <<"ai_tasks">>, [], <<"{}">>)'
    run.engine.docker("exec", RABBITMQ, "rabbitmqctl", "-q", "eval", f"[{publish} || _ <- lists:seq(1, 5)].")
    clients = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    _sessions(run, "SELECT 1", 55 - int(run.services.psql(clients)[0]))  # four more are left for the probes
    until(lambda: int(run.services.psql(clients)[0]) >= 54, 60, "54 of 60 sessions")
    asked_once = run.triage("--lake", "state", "snapshot", "--project", PROJECT, "--format", "json")
    assert "sk-live-jointo" not in asked_once.stdout
    run.triage("--lake", "state", "collect", "--project", PROJECT)
    run.triage("--lake", "state", "report", "--json", "state.json", "-o", "state.html")

    told = load((run.folder / "state.json").read_text(encoding="utf-8"))["programs"]
    waiting = [row for row in told["blocking"] if "balance + 2" in row["query"]]
    assert [(row["relation"], row["blocker_state"]) for row in waiting] == [("user_credits", "idle in transaction")]
    assert waiting[0]["blocker_query"].startswith("UPDATE user_credits SET balance = balance + 1") and waiting[0]["chain"].count("→") == 1
    (sessions,) = told["connections"]
    assert sessions["max_connections"] == 60 and sessions["used_percent"] >= 90
    queue = {row["queue"]: row for row in told["queues"]}["ai_tasks"]
    assert (queue["messages"], queue["consumers"]) == (5, 0)
    assert [row["concurrency"] for row in told["workers"]] == [2]
    assert sum(row["jobs"] for row in told.get("jobs", [])) == int(run.services.psql("SELECT count(*) FROM ai_jobs")[0])
    problems = {p["problem"]: p["services"] for p in load((run.folder / "state.json").read_text())["problems"]}
    assert RABBITMQ in problems["task.stuck_pending"] and POSTGRES in problems["db.too_many_connections"]
    page = (run.folder / "state.html").read_text(encoding="utf-8")
    assert all(f'data-chart="{name}"' in page for name in ("sessions", "queues", "memory", "timeline"))
    assert [row["root_blocker"] for row in rows("--name", "blocking_chain") if row["root_blocker"] == waiting[0]["chain"].split()[-1]]
    assert max(row["used_percent"] for row in rows("--name", "connection_saturation")) >= 90
    assert {"queue": "ai_tasks", "messages": 5} in [{k: r[k] for k in ("queue", "messages")} for r in rows("--name", "queue_lengths")]
    # The probes themselves left no error behind.
    errors = "SELECT message FROM logs WHERE source = 'postgres' AND severity_number >= 17 AND body LIKE '%STATEMENT:  SELECT%pg_%'"
    assert json.loads(run.triage("--lake", "state", "sql", errors, "--format", "json").stdout) == []


def test_the_doctor_finds_what_this_stack_lacks(run: Run) -> None:
    done = run.triage("doctor", "--project", PROJECT, "--format", "json", ok=False)
    assert done.returncode in (0, 1), done.stderr
    found = {(f["subject"], f["message"].partition(":")[0]) for f in json.loads(done.stdout)}
    said = [f["message"] for f in json.loads(done.stdout)]
    assert (POSTGRES, "Postgres") in found and any("log_temp_files = -1" in message for message in said)
    assert any("MB an hour today" in message or "kB an hour today" in message for message in said)
    assert not any("log_lock_waits" in message or "log_min_duration" in message for message in said), "they are set here"
    assert all(f["fix"] for f in json.loads(done.stdout) if f["level"] != "ok")
