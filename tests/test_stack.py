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
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack import setup
from tests.stack.compare import decoys_taken, differences, load
from tests.stack.engine import Engine, engine, missing
from tests.stack.faults import FAULTS, OUTAGES
from tests.stack.run import drive
from tests.stack.stack import ALL, BEAT, PROJECT, stack
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

    def triage(self, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**self.engine.env, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "triage", *arguments], cwd=self.folder, env=environment, capture_output=True,
            text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not ok, done.stderr
        return done


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
            time.sleep(8)
            follower.send_signal(signal.SIGTERM)
            assert follower.wait(60) == 0, (folder / "follow.log").read_text()
            yield Run(folder, here, load((folder / "truth.json").read_text(encoding="utf-8")))
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
    run.triage("--lake", "later", "collect", "--project", PROJECT)
    query = (
        "SELECT record_id, body FROM logs WHERE \"timestamp\" < TIMESTAMPTZ '"
        + str(run.truth["end"])
        + "' ORDER BY record_id"
    )
    followed = run.triage("--lake", "followed", "sql", query, "--format", "json").stdout
    later = run.triage("--lake", "later", "sql", query, "--format", "json").stdout
    assert followed == later


def test_readme_commands_that_need_an_engine(run: Run) -> None:
    for command in filter(needs_engine, commands()):
        words = command.replace("myapp", PROJECT).split()[1:]
        environment = {**run.engine.env, "PYTHONPATH": str(ROOT), "TRIAGE_LAKE": "readme"}
        process = subprocess.Popen(
            [sys.executable, "-m", "triage", *words], cwd=run.folder, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if "--follow" in words or "watch" in words:
            time.sleep(6)
            process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=120)
        assert process.returncode in ((0, 130) if "watch" in words else (0, 1) if "doctor" in words else (0,)), told
        assert "Traceback" not in told


def test_unknown_container_is_one_sentence(run: Run) -> None:
    done = run.triage("collect", "jointo-server-ap", ok=False)
    assert done.returncode in (2, 3)
    assert "jointo-server-app" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
