"""The programs that triage is compared with: found or installed, and how each is asked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import ROOT, Cost, cost
from triage.classify.library import Library

_PACKAGES = {"lnav": "lnav", "pgbadger": "pgbadger", "rg": "ripgrep"}  # program, Debian's package
_FROM_PYPI = ROOT / "build" / "peers"
LOOP_LINES = 5_000  # of the Python loop; its rate does not depend on the length
DRAIN_LINES = 50_000
ALTERNATION = "deadlock detected|Rate limit|duration: |Traceback|FATAL|raised unexpected"
_DRAIN = """
import sys, time, logging
logging.disable(logging.CRITICAL)
from drain3 import TemplateMiner
lines = [line.rstrip("\\n") for _, line in zip(range(int(sys.argv[2])), open(sys.argv[1], encoding="utf-8"))]
miner = TemplateMiner()
began = time.perf_counter()
for line in lines:
    miner.add_log_message(line)
print(len(lines) / (time.perf_counter() - began))
"""


def provide() -> list[str]:
    """Install the peers (Debian's as root, Drain3 into a folder of its own); the names of those that are not there."""
    lacking = [package for program, package in _PACKAGES.items() if not shutil.which(program)]
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *lacking]):
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=env)
    if not (_FROM_PYPI / "drain3").is_dir():
        pip = [shutil.which("python3") or sys.executable, "-m", "pip", "install", "-q", "--target", str(_FROM_PYPI), "drain3"]
        subprocess.run(pip, check=False, capture_output=True)
    missing = [program for program in _PACKAGES if not shutil.which(program)]
    return missing if (_FROM_PYPI / "drain3").is_dir() else [*missing, "drain3"]


def lnav(log: Path) -> Cost:
    """Index the file and count by level."""
    return cost(["lnav", "-n", "-c", ";SELECT log_level, count(*) FROM all_logs GROUP BY 1", str(log)], HOME=tempfile.gettempdir(), TERM="dumb")


def pgbadger(log: Path) -> Cost:
    """Its report of a Postgres log."""
    page = Path(tempfile.gettempdir(), "triage-bench-pgbadger.html")
    try:
        return cost(["pgbadger", "-q", "-f", "stderr", "-p", "%m [%p] ", "-o", str(page), str(log)])
    finally:
        page.unlink(missing_ok=True)


def ripgrep(log: Path) -> Cost:
    """Count the lines that one alternation matches."""
    return cost(["rg", "-c", ALTERNATION, str(log)])


def drain3(log: Path) -> float:
    """Lines a second of template mining."""
    command = [sys.executable, "-c", _DRAIN, str(log), str(DRAIN_LINES)]
    env = os.environ | {"PYTHONPATH": str(_FROM_PYPI)}
    return float(subprocess.run(command, env=env, capture_output=True, check=True).stdout)


def loop(log: Path) -> float:
    """Lines a second of a plain Python loop over the patterns' own regexes with `re`."""
    compiled = [re.compile(a.regex, re.M) for p in Library.load().patterns for a in p.alternatives if a.regex and _plain(a.regex)]
    with log.open(encoding="utf-8") as lines:
        some = [line for _, line in zip(range(LOOP_LINES), lines, strict=False)]
    began = time.perf_counter()
    for line in some:
        for regex in compiled:
            if regex.search(line):
                break
    return len(some) / (time.perf_counter() - began)


def _plain(regex: str) -> bool:
    try:
        re.compile(regex, re.M)
    except re.error:
        return False
    return True


COMMANDS: dict[str, tuple[str, Callable[[Path], Cost]]] = {
    "lnav": ("lnav, index only", lnav),
    "pgbadger": ("pgBadger, Postgres log", pgbadger),
    "rg": ("ripgrep, one alternation", ripgrep),
}
