"""Speed against peers, pair by pair in one run, with the results checked; writes benchmarks/RESULTS.md.

    python -m benchmarks.run            300 MB mixed log, 3 rounds, growth over 30, 100 and 300 MB
    python -m benchmarks.run --quick    60 MB, 1 round, no growth

`triage ingest` cuts, dates, levels, assembles, redacts, classifies, extracts, templates and writes Parquet; lnav only
indexes the file; pgBadger makes its report of a Postgres log; the Python loop runs the patterns' regexes with `re` over
a slice; ripgrep counts one alternation. Counts per problem must equal the generator's own truth, else the run fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.generate import Plan, generate
from triage.classify.library import Library

ROOT = Path(__file__).parents[1]
LOGS = ROOT / "build" / "bench"
RESULTS = Path(__file__).parent / "RESULTS.md"
_PEERS = {"lnav": "lnav", "pgbadger": "pgbadger", "rg": "ripgrep"}
_LOOP_LINES = 20_000  # of the Python loop; its rate does not depend on the length
_ALTERNATION = "deadlock detected|Rate limit|duration: |Traceback|FATAL|raised unexpected"


@dataclass(frozen=True, slots=True)
class Cost:
    """One command as a whole process."""

    seconds: float
    cpu_s: float
    peak_mb: float


def cost(command: list[str], **env: str) -> Cost:
    """Run a command to its end; CalledProcessError where it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command, stderr=told)
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def ingest(log: Path, *options: str) -> Cost:
    """`triage ingest` of a file into a new lake; the counts are compared with the truth."""
    folder = Path(tempfile.mkdtemp(prefix="triage-bench-"))
    try:
        triage = [sys.executable, "-m", "triage", "--quiet", "--lake", str(folder / "lake")]
        spent = cost([*triage, "ingest", *options, str(log)])
        agree(triage, log)
        return spent
    finally:
        shutil.rmtree(folder)


def agree(triage: list[str], log: Path) -> None:
    """SystemExit where the lake's counts differ from what the generator counted while it wrote."""
    truth = json.loads(Path(f"{log}.truth.json").read_text())
    query = "SELECT problem, count(*) AS n FROM logs WHERE problem IS NOT NULL GROUP BY 1"
    told = subprocess.run([*triage, "sql", query, "--format", "json"], cwd=ROOT, capture_output=True, check=True).stdout
    found = {row["problem"]: row["n"] for row in json.loads(told)}
    if found != truth["problems"]:
        wrong = {p: (found.get(p, 0), truth["problems"].get(p, 0)) for p in {*found, *truth["problems"]}}
        sys.exit(f"counts differ (found, true): { {p: pair for p, pair in sorted(wrong.items()) if pair[0] != pair[1]} }")


def loop(log: Path) -> float:
    """Lines a second of a plain Python loop over the same regexes."""
    compiled = [re.compile(a.regex, re.M) for p in Library.load().patterns for a in p.alternatives if a.regex and _plain(a.regex)]
    with log.open(encoding="utf-8") as lines:
        some = [line for _, line in zip(range(_LOOP_LINES), lines, strict=False)]
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


def provide() -> list[str]:
    """Install the peers (root on Debian); the names of those that are not there."""
    lacking = [package for program, package in _PEERS.items() if not shutil.which(program)]
    if lacking and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update"], check=False, **quiet)  # type: ignore[call-overload]
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *lacking], check=False, **quiet)  # type: ignore[call-overload]
    return [program for program in _PEERS if not shutil.which(program)]


def pair(ours: Callable[[], Cost], theirs: Callable[[], Cost], rounds: int) -> tuple[Cost, Cost]:
    """Both in turn, several times; of each the run of median time."""
    runs = [(ours(), theirs()) for _ in range(rounds)]
    return _middle([a for a, _ in runs]), _middle([b for _, b in runs])


def _middle(costs: list[Cost]) -> Cost:
    return min(costs, key=lambda c: abs(c.seconds - median(k.seconds for k in costs)))


def megabytes(log: Path) -> float:
    return log.stat().st_size / 1e6


