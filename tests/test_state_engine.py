"""State from a real engine: every event once, over kills of the collector, of the engine and of what it remembers."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.collect_engine import Restartable, engine, until
from triage.analyse import Settings, Window, memory_trends
from triage.collect import docker
from triage.lake import state
from triage.lake.state import StateTable
from triage.lake.table import Lake
from triage.query import Session
from triage.state.engine_events import ACTIONS
from triage.state.follow import once
from triage.state.samples import Sampler
from triage.state.selection import Selection

__all__ = ["engine"]
pytestmark = pytest.mark.engine
EATS = "exec busybox awk 'BEGIN { s = \"x\"; for (;;) s = s s }'"
COMES = ("create", "start", "die", "oom", "health_status", "rename", "destroy")


@pytest.fixture(autouse=True)
def clean(engine: Restartable) -> Iterator[None]:
    """No container outlives its test."""
    yield
    if names := engine.docker("ps", "-aq").split():
        engine.docker("rm", "-f", "-v", *names)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake")
    made.create()
    return made


def collect(lake: Lake, *names: str) -> pl.DataFrame:
    """What is stored after one more run of these containers' state."""
    once(docker.connect(), lake, Selection(names))
    return events(lake)


def events(lake: Lake) -> pl.DataFrame:
    return StateTable(lake, "container_events").frame().sort("time_ns")


def told(engine: Restartable) -> set[tuple[str, str, int]]:
    """(container, action, nanosecond) of what the engine itself remembers."""
    lines = engine.docker("events", "--since", "0", "--until", f"{time.time():.3f}", "--format", "{{json .}}").splitlines()
    every = [json.loads(line) for line in lines]
    return {
        (e["Actor"]["ID"], e["Action"].partition(":")[0], e["timeNano"])
        for e in every
        if e["Type"] == "container" and e["Action"].partition(":")[0] in ACTIONS
    }


def stored(frame: pl.DataFrame) -> list[tuple[str, str, int]]:
    return list(frame.select("container_id", "action", "time_ns").iter_rows())


