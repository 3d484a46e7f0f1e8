"""Whole commands measured from outside, alone or in turn with a peer, and `triage ingest` with its result checked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Cost:
    """One command as a whole process: wall seconds, seconds of CPU, peak memory in MB."""

    seconds: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Pair:
    """Two commands run in turn: the run of median time of each, and the median of the ratios theirs/ours, round by round."""

    ours: Cost
    theirs: Cost
    ratio: float


def say(text: str) -> None:
    """Progress, for who waits."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


# A child inherits the peak memory of the process that it was forked from, so a small one stands between.
_LAUNCHER = """
import os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def cost(command: list[str], **env: str) -> Cost:
    """Run a command to its end; CalledProcessError where it fails."""
    launched = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    done = subprocess.run(launched, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=True)
    code, seconds, cpu_s, peak_mb = done.stdout.split()
    if int(code):
        raise subprocess.CalledProcessError(int(code), command, stderr=done.stderr)
    return Cost(float(seconds), float(cpu_s), float(peak_mb))


def middle(costs: list[Cost]) -> Cost:
    """The one of median time."""
    return sorted(costs, key=lambda one: one.seconds)[len(costs) // 2]


def pair(ours: Callable[[], Cost], theirs: Callable[[], Cost], rounds: int) -> Pair:
    """Both in turn, several times."""
    runs = [(ours(), theirs()) for _ in range(rounds)]
    ratio = median(b.seconds / a.seconds for a, b in runs)
    return Pair(middle([a for a, _ in runs]), middle([b for _, b in runs]), ratio)


def triage(lake: Path, *words: str) -> list[str]:
    """A `triage` command over a lake."""
    return [sys.executable, "-m", "triage", "--quiet", "--lake", str(lake), *words]


def told(command: list[str]) -> bytes:
    """What a command writes."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout


@contextmanager
def new_lake() -> Iterator[Path]:
    """A place for a lake, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="triage-bench-") as folder:
        yield Path(folder) / "lake"


def ingest(log: Path, *options: str) -> Cost:
    """`triage ingest` of a generated log into a new lake; the counts are compared with the truth."""
    with new_lake() as lake:
        return ingest_into(lake, log, *options)


def ingest_into(lake: Path, log: Path, *options: str) -> Cost:
    spent = cost(triage(lake, "ingest", *options, str(log)))
    agree(lake, truth_of(log)["problems"])
    return spent


def truth_of(log: Path) -> Any:
    """What the generator counted while it wrote: bytes, lines, records, problem_records, problems by id."""
    return json.loads(Path(f"{log}.truth.json").read_text())


def agree(lake: Path, problems: dict[str, int]) -> None:
    """SystemExit where the lake's counts differ from the generator's."""
    query = "SELECT problem, count(*) AS n FROM logs WHERE problem IS NOT NULL GROUP BY 1"
    found = {row["problem"]: row["n"] for row in json.loads(told(triage(lake, "sql", query, "--format", "json")))}
    if found != problems:
        wrong = {p: (found.get(p, 0), problems.get(p, 0)) for p in {*found, *problems}}
        sys.exit(f"counts differ (found, true): { {p: both for p, both in sorted(wrong.items()) if both[0] != both[1]} }")
