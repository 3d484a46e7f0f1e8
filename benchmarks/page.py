"""RESULTS.md: only figures of one run, each with what it was measured on."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from benchmarks.measure import Cost, Pair

SLOWEST = 6  # named queries that are listed


@dataclass(slots=True)
class Results:
    """What a run has measured so far; what is empty was not."""

    log: Path
    truth: dict[str, int]
    rounds: int
    pairs: dict[str, Pair] = field(default_factory=dict)
    rates: dict[str, tuple[float, float]] = field(default_factory=dict)  # peer's and our lines a second
    stages: dict[str, float] = field(default_factory=dict)
    staged: Path | None = None
    growth: dict[Path, Cost] = field(default_factory=dict)
    share: float = 0.0
    patterns: dict[int, float] = field(default_factory=dict)
    queries: dict[str, float] = field(default_factory=dict)
    commands: dict[str, Cost] = field(default_factory=dict)
    records: int = 0  # of the lake that was asked
    collect: tuple[Cost, Cost] | None = None
    collected: Path | None = None
    missing: list[str] = field(default_factory=list)
    load: list[float] = field(default_factory=list)  # average of the machine as each part began, of one core 1.0


def megabytes(log: Path) -> float:
    return log.stat().st_size / 1e6


def compared(ratio: float) -> str:
    """A ratio theirs/ours in words."""
    return f"{ratio:.1f} times faster" if ratio >= 1 else f"{1 / ratio:.1f} times slower"


def render(found: Results) -> str:
    """The whole page."""
    parts = [_head(found), _peers(found), _growth(found), _stages(found), _patterns(found), _asked(found), _collect(found)]
    if found.missing:
        parts.append(f"Not measured, not installed: {', '.join(found.missing)}.")
    if left := _left_out(found):
        parts.append(f"Not in this run: {', '.join(left)}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _left_out(found: Results) -> list[str]:
    """What the page would tell had it been measured: a run can be of some parts."""
    told = {
        "ripgrep": any("ripgrep" in name for name in found.pairs), "rates of the Python loop and Drain3": bool(found.rates),
        "growth": bool(found.growth), "number of patterns": bool(found.patterns), "size of the lake": bool(found.share),
        "queries and commands": bool(found.commands), "collect": found.collect is not None,
    }  # fmt: skip
    return [name for name, measured in told.items() if not measured]


def _head(found: Results) -> str:
    text = (
        f"# Results\n\n`python -m benchmarks.run` on {os.cpu_count()} cores, {found.rounds} "
        f"{'round' if found.rounds == 1 else 'rounds'} of each pair; a generated mixed log of {megabytes(found.log):.0f} MB, "
        f"{found.truth['lines']:,} lines, {found.truth['problem_records']:,} of {found.truth['records']:,} records with a "
        "problem. After every `ingest` the counts of all problems in the lake equalled the generator's own."
    )
    if found.load and max(found.load) > 1.5 * (os.cpu_count() or 1):
        text += (
            f"\n\nOther work ran on the machine meanwhile (load average {min(found.load):.0f} to {max(found.load):.0f}): times are longer "
            "than on one that is free, and the CPU columns tell more than the seconds."
        )
    ours = next((both.ours for name, both in found.pairs.items() if "Postgres" not in name), None)
    if ours is None:
        return text
    size = megabytes(found.log)
    return (
        f"{text}\n\n`triage ingest`: {ours.seconds:.1f} s, **{size / ours.seconds:.1f} MB/s**, "
        f"{found.truth['lines'] / ours.seconds:,.0f} lines/s, {ours.cpu_s:.1f} s of CPU, peak memory {ours.peak_mb:,.0f} MB. "
        + (f"The compacted lake takes {found.share:.1%} of the text." if found.share else "")
    )


def _table(*rows: tuple[str, ...]) -> str:
    head, *body = rows
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ("---",) * len(head), *body))


def _peers(found: Results) -> str:
    rows = [
        (name, f"{both.theirs.seconds:.2f} s", f"{both.ours.seconds:.2f} s", f"{both.ours.cpu_s / both.theirs.cpu_s:.2f}", compared(both.ratio))
        for name, both in found.pairs.items()
    ]
    rows += [
        (name, f"{theirs:,.0f} lines/s", f"{ours:,.0f} lines/s", "", compared(ours / theirs))
        for name, (theirs, ours) in found.rates.items()
    ]
    return _table(("peer", "peer", "triage", "CPU, triage / peer", "triage is"), *rows) if rows else ""


def _growth(found: Results) -> str:
    rows = [
        (f"{megabytes(log):,.0f} MB", f"{spent.seconds:.1f} s", f"{megabytes(log) / spent.seconds:.1f}", f"{spent.cpu_s:.1f} s", f"{spent.peak_mb:,.0f} MB")
        for log, spent in sorted(found.growth.items(), key=lambda pair: megabytes(pair[0]))
    ]
    return _table(("log", "time", "MB/s", "CPU", "peak memory"), *rows) if rows else ""


def _stages(found: Results) -> str:
    if not found.stages or found.staged is None:
        return ""
    size, total = megabytes(found.staged), sum(found.stages.values())
    rows = [(name, f"{spent:.2f} s", f"{spent / total:.0%}", f"{size / spent:,.0f}") for name, spent in found.stages.items()]
    head = f"Stages one after the other, {size:.0f} MB (in `ingest` three threads share them):\n\n"
    return head + _table(("stage", "CPU", "share", "MB/s"), *rows, ("all", f"{total:.2f} s", "", f"{size / total:,.0f}"))


def _patterns(found: Results) -> str:
    if not found.patterns:
        return ""
    (few, base), *more = sorted(found.patterns.items())
    told = ", ".join(f"{count} patterns {spent / base:.2f} times" for count, spent in more)
    return f"CPU of parsing, naming and templates against that with {few} patterns ({base:.2f} s): {told}."


def _asked(found: Results) -> str:
    if not found.commands:
        return ""
    slowest = sorted(found.queries.items(), key=lambda pair: -pair[1])[:SLOWEST]
    rows = [(f"`{name}`, whole command", f"{spent.seconds:.2f} s", f"{spent.peak_mb:,.0f} MB") for name, spent in found.commands.items()]
    rows += [(f"named query `{name}`", "no answer in 1 GB" if seconds == inf else f"{seconds:.2f} s", "") for name, seconds in slowest]
    below = sum(seconds < 0.5 for seconds in found.queries.values())
    head = f"Over a lake of {found.records:,} records ({below} of {len(found.queries)} named queries under 0.5 s; the slowest are listed):\n\n"
    return head + _table(("asked", "time", "peak memory"), *rows)


def _collect(found: Results) -> str:
    if found.collect is None or found.collected is None:
        return ""
    ours, theirs = found.collect
    size = megabytes(found.collected)
    return (
        f"`triage collect` of a container's log of {size:.0f} MB (json-file driver): {ours.seconds:.1f} s, {size / ours.seconds:.1f} "
        f"MB/s; `docker logs > /dev/null`: {theirs.seconds:.1f} s, {size / theirs.seconds:.1f} MB/s; "
        f"{ours.seconds / theirs.seconds:.1f} times its time."
    )