def test_each_event_comes_once_with_what_it_means(engine: Restartable, lake: Lake) -> None:
    eaten = engine.run("eats", EATS, "--memory", "8m")
    engine.docker("wait", eaten)
    engine.run("loops", "exit 3", "--restart", "on-failure:2")
    ill = engine.run("ill", "sleep 60", "--health-cmd", "exit 1", "--health-interval", "0.3s", "--health-retries", "1")
    first = collect(lake)
    until(lambda: "unhealthy" in engine.docker("inspect", "-f", "{{.State.Health.Status}}", ill))
    until(lambda: engine.docker("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "loops") == "2 exited")
    engine.docker("rename", "eats", "ate")
    engine.docker("rm", "-f", "ill")
    engine.run("ill", "sleep 61")
    second = collect(lake)
    assert first.height < second.height
    again = collect(lake)
    assert again.equals(second), "nothing new, nothing twice"
    mine = {row for row in told(engine) if row[0] in set(again["container_id"])}
    assert sorted(stored(again)) == sorted(mine)

    oom = again.filter(pl.col("container_id") == eaten)
    assert oom["action"].to_list()[:4] in (["create", "start", "oom", "die"], ["create", "oom", "start", "die"])
    (die,) = oom.filter(pl.col("action") == "die").to_dicts()
    assert (die["exit_code"], die["oom_killed"], die["method"]) == (137, True, "event")
    (rename,) = oom.filter(pl.col("action") == "rename").to_dicts()
    assert (rename["container_name"], rename["attributes"][0]["value"]) == ("ate", "eats")
    loop = again.filter(pl.col("container_name") == "loops")
    assert loop.filter(pl.col("action") == "die")["exit_code"].to_list() == [3, 3, 3]
    health = again.filter(pl.col("action") == "health_status")
    assert (health["container_id"].to_list(), health["health"].to_list()) == ([ill], ["unhealthy"])
    lives = again.filter((pl.col("container_name") == "ill") & (pl.col("action") == "start"))
    assert lives["container_id"].n_unique() == 2
    assert lives["config"].drop_nulls().len() == 2 - lives["config"].null_count() >= 1
    samples = StateTable(lake, "container_stats").frame()
    assert set(samples["container_name"]) == {"ill"}
    assert samples.select((pl.col("memory_bytes") > 0).all() & (pl.col("pids") > 0).all()).item()

    command = [sys.executable, "-m", "triage", "--lake", lake.path]
    page, summed = lake.path + ".html", lake.path + ".json"
    subprocess.run([*command, "report", "--quiet", "-o", page, "--json", summed], check=True, timeout=60)
    summary = json.loads(Path(summed).read_text())
    rows = {row["container_name"]: row for row in summary["containers"]}
    assert (rows["eats"]["oom_kills"], rows["loops"]["restarts"], rows["loops"]["failed_ends"]) == (1, 2, 3)
    assert {("eats", "oom"), ("ill", "unhealthy")} <= {(m["detail"].split()[0], m["kind"]) for m in summary["container_marks"]}
    assert {"memory.out_of_memory", "process.crash", "container.unhealthy"} <= {p["problem"] for p in summary["problems"]}
    text = Path(page).read_text(encoding="utf-8")
    assert 'data-chart="timeline"' in text and 'id="containers"' in text
    restarts = subprocess.run([*command, "sql", "--name", "restarts", "--format", "json"], check=True, timeout=60, capture_output=True)
    assert {r["container_name"]: r["oom_kills"] for r in json.loads(restarts.stdout)}["eats"] == 1


def test_a_start_and_an_end_over_the_engines_own_restart_are_found_once(engine: Restartable, lake: Lake) -> None:
    lives = engine.run("always", "sleep 600", "--restart", "always")
    ends = engine.run("ends", "sleep 600")
    collect(lake)
    engine.restart(signal.SIGKILL)
    until(lambda: engine.docker("inspect", "-f", "{{.State.Running}}", lives) == "true")
    found = collect(lake)
    assert collect(lake).equals(found)
    last = {name: found.filter(pl.col("container_id") == name) for name in (lives, ends)}
    assert last[lives].filter(pl.col("action") == "start").height == 2
    for each in last.values():
        assert each.filter(pl.col("action") == "die").height == 1, each.select("action", "time_ns", "method")
    assert StateTable(lake, "container_events").cursor("nothing") is None


def test_what_the_engine_has_forgotten_is_concluded_or_noted(engine: Restartable, lake: Lake) -> None:
    one = engine.run("forgotten", "sleep 600")
    busy = engine.run("busy", "sleep 600")
    loops = engine.run("loops", "busybox usleep 200000; exit 1", "--restart", "always")
    collect(lake)
    engine.docker("restart", "-t", "0", one)
    restarts = int(engine.docker("inspect", "-f", "{{.RestartCount}}", loops))
    until(lambda: int(engine.docker("inspect", "-f", "{{.RestartCount}}", loops)) >= restarts + 3)
    engine.docker("stop", "-t", "0", loops)
    api = docker.connect().client.api
    for _ in range(280):  # more events than the engine keeps
        api.exec_create(busy, ["true"])
    assert not [row for row in told(engine) if row[0] in (one, loops)]
    found = collect(lake)
    assert collect(lake).equals(found)
    own = found.filter(pl.col("container_id") == one)
    assert own.filter(pl.col("action") == "start")["method"].to_list() == ["event", "inspect"]
    assert own.filter(pl.col("action") == "die")["method"].to_list() == ["inspect"]
    (gap,) = lake.notes().filter(pl.col("kind") == "gap").to_dicts()
    assert gap["service_name"] == "loops" and "restarts are known by their number only" in gap["message"]


def paced(engine: Restartable, steps: Path, name: str, then: str) -> str:
    """A container that takes a megabyte and does something `then` for each file `$n` in `steps`, and says so there."""
    one = "dd if=/dev/zero of=/dev/shm/$n bs=1M count=1 2>/dev/null"
    loop = f"n=1; while :; do until [ -e /steps/$n ]; do busybox usleep 20000; done; {one}; {then}; echo > /steps/{name}$n; n=$((n+1)); done"
    bounded = ("--memory", "24m", "--memory-swap", "24m", "--shm-size", "64m")
    return engine.run(name, f"echo begins; {loop}", "-v", f"{steps}:/steps", *bounded)


def test_a_leaking_container_is_told_from_others_before_it_is_killed(
    engine: Restartable, lake: Lake, tmp_path: Path
) -> None:
    steps = tmp_path / "steps"
    steps.mkdir()
    leaks = paced(engine, steps, "leaks", "true")
    paced(engine, steps, "teeth", "[ $((n % 6)) != 0 ] || rm /dev/shm/*")
    paced(engine, steps, "warms", "[ $n -lt 7 ] || rm /dev/shm/$n")
    sampler = Sampler(docker.connect(), lake, Selection())
    began = time.monotonic()
    for step in range(1, 17):  # one megabyte a sample, so that neither a slow nor a fast machine changes the curve
        time.sleep(max(0.0, began + step - time.monotonic()))  # a trend needs its seconds
        (steps / str(step)).touch()
        until(lambda: all((steps / f"{name}{step}").exists() for name in ("leaks", "teeth", "warms")), 60)  # noqa: B023
        assert sampler.take() == 3
    sampler.store()
    assert "oom" not in {action for container, action, _ in told(engine) if container == leaks}
    now = datetime.now(UTC)
    with Session([], state=state.file_uris(lake)) as session:
        window = Window(now - timedelta(minutes=30), now)
        (trend,) = memory_trends(session, window, Settings(leak_minimum_s=8))
    assert (trend.container_name, trend.limit_bytes) == ("leaks", 24 << 20)
    assert trend.time_to_limit is not None and trend.time_to_limit > timedelta()
    engine.docker("stop", "-t", "0", "teeth", "warms")
    for step in range(17, 80):
        (steps / str(step)).touch()

    def killed() -> bool:
        sampler.take()
        return "oom" in {action for container, action, _ in told(engine) if container == leaks}

    until(killed, 120)
    sampler.store()
    sampler.close()
    (tmp_path / "triage.toml").write_text("[analysis]\nleak_minimum_s = 8\n")
    command = [sys.executable, "-m", "triage", "--config", str(tmp_path / "triage.toml"), "--lake", lake.path]
    subprocess.run([*command, "collect", "--quiet"], check=True, timeout=240)
    subprocess.run([*command, "report", "--quiet", "-o", str(tmp_path / "r.html"), "--json", str(tmp_path / "r.json")],
                   check=True, timeout=240)  # fmt: skip
    summary = json.loads((tmp_path / "r.json").read_text())
    assert {p["problem"]: p["services"] for p in summary["problems"]} == {
        "memory.worker_leak": ["leaks"], "memory.out_of_memory": ["leaks"],
    }  # fmt: skip
    (incident,) = summary["incidents"]
    assert incident["suspected_cause"]["problem"] == "memory.worker_leak"
    assert [trend["container"] for trend in summary["memory_trends"]] == ["leaks"]


def test_killing_the_collector_between_events_loses_and_doubles_none(engine: Restartable, lake: Lake) -> None:
    dice = random.Random(8)
    names = [engine.run(f"c{k}", "busybox usleep 700000; exit 1", "--restart", "always") for k in range(3)]
    began = datetime.now(UTC)
    command = [sys.executable, "-m", "triage", "--lake", lake.path, "collect", "--follow", "--quiet", "--stats", "1s"]
    truth: set[tuple[str, str, int]] = set()
    for round_ in range(4):
        collectors = [
            subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL) for _ in range(1 + (round_ == 3))
        ]
        time.sleep(dice.uniform(1.5, 4.0))
        if round_ == 2:
            engine.docker("rm", "-f", "c0")
            names.append(engine.run("c0", "busybox usleep 700000; exit 1", "--restart", "always"))
        truth |= told(engine)
        for collector in collectors:
            collector.kill()
            collector.wait()
    engine.docker("stop", "-t", "0", *names[1:])
    truth |= told(engine)
    found = collect(lake)
    assert found["event_id"].is_unique().all()
    assert sorted(stored(found.filter(pl.col("container_id").is_in(names)))) == sorted(r for r in truth if r[0] in names)
    assert found.filter(pl.col("action") == "die").height >= 10 and found["timestamp"].max() > began  # type: ignore[operator]
