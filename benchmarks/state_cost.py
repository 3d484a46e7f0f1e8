"""What samples and probes cost: processor time of the collector, of the engine and of the programs that are asked.

    python -m benchmarks.state_cost [--containers 20] [--interval 10] [--seconds 60]

Samples: starts a private engine and that many containers, runs `triage collect --follow` with and without samples for the
given time each. Probes: starts the real stack, asks each probe alone, and spreads what it used (the collector, the engine,
and the program that answered) over its schedule. Ends with 1 when both together are 2 % of one core or more. Needs root
and what tests/stack needs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.collect_engine import Restartable, restartable
from tests.stack import setup
from tests.stack.engine import engine as started
from tests.stack.stack import stack
from triage.collect import docker
from triage.lake.state import StateTable
from triage.lake.table import Lake
from triage.state import probes
from triage.state.snapshot import take

_TICKS = os.sysconf("SC_CLK_TCK")
_WARM_S = 20.0  # until the collector has started and read what there is
_BOUND = 2.0
_EVERY_S = 300.0  # the default schedule
_TIMES = 3


def used_s(pid: int) -> float:
    """Processor seconds of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def measured(engine: Restartable, lake: Path, stats: str, seconds: float) -> tuple[float, float]:
    """Per cent of one core of the collector and of the engine while it follows."""
    command = [sys.executable, "-m", "triage", "--lake", str(lake), "collect", "--follow", "--quiet", "--stats", stats]
    with subprocess.Popen(command, env=os.environ | {"DOCKER_HOST": engine.host}) as collector:
        time.sleep(_WARM_S)
        began, before = time.monotonic(), (used_s(collector.pid), used_s(engine.pid))
        time.sleep(seconds)
        took, after = time.monotonic() - began, (used_s(collector.pid), used_s(engine.pid))
        collector.terminate()
        collector.wait(30)
    return 100 * (after[0] - before[0]) / took, 100 * (after[1] - before[1]) / took


def _with_children(folder: str) -> float:
    """Processor seconds of an engine, its keepers of containers and all that these have run to its end."""
    total = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if folder not in (place / "cmdline").read_text():
                continue
            fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / _TICKS


def probe_costs(root: Path) -> dict[str, tuple[float, float, float]]:
    """For each probe: processor seconds of asking once (collector; engine and program), and per cent of a core by schedule."""
    costs = {}
    setup.provide()
    with started(root / "engine") as here, stack(here, root):
        os.environ["DOCKER_HOST"] = here.host
        folder, client = str(Path(here.host.removeprefix("unix://")).parent), docker.connect()
        containers = client.find()
        for probe in probes.load():
            before = time.process_time(), _with_children(folder)
            for _ in range(_TIMES):
                take(client, containers, [probe])
            own, other = time.process_time() - before[0], _with_children(folder) - before[1]
            each = (own / _TIMES, other / _TIMES)
            costs[probe.id] = (*each, 100 * sum(each) / max(_EVERY_S, probe.every_s))
    return costs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--containers", type=int, default=20)
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="triage-state-") as folder, restartable(Path(folder) / "engine") as engine:
        for number in range(given.containers):
            engine.run(f"idle-{number}", "echo here; sleep 100000")
        without = measured(engine, Path(folder) / "without", "off", given.seconds)
        sampled = measured(engine, Path(folder) / "with", f"{given.interval:g}s", given.seconds)
        rows = StateTable(Lake(Path(folder) / "with"), "container_stats").frame()
    own, engines = sampled[0] - without[0], sampled[1] - without[1]
    print(f"{given.containers} containers every {given.interval:g} s, {rows.height} samples stored")
    print(f"collector: {without[0]:.2f} % of a core without samples, {sampled[0]:.2f} % with: {own:.2f} %")
    print(f"engine:    {without[1]:.2f} % of a core without samples, {sampled[1]:.2f} % with: {engines:.2f} %")
    with tempfile.TemporaryDirectory(prefix="triage-state-") as folder:
        costs = probe_costs(Path(folder))
    for name, (mine, theirs, share) in costs.items():
        print(
            f"probe {name}: {mine * 1000:.0f} ms of the collector, {theirs * 1000:.0f} ms of engine and program: {share:.2f} % by its schedule"
        )
    asked = sum(share for *_, share in costs.values())
    print(f"samples and probes together: {own + asked:.2f} % of a core (bound: {_BOUND:g} %)")
    return int(own + asked >= _BOUND)


if __name__ == "__main__":
    sys.exit(main())
