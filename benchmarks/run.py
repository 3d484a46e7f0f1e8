"""Speed against peers, pair by pair in one run, with the results checked; writes benchmarks/RESULTS.md.

    python -m benchmarks.run            0.3 GB against the peers, 3 rounds; growth over 0.1, 0.3 and 1.5 GB
    python -m benchmarks.run --quick    the same, 1 round: some minutes
    python -m benchmarks.run --huge     with 10 GB as well
    python -m benchmarks.run --part stages --part patterns    only these; the page keeps the rest of the run before
    python -m benchmarks.run --small    20 and 60 MB, 1 round: is the benchmark itself in order?

`triage ingest` cuts, dates, levels, assembles, redacts, classifies, extracts, templates and writes Parquet; lnav only
indexes the file; pgBadger makes its report of a Postgres log; the Python loop runs the patterns' regexes with `re` over
a slice; Drain3 mines templates; ripgrep counts one alternation. Counts per problem must equal the generator's own truth
after each `ingest`, else the run fails.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import inside, peers
from benchmarks.copies import copied
from benchmarks.generate import Plan, generate
from benchmarks.measure import ROOT, cost, ingest, ingest_into, new_lake, pair, say, told, triage, truth_of
from benchmarks.page import Results, render
from triage.lake.table import Lake

LOGS = ROOT / "build" / "bench"
RESULTS = Path(__file__).parent / "RESULTS.md"
KEPT = LOGS / "results.pickle"  # of the run so far


@dataclass(frozen=True, slots=True)
class Sizes:
    """MB of the logs: against peers, for stages, for the number of patterns, for growth, pgBadger and the engine."""

    peers: int
    stages: int
    patterns: int
    growth: tuple[int, ...]
    postgres: int
    engine: int


USUAL = Sizes(300, 100, 40, (100, 1500), 60, 300)
SMALL = Sizes(60, 20, 20, (20,), 20, 20)


def mixed(size: int) -> Path:
    """A generated log of so many MB."""
    return generate(Plan(size * 10**6), LOGS)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of each pair")
    parser.add_argument("--small", action="store_true", help="small logs and one round")
    parser.add_argument("--huge", action="store_true", help="growth up to 10 GB")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this (again and again): what was measured before stands")
    parser.add_argument("--rounds", type=int, help="of each pair; the run of median time and the median of the ratios count")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the page")
    options = parser.parse_args()
    sizes = SMALL if options.small else USUAL
    growth = (*sizes.growth, 10_000) if options.huge else sizes.growth
    rounds = options.rounds or (1 if options.quick or options.small else 3)
    log = mixed(sizes.peers)
    found = Results(log, truth_of(log), rounds)
    if options.part and KEPT.exists():
        found = pickle.loads(KEPT.read_bytes())
    for part in options.part or PARTS:
        found.load.append(os.getloadavg()[0])
        PARTS[part](found, sizes, growth)
        keep(found)
    options.out.write_text(render(found), encoding="utf-8")
    print(render(found))


def keep(found: Results) -> None:
    """What was measured so far outlives an interrupted run."""
    KEPT.write_bytes(pickle.dumps(found))


def against_peers(found: Results, sizes: Sizes, growth: tuple[int, ...]) -> None:
    """Pair by pair, in turn."""
    found.missing = peers.provide()
    log, postgres = found.log, generate(Plan(sizes.postgres * 10**6, "plain", only_postgres=True), LOGS)
    for program, (name, command) in peers.COMMANDS.items():
        if program not in found.missing:
            say(name)
            on = postgres if program == "pgbadger" else log
            found.pairs[name] = pair(lambda on=on: ingest(on), lambda on=on, command=command: command(on), found.rounds)  # type: ignore[misc]
            keep(found)
    _rates(found, found.missing)


def by_stage(found: Results, sizes: Sizes, growth: tuple[int, ...]) -> None:
    """Where the time goes."""
    found.staged = mixed(sizes.stages)
    found.stages = inside.stages(found.staged)


def by_patterns(found: Results, sizes: Sizes, growth: tuple[int, ...]) -> None:
    """What more patterns cost."""
    found.patterns = inside.patterns(mixed(sizes.patterns))


def by_size(found: Results, sizes: Sizes, growth: tuple[int, ...]) -> None:
    """Time and memory as the log grows."""
    for size in growth:
        say(f"growth: {size} MB")
        _grown(found, mixed(size), last=size == sizes.growth[-1])
    if found.log not in found.growth:
        found.growth[found.log] = next(iter(found.pairs.values())).ours if found.pairs else ingest(found.log)


def by_question(found: Results, sizes: Sizes, growth: tuple[int, ...]) -> None:
    """Named queries and whole commands over a compacted lake of ten million records."""
    with new_lake() as lake, new_lake() as many:
        say("questions: a lake of ten million records")
        ingest_into(lake, found.log)
        copied(Lake(lake), many, -(-(10**7) // found.truth["records"]))
        days = json.loads(told(triage(many, "lake", "info", "--format", "json")))["days"]
        found.records = sum(day["records"] for day in days)
        say("queries")
        found.queries = inside.queries(many)
        say("commands")
        found.commands = inside.commands(many, found.rounds)


def from_engine(found: Results, sizes: Sizes, growth: tuple[int, ...]) -> None:
    """`collect` against `docker logs`."""
    found.collected = generate(Plan(sizes.engine * 10**6, "plain"), LOGS)
    found.collect = inside.collect(found.collected, found.rounds)


PARTS: dict[str, Callable[[Results, Sizes, tuple[int, ...]], None]] = {
    "peers": against_peers, "stages": by_stage, "patterns": by_patterns, "growth": by_size, "questions": by_question,
    "collect": from_engine,
}  # fmt: skip


def _rates(found: Results, missing: list[str]) -> None:
    """Peers that work through a slice."""
    say("Python loop")
    ours = next((both.ours for name, both in found.pairs.items() if "Postgres" not in name), None)
    if ours is not None:
        found.rates["Python `re` loop, same regexes"] = peers.loop(found.log), found.truth["lines"] / ours.seconds
    if "drain3" not in missing:
        say("Drain3")
        found.rates["Drain3, templates alone"] = peers.drain3(found.log), inside.template_rate(found.log, peers.DRAIN_LINES)


def _grown(found: Results, log: Path, *, last: bool) -> None:
    """Ingest one size; the lake of the `last` one is compacted."""
    with new_lake() as lake:
        found.growth[log] = ingest_into(lake, log)
        if not last:
            return
        say("compact")
        cost(triage(lake, "lake", "compact"))
        days = json.loads(told(triage(lake, "lake", "info", "--format", "json")))["days"]
        found.share = sum(day["bytes"] for day in days) / log.stat().st_size


if __name__ == "__main__":
    main()
