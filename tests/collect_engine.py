"""Containers that print numbered lines on a private engine that can be restarted: for tests of collecting.

Import the fixture: `from tests.collect_engine import engine`. Where the machine cannot run an engine the tests are
skipped with the reason, except with CI=true, where that is a failure.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.stack.engine import Engine, EngineError, missing
from tests.stack.engine import engine as started

_NUMBERED = """BEGIN {
  srand(); run = run "." srand()
  print run, "start"; fflush()
  for (;;) {
    for (k = 0; k < burst; k++) { n++; print run, "o", n ";"; print run, "e", n ";" > "/dev/stderr" }
    fflush(); fflush("/dev/stderr")
    if (system("busybox usleep " pause)) exit
  }
}"""


@dataclass
class Restartable:
    """A private engine and the process that serves it."""

    engine: Engine
    image: str
    command: list[str]
    pid: int
    log: Path
    own: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def host(self) -> str:
        """For DOCKER_HOST."""
        return self.engine.host

    def docker(self, *args: str, check: bool = True) -> str:
        """`docker ARGS`; stdout without the last newline."""
        return self.engine.docker(*args, check=check).strip()

    def run(self, name: str, script: str, *options: str) -> str:
        """Start a container that runs a shell script; its id."""
        options = ("-d", "--network", "none", "--stop-timeout", "1", "--name", name, *options)
        return self.docker("run", *options, self.image, "sh", "-c", script)

    def ran(self, name: str, script: str, *options: str) -> str:
        """As `run`, and wait for its end."""
        made = self.run(name, script, *options)
        self.docker("wait", made)
        return made

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the engine; without live-restore its containers end with it or at its next start."""
        os.kill(self.pid, number)
        if self.own is not None:
            self.own.wait(60)
            return
        until(lambda: _state(self.pid) in ("", "Z"), 60)

    def start(self) -> None:
        """Start the engine again, on the same data and socket."""
        exec_root = Path(self.command[self.command.index("--exec-root") + 1])
        # A killed process may stay a zombie where nobody reaps it, and then these files seem to name a living one.
        for file in (self.command[self.command.index("-p") + 1], exec_root / "containerd" / "containerd.pid"):
            Path(file).unlink(missing_ok=True)
        with self.log.open("ab") as out:
            self.own = subprocess.Popen(self.command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        self.pid = self.own.pid
        until(self._answers, 60)

    def restart(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it and start it again."""
        self.stop(number)
        self.start()

    def _answers(self) -> bool:
        try:
            return bool(self.docker("version", "--format", "{{.Server.Version}}"))
        except EngineError:
            return False


def numbered(run: str, *, burst: int, pause_s: float) -> str:
    """A script that prints `RUN.START o N;` on stdout and `RUN.START e N;` on stderr for ever, `burst` of each at a time."""
    return f"exec busybox awk -v run={run} -v burst={burst} -v pause={int(pause_s * 1e6)} '{_NUMBERED}'"


def until(true: Callable[[], object], seconds: float = 90.0) -> None:
    """Wait for something that comes; the bound is for what is broken, not for what is slow."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.05)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return ""


@contextmanager
def restartable(root: Path) -> Iterator[Restartable]:
    """A private engine under `root`; everything in it is gone afterwards."""
    with started(root) as engine:
        folder = Path(engine.host.removeprefix("unix://")).parent
        pid = int((folder / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
        here = Restartable(engine, engine.ensure_emitter(), command, pid, root / "dockerd.log")
        try:
            yield here
        finally:
            if here.own is not None:  # the first process, which the outer context knows, has ended long ago
                if names := here.docker("ps", "-aq", check=False).split():
                    here.docker("rm", "-f", "-v", *names, check=False)
                here.own.terminate()
                here.own.wait(60)
            _sweep(folder)


def _sweep(folder: Path) -> None:
    """End what a killed engine left behind: its containers' keepers and what runs in them."""
    for shim in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{folder}/exec" in (shim / "cmdline").read_text() and "-namespace" in (shim / "cmdline").read_text():
                for child in (shim / "task" / shim.name / "children").read_text().split():
                    os.kill(int(child), signal.SIGKILL)
                os.kill(int(shim.name), signal.SIGKILL)


def need(lacks: Sequence[str]) -> None:
    """Skip a test for what the machine lacks; with CI=true that is a failure."""
    if lacks:
        reason = f"a private container engine needs {', '.join(lacks)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restartable]:
    """An engine for the tests of one module, named by DOCKER_HOST."""
    need(missing())
    with restartable(tmp_path_factory.mktemp("engine")) as here, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", here.host)
        patch.delenv("DOCKER_CONTEXT", raising=False)
        yield here
