"""What sampling containers costs: processor time of the sampler and of the engine, for 20 containers every 10 s.

    python -m benchmarks.state_cost [--containers 20] [--interval 10] [--seconds 120]

Starts a private engine and that many containers, runs `triage collect --follow` with and without samples for the given
time each, and prints the difference in per cent of one core, beside what the engine itself uses for answering. Ends
with 1 when the collector's share is 2 % or more. Needs root and what tests/stack/engine.py needs.
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
from triage.lake.state import StateTable
from triage.lake.table import Lake

_TICKS = os.sysconf("SC_CLK_TCK")
_WARM_S = 20.0  # until the collector has started and read what there is
_BOUND = 2.0


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--containers", type=int, default=20)
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=120.0)
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
    return int(own >= _BOUND)


if __name__ == "__main__":
    sys.exit(main())
