"""Collecting from a real engine that the tests start themselves: what containers print comes once, with its place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.collect_engine import Restartable, engine, numbered, until
from triage.collect import docker
from triage.collect.follow import follow
from triage.errors import ExitCode, TriageError, UnavailableError
from triage.lake.table import Lake
from triage.schema import LINES, Batch, Gap

__all__ = ["engine"]
pytestmark = pytest.mark.engine


class Stored:
    """What a run would have stored: the lines and the cursors, and what was said."""

    def __init__(self) -> None:
        self.cursors: dict[str, int] = {}
        self.lines = pl.DataFrame(schema=LINES)
        self.notes: list[str] = []
        self.gaps: list[Gap] = []

    def take(self, batches: Iterator[Batch]) -> list[str]:
        """Store all of it; the new texts."""
        texts: list[str] = []
        for batch in batches:
            self.notes += batch.notes
            self.gaps += batch.gaps
            if batch.lines.height:
                self.lines = self.lines.vstack(batch.lines)
                self.cursors |= batch.cursors_after(batch.lines.height)
                texts += batch.lines["text"].to_list()
        return texts


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture(autouse=True)
def clean(engine: Restartable) -> Iterator[None]:
    """No container outlives its test."""
    yield
    if names := engine.docker("ps", "-aq").split():
        engine.docker("rm", "-f", "-v", *names)


def one(name: str) -> docker.Container:
    (found,) = docker.connect().find([name])
    return found


def read(stored: Stored, name: str, **bounds: object) -> list[str]:
    """What a run collects anew of one container."""
    return stored.take(docker.read(one(name), stored.cursors.get, **bounds))  # type: ignore[arg-type]


def test_running_and_stopped_containers_give_each_line_once_and_streams_stay_apart(
    engine: Restartable, stored: Stored
) -> None:
    script = "echo out; echo err >&2; printf 'no newline'"
    engine.ran("stopped", script, "--label", "com.docker.compose.project=p", "--label", "com.docker.compose.service=s")
    engine.run("running", "echo first; while [ ! -e /go ]; do sleep 0.1; done; echo second; sleep 60")
    until(lambda: engine.docker("logs", "running"))
    found = docker.connect().find(project="p")
    assert [(c.name, c.running, c.project) for c in found] == [("stopped", False, "p")]
    assert [c.name for c in docker.connect().find(labels=["com.docker.compose.service"])] == ["stopped"]
    assert sorted(read(stored, "stopped")) == ["err", "no newline", "out"]
    streams = dict(stored.lines.select("text", "log_iostream").iter_rows())
    assert streams == {"out": "stdout", "err": "stderr", "no newline": "stdout"}
    assert abs(stored.lines["observed_timestamp"][0] - datetime.now(UTC)) < timedelta(minutes=1)
    assert read(stored, "running") == ["first"]
    assert read(stored, "running") == read(stored, "stopped") == []
    engine.docker("exec", "running", "sh", "-c", "echo > /go")
    until(lambda: "second" in engine.docker("logs", "running"))
    assert read(stored, "running") == ["second"]


def test_a_restarted_container_continues_and_a_recreated_one_is_a_new_origin_of_the_same_service(
    engine: Restartable, stored: Stored
) -> None:
    first = engine.ran("app", "echo one; echo two")
    assert read(stored, "app") == ["one", "two"]
    engine.docker("start", "app")
    engine.docker("wait", "app")
    assert read(stored, "app") == ["one", "two"]
    engine.docker("rm", "app")
    second = engine.ran("app", "echo one; echo two")
    assert read(stored, "app") == ["one", "two"]
    assert {f"docker:{first}", f"docker:{second}"} <= stored.cursors.keys()
    assert one("app").resource.service_name == "app"


def test_bounds_are_kept_to_the_nanosecond(engine: Restartable) -> None:
    engine.ran("app", "for n in 1 2 3 4 5; do echo $n; sleep 0.01; done")
    whole = Stored()
    assert read(whole, "app") == list("12345")
    stamps = whole.lines["position"].to_list()
    assert read(Stored(), "app", since=stamps[1], until=stamps[3]) == list("234")
    assert read(Stored(), "app", since=stamps[1] + 1, until=stamps[3] - 1) == ["3"]


def test_a_terminal_has_one_stream_and_no_frames(engine: Restartable, stored: Stored) -> None:
    engine.ran("tty", "echo out; echo err >&2; busybox seq 1 3", "-t")
    assert read(stored, "tty") == ["out", "err", "1", "2", "3"]
    assert stored.lines["log_iostream"].unique().to_list() == ["stdout"]
    assert read(stored, "tty") == []


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_long_lines_are_whole_in_every_driver_that_can_be_read(
    engine: Restartable, stored: Stored, driver: str
) -> None:
    script = "for n in 1 2 3; do busybox head -c 40000 /dev/zero | busybox tr '\\0' x; echo $n; done; echo 中文"
    engine.ran("app", script, "--log-driver", driver)
    texts = read(stored, "app")
    assert texts == [*("x" * 40_000 + n for n in "123"), "中文"]
    assert read(stored, "app") == []
    first = next(docker.read(one("app"), dict[str, int]().get))
    stored.cursors = dict(first.cursors_after(2))
    assert [text[-1] for text in read(stored, "app")] == ["3", "文"]


def test_a_driver_that_keeps_nothing_is_said(engine: Restartable, stored: Stored) -> None:
    engine.ran("silent", "echo lost", "--log-driver", "none")
    with pytest.raises(UnavailableError) as raised:
        read(stored, "silent")
    assert (raised.value.where, raised.value.exit_code) == ("silent", ExitCode.UNAVAILABLE)
    assert "log driver is `none`" in raised.value.message
    assert "--log-driver local" in str(raised.value.hint)


def test_a_driver_that_sends_logs_away_is_read_from_the_engines_own_copy_or_said(
    engine: Restartable, stored: Stored
) -> None:
    away = ("--log-driver", "gelf", "--log-opt", "gelf-address=udp://127.0.0.1:9")
    engine.ran("copied", "echo here", *away)
    assert read(stored, "copied") == ["here"]
    engine.ran("away", "echo there", *away, "--log-opt", "cache-disabled=true")
    with pytest.raises(UnavailableError, match="its log driver cannot be read back") as raised:
        read(stored, "away")
    assert "use the driver local or json-file" in str(raised.value.hint)


def test_names_that_match_nothing_offer_the_nearest(engine: Restartable) -> None:
    engine.ran("jointo-api", "echo a")
    with pytest.raises(UnavailableError, match="no container is called jointo-apu") as raised:
        docker.connect().find(["jointo-apu"])
    assert raised.value.hint == "did you mean jointo-api?"
    with pytest.raises(UnavailableError, match="no compose project is called x"):
        docker.connect().find(project="x")


def test_a_container_that_is_gone_is_said(engine: Restartable, stored: Stored) -> None:
    engine.ran("app", "echo a")
    container = one("app")
    engine.docker("rm", "app")
    with pytest.raises(UnavailableError, match="the container is gone"):
        stored.take(docker.read(container, stored.cursors.get))


def test_no_engine_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(UnavailableError, match="no container engine answers") as raised:
        docker.connect()
    assert "DOCKER_HOST" in str(raised.value.hint)


def test_no_permission_on_the_socket_is_one_clear_sentence(engine: Restartable) -> None:
    docker.connect()  # so that all modules are loaded before the other user, who may not read them, needs them
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            docker.connect()
        except TriageError as error:
            os.write(writer, f"{error.message}; {error.hint}".encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    said = os.read(reader, 1000).decode()
    os.close(reader)
    assert said == "no permission to use the container engine; run as root or as a member of the group `docker`"


def test_rotation_that_was_faster_is_a_gap_with_its_bounds(engine: Restartable, stored: Stored) -> None:
    turns = "for n in 1 2 3 4; do while [ ! -e /go$n ]; do busybox usleep 20000; done; busybox seq ${n}00001 ${n}20000; done; "
    engine.run("busy", turns + "echo end; sleep 60", "--log-opt", "max-size=1m", "--log-opt", "max-file=2")

    def turn(number: int) -> None:
        engine.docker("exec", "busy", "sh", "-c", f"echo > /go{number}")
        until(lambda: engine.docker("logs", "--tail", "1", "busy").endswith(f"{number}20000"))

    turn(1)
    read(stored, "busy")
    assert stored.lines["text"][-1] == "120000"
    last = stored.lines["position"][-1]
    for number in (2, 3):
        turn(number)
    texts = read(stored, "busy")
    written = [*range(100_001, 120_001), *range(200_001, 220_001), *range(300_001, 320_001)]
    assert [int(t) for t in texts] == written[-len(texts) :]
    assert len(texts) < 40_000
    (gap,) = stored.gaps
    first = stored.lines.filter(pl.col("position") > last)["position"][0]
    assert gap.start == datetime.fromtimestamp(last // 1000 / 1e6, UTC)
    assert gap.end == datetime.fromtimestamp(first // 1000 / 1e6, UTC)
    assert gap.reason in stored.notes


def followed(stored: Stored, names: Sequence[str], enough: Callable[[], bool], seconds: float = 120.0) -> None:
    """Follow until there is enough, then stop and take the rest."""
    batches = follow(docker.connect(), stored.cursors.get, names=names, delay_s=1.0)
    deadline = time.monotonic() + seconds
    try:
        while not enough() and time.monotonic() < deadline:
            if batch := batches.wait(0.2):
                stored.take(iter([batch]))
    finally:
        batches.close()
    stored.take(batches)
    assert enough()


def test_following_takes_in_containers_that_start_later_and_ends_cleanly(engine: Restartable, stored: Stored) -> None:
    engine.run("app-1", "echo one; sleep 60")
    later: list[str] = []

    def enough() -> bool:
        if stored.lines.height == 1 and not later:
            later.append(engine.run("app-2", "echo two; exit 3"))
        return stored.lines.height >= 2

    followed(stored, ["app-*"], enough)
    assert stored.lines["text"].to_list() == ["one", "two"]


def test_following_knows_from_the_engine_s_clock_that_a_record_is_complete(engine: Restartable, stored: Stored) -> None:
    engine.run("app", "echo one; sleep 5; touch /dev/shm/waited; sleep 60")
    until(lambda: engine.docker("exec", "app", "busybox", "ls", "/dev/shm").split() == ["waited"], 60)
    engine.run("busy", "while :; do echo more; sleep 0.5; done")
    batches = follow(docker.connect(), stored.cursors.get, names=["app", "busy"], delay_s=1.0)
    first: dict[str | None, Batch] = {}
    try:
        while len(first) < 2:
            batch = next(batches)
            first.setdefault(batch.resource.container_name, batch)
    finally:
        batches.close()
    assert {name: batch.final for name, batch in first.items()} == {"app": True, "busy": False}


def test_following_says_what_a_removal_took_away(engine: Restartable, stored: Stored) -> None:
    engine.run("app", "echo one; while :; do sleep 1; done")
    removed: list[str] = []

    def enough() -> bool:
        if stored.lines.height == 1 and not removed:
            removed.append(engine.docker("rm", "-f", "app"))
        return bool(stored.gaps)

    followed(stored, ["app"], enough)
    (gap,) = stored.gaps
    assert "removed before its last lines were read" in gap.reason
    assert gap.start is not None
    assert gap.end is not None
    assert timedelta() < gap.end - gap.start < timedelta(minutes=5)


def test_the_command_ends_cleanly_on_sigterm_with_all_that_it_saw(engine: Restartable, tmp_path: Path) -> None:
    engine.run("app", "busybox seq 1 500; sleep 60")
    engine.run("silent", "sleep 60", "--log-driver", "none")
    command = [sys.executable, "-m", "triage", "collect", "--follow", "--delay", "1s", "--lake", str(tmp_path / "lake")]
    lake = Lake(tmp_path / "lake")

    def stored_numbers() -> list[int]:
        lake.refresh()
        bodies = [pl.read_parquet(uri, columns=["body"])["body"] for uri in lake.file_uris()]
        return sorted(int(n) for texts in bodies for body in texts for n in body.split())

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as collector:
        try:
            until(lambda: lake.exists() and stored_numbers(), 120)
        finally:
            collector.send_signal(signal.SIGTERM)
        _, said = collector.communicate(timeout=120)
    assert collector.returncode == ExitCode.DONE
    assert "log driver is `none`" in said
    assert stored_numbers() in (list(range(1, 500)), list(range(1, 501)))  # the last record might have gone on
    info = json.loads(subprocess.run(
        [sys.executable, "-m", "triage", "lake", "info", "--format", "json", "--lake", str(tmp_path / "lake")],
        capture_output=True, check=True, timeout=240,
    ).stdout)  # fmt: skip
    (going,) = info["origins"]
    assert (going["service_name"], going["trouble"]) == ("app", None)
    assert going["last_commit"] and going["lag_s"] >= 0 and going["lines_per_s"] >= 0
    engine.docker("stop", "-t", "0", "app")
    command.remove("--follow")
    # One container cannot be read, which is an error, and the other is read all the same.
    assert subprocess.run(command, capture_output=True, timeout=240, check=False).returncode == ExitCode.UNAVAILABLE
    assert stored_numbers() == list(range(1, 501))


def test_following_goes_on_when_the_engine_comes_back(engine: Restartable, stored: Stored) -> None:
    engine.run("app", numbered("a", burst=20, pause_s=0.02), "--restart", "always")
    done: list[str] = []

    def enough() -> bool:
        if stored.lines.height > 200 and not done:
            engine.stop()
            done.append("stopped")
        if any("trying again" in note for note in stored.notes) and done == ["stopped"]:
            engine.start()
            done.append("started")
        return int(stored.lines["text"].str.ends_with("start").sum()) > 1

    followed(stored, ["app"], enough)
    assert any("answers again" in note for note in stored.notes)
    for stream in ("o", "e"):
        own = stored.lines["text"].str.extract(rf"^a\S+ {stream} (\d+);$").drop_nulls().cast(pl.Int64)
        turns = (own == 1).cum_sum()
        for turn in own.to_frame("n").with_columns(turn=turns).partition_by("turn"):
            assert turn["n"].to_list() == list(range(1, turn.height + 1))
    assert stored.gaps == []