def lake_share(log: Path) -> float:
    """Size of the lake as a share of the raw text."""
    folder = Path(tempfile.mkdtemp(prefix="triage-bench-"))
    try:
        cost([sys.executable, "-m", "triage", "--quiet", "--lake", str(folder / "lake"), "ingest", str(log)])
        cost([sys.executable, "-m", "triage", "--quiet", "--lake", str(folder / "lake"), "lake", "compact"])
        live = subprocess.run(
            [sys.executable, "-m", "triage", "-q", "--lake", str(folder / "lake"), "lake", "info", "--format", "json"],
            cwd=ROOT, capture_output=True, check=True,
        ).stdout  # fmt: skip
        return float(sum(day["bytes"] for day in json.loads(live)["days"]) / log.stat().st_size)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="60 MB, 1 round, no growth")
    parser.add_argument("--size", type=int, help="MB of the mixed log")
    parser.add_argument("--rounds", type=int, help="of each pair; the run of median time counts")
    options = parser.parse_args()
    size, rounds = (options.size or (60 if options.quick else 300)), options.rounds or (1 if options.quick else 3)
    missing = provide()
    log = generate(Plan(size * 10**6), LOGS)
    postgres = generate(Plan(min(size, 60) * 10**6, "plain", only_postgres=True), LOGS)
    truth = json.loads(Path(f"{log}.truth.json").read_text())
    rows = []
    if "lnav" not in missing:
        command = ["lnav", "-n", "-c", ";SELECT log_level, count(*) FROM all_logs GROUP BY 1", str(log)]
        rows.append(("lnav, index only", log, *pair(lambda: ingest(log), lambda: cost(command, HOME="/tmp", TERM="dumb"), rounds)))
    if "pgbadger" not in missing:
        out = f"{tempfile.gettempdir()}/pgbadger.html"
        command = ["pgbadger", "-q", "-f", "stderr", "-p", "%m [%p] ", "-o", out, str(postgres)]
        rows.append(("pgBadger, Postgres log", postgres, *pair(lambda: ingest(postgres), lambda: cost(command), rounds)))
    if "rg" not in missing:
        rows.append(("ripgrep, one alternation", log, *pair(lambda: ingest(log), lambda: cost(["rg", "-c", _ALTERNATION, str(log)]), 1)))
    ours = _middle([row[2] for row in rows if row[1] == log])
    speed = loop(log)
    growth = [] if options.quick else [(mb, ingest(generate(Plan(mb * 10**6), LOGS))) for mb in (30, 100)]
    text = render(log, truth, rows, ours, speed, growth, lake_share(log), missing)
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


def render(
    log: Path, truth: dict[str, int], rows: list[tuple[str, Path, Cost, Cost]], ours: Cost, speed: float,
    growth: list[tuple[int, Cost]], share: float, missing: list[str],
) -> str:  # fmt: skip
    """The results as a page; only figures of this run."""
    rate = truth["lines"] / ours.seconds
    lines = [
        "# Results", "",
        f"`python -m benchmarks.run` on {os.cpu_count()} cores; a generated mixed log of {megabytes(log):.0f} MB, "
        f"{truth['lines']:,} lines, {truth['problem_records']:,} of {truth['records']:,} records with a problem. The counts of "
        "every problem in the lake equalled the generator's.", "",
        f"`triage ingest`: {ours.seconds:.1f} s, **{megabytes(log) / ours.seconds:.1f} MB/s**, {rate:,.0f} lines/s, "
        f"{ours.cpu_s:.1f} s of CPU, peak memory {ours.peak_mb:,.0f} MB. The lake takes {share:.1%} of the text.", "",
        "| peer | peer's time | triage's time | triage is |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for name, _, mine, theirs in rows:
        ratio = theirs.seconds / mine.seconds
        told = f"{ratio:.1f} times faster" if ratio >= 1 else f"{1 / ratio:.1f} times slower"
        lines.append(f"| {name} | {theirs.seconds:.2f} s | {mine.seconds:.2f} s | {told} |")
    ratio = rate / speed
    told = f"{ratio:.1f} times faster" if ratio >= 1 else f"{1 / ratio:.1f} times slower"
    lines.append(f"| Python `re` loop, same regexes | {speed:,.0f} lines/s | {rate:,.0f} lines/s | {told} |")
    if growth:
        lines += ["", "| size | time | MB/s | peak memory |", "| --- | --- | --- | --- |"]
        for mb, spent in [*growth, (round(megabytes(log)), ours)]:
            lines.append(f"| {mb} MB | {spent.seconds:.1f} s | {mb / spent.seconds:.1f} | {spent.peak_mb:,.0f} MB |")
    if missing:
        lines += ["", f"Not measured, not installed: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
