"""Does collecting lose or double a line? Real containers number their lines while everything around them is killed.

    python -m benchmarks.chaos            200 kills, 20 engine restarts, 20 re-creations (about 20 minutes)
    python -m benchmarks.chaos --short    the same in small, under 90 seconds

`triage collect --follow` is killed with SIGKILL at random instants, started twice now and then; the engine is stopped
and killed; containers are re-created under their names; one log rotates under load; a lake's disk is full for a while.
Prints lost, doubled and out-of-order counts, which must be 0, and what rotation or removal explains. Needs root and
what tests/stack/engine.py needs; ends with 1 when a count is not 0.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.numbered_lines import Key, Verdict, Written, verdict, written
from tests.collect_engine import Restartable, numbered, restartable
from triage.lake.table import Lake


@dataclass(frozen=True)
class Plan:
    """How much of everything."""

    kills: int
    restarts: int
    recreations: int
    longest_s: float  # that a collector may run before it is killed
    load_burst: int  # lines of each stream every 100 ms on the rotating container
    full_lines: int
    rotate_at: str
    seed: int


_WAITING = "busybox test -e /begun || echo first start; until busybox test -e /begun; do busybox usleep 50000; done; "
SHORT = Plan(8, 2, 2, 5.0, 200, 50_000, "1m", 1)


@dataclass
class Chaos:
    """One run: the engine, what was done to it, and the truth that was seen before it was destroyed."""

    engine: Restartable
    lake: Path
    plan: Plan
    dice: random.Random
    truth: dict[Key, Written] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=lambda: {"kills": 0, "twins": 0, "restarts": 0, "recreations": 0})
    said: list[str] = field(default_factory=list)

    def emitters(self) -> None:
        """The containers whose lines are counted; all start again with the engine."""
        always = ("--restart", "always")
        quiet = numbered("quiet", burst=5, pause_s=0.3)
        load = numbered("load", burst=self.plan.load_burst, pause_s=0.1)
        self.engine.run("quiet", quiet, *always)
        self.engine.run("local", quiet, *always, "--log-driver", "local")
        self.engine.run("tty", quiet, *always, "-t")
        self.engine.run(
            "rotating", _WAITING + load, *always, "--log-opt", f"max-size={self.plan.rotate_at}", "--log-opt", "max-file=3"
        )
        self.engine.run("recreated", quiet, *always)
        # What rotation deletes before anyone has collected a line cannot be known to be missing.
        first = self._collect()
        self._heard(first)
        self.engine.docker("exec", "rotating", "busybox", "touch", "/begun")

    def recreate(self) -> None:
        """Stop, remove and run anew under the same name, as `docker compose up` does."""
        self.done["recreations"] += 1
        name = self.engine.docker("ps", "-aq", "--no-trunc", "--filter", "name=^recreated$")
        self.engine.docker("stop", "-t", "0", "recreated")
        self._remember(name)
        time.sleep(self.dice.uniform(0, 2))
        self.engine.docker("rm", "-f", "recreated")
        self.removed.append(name)
        self.engine.run("recreated", numbered("again", burst=5, pause_s=0.3), "--restart", "always")

    def restart(self) -> None:
        """End the engine, one time in three without warning, and start it."""
        self.done["restarts"] += 1
        self.engine.restart(self.dice.choice([signal.SIGTERM, signal.SIGTERM, signal.SIGKILL]))

    def kill_collectors(self) -> None:
        """Run `collect --follow` and kill it, again and again, with restarts and re-creations in between."""
        actions = [self.restart] * self.plan.restarts + [self.recreate] * self.plan.recreations
        self.dice.shuffle(actions)
        for number in range(self.plan.kills):
            collectors = [self._collect("--follow", "--delay", "1s")]
            if number % 10 == 9:  # by mistake
                self.done["twins"] += 1
                collectors.append(self._collect("--follow", "--delay", "1s"))
            kill_at = time.monotonic() + self.dice.uniform(0.3, self.plan.longest_s)
            due = len(actions) * (number + 1) // self.plan.kills - (self.done["restarts"] + self.done["recreations"])
            time.sleep(self.dice.uniform(0, self.plan.longest_s / 2) if due else 0)
            for _ in range(due):
                actions[self.done["restarts"] + self.done["recreations"]]()
            time.sleep(max(0.0, kill_at - time.monotonic()))
            for collector in collectors:
                collector.kill()
                self._heard(collector)
            self.done["kills"] += 1

    def finish(self) -> Verdict:
        """Stop all emitters, collect the rest, and compare; a further collect must find nothing."""
        names = self.engine.docker("ps", "-aq", "--no-trunc").split()
        self.engine.docker("stop", "-t", "0", *names)
        for name in names:
            self._remember(name)
        for _ in range(2):
            rest = self._collect("--format", "json")
            out, err = rest.communicate(timeout=600)
            if rest.returncode:
                raise RuntimeError(f"the last collect failed: {err}")
        result = verdict(Lake(self.lake), self.truth, self.removed)
        if again := json.loads(out)["lines"]:
            result.doubled += again
            result.examples.append(f"a second collect found {again} lines")
        return result

    def _remember(self, container: str) -> None:
        self.truth |= written(container, self.engine.engine.docker_logs(container))

    def _collect(self, *options: str) -> subprocess.Popen[str]:
        return collector(self.engine, self.lake, *options)

    def _heard(self, ended: subprocess.Popen[str]) -> None:
        _, err = ended.communicate()
        self.said += [line for line in err.splitlines() if "unexpected" in line or "Traceback" in line]


def collector(engine: Restartable, lake: Path, *options: str) -> subprocess.Popen[str]:
    """A `triage collect` of its own."""
    command = [sys.executable, "-m", "triage", "collect", "--lake", str(lake), "--quiet", *options]
    return subprocess.Popen(
        command, env=os.environ | {"DOCKER_HOST": engine.host}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of its own that is soon full."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disk(engine: Restartable, root: Path, lines: int) -> Verdict:
    """Collect into a lake whose disk is full, make room, and collect again."""
    for name in engine.docker("ps", "-aq").split():
        engine.docker("rm", "-f", name)
    made = engine.ran("much", f"busybox seq 1 {lines} | busybox sed 's/^.*$/full.1 o &;/'")
    disk = root / "small"
    with small_disk(disk, 2):
        filler = disk / "filler"
        filler.write_bytes(b"x" * ((2 << 20) - (128 << 10)))
        for attempt in range(2):
            full = collector(engine, disk / "lake")
            _, err = full.communicate(timeout=300)
            if full.returncode != 3 or "lake cannot be used" not in err:
                raise RuntimeError(f"attempt {attempt} on a full disk ended with {full.returncode}: {err}")
        filler.unlink()
        subprocess.run(["mount", "-o", "remount,size=500m", str(disk)], check=True)
        room = collector(engine, disk / "lake")
        _, err = room.communicate(timeout=300)
        if room.returncode:
            raise RuntimeError(f"with room again it ended with {room.returncode}: {err}")
        return verdict(Lake(disk / "lake"), {(made, "full.1", "o"): Written(lines)}, [])


def run(plan: Plan) -> tuple[dict[str, int], Verdict, list[str]]:
    """All of it, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="triage-chaos-") as folder, restartable(Path(folder, "engine")) as engine:
        chaos = Chaos(engine, Path(folder, "lake"), plan, random.Random(plan.seed))
        chaos.emitters()
        progress = threading.Thread(target=_progress, args=(chaos,), daemon=True)
        progress.start()
        chaos.kill_collectors()
        result = chaos.finish()
        chaos.done["full disks"] = 1
        return chaos.done, result + full_disk(engine, Path(folder), plan.full_lines), chaos.said


def _progress(chaos: Chaos) -> None:
    while chaos.done["kills"] < chaos.plan.kills:
        print(chaos.done, file=sys.stderr, flush=True)
        time.sleep(10)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="under 90 seconds")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--load", type=int, default=20_000, help="lines per second of the container that rotates")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args(arguments)
    if options.short:
        plan = replace(SHORT, seed=options.seed)
    else:
        tenth = options.kills // 10
        plan = Plan(options.kills, tenth, tenth, 6.0, options.load // 20, 400_000, "5m", options.seed)
    started = time.monotonic()
    done, result, said = run(plan)
    told = {"seed": plan.seed, "seconds": round(time.monotonic() - started)} | done | asdict(result)
    print(json.dumps(told | {"failures": said}, indent=2))
    return 0 if result.good and not said else 1


if __name__ == "__main__":
    sys.exit(main())
