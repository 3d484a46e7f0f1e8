"""Print how often the injected cause is named first: `python -m tests.diagnose [--runs N] [--only WORD]`.

Of four runs one has a container whose clock is apart, one is without the engine's times, one has a short log that may begin
or end with the fault.

A run is right at the top if the incident at the fault's time names the injected problem first, complete if everything
else that came about is in its chain, and clean if there is no other incident. Exit code 1 below 90 % at the top.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.diagnose import same
from tests.diagnose.faults import CASCADES, HEALTHY, SINGLE
from tests.diagnose.verdict import Verdict, judge

TARGET = 0.9


def table(verdicts: Iterable[Verdict]) -> tuple[str, float]:
    """The table with the misses and why, and the share that is right at the top."""
    rows = list(verdicts)
    out = [f"{'fault':<38} {'runs':>4} {'first':>6} {'chain':>6} {'alone':>6} {'sure':>5}  named instead, missing"]
    for fault in dict.fromkeys(row.fault.name for row in rows):
        own = [row for row in rows if row.fault.name == fault]
        wrong = sorted({row.first or "nothing" for row in own if not row.top} | {f"-{problem}" for row in own for problem in row.missed})
        out.append(f"{fault:<38} {len(own):>4} {_share(own, 'top'):>6} {_of(not r.missed for r in own):>6} "
                   f"{_of(not r.other for r in own):>6} {sum(r.confidence for r in own) / len(own):>5.2f}  {', '.join(wrong)}")  # fmt: skip
    broken = [row for row in rows if row.fault.cause]
    healthy = [row for row in rows if not row.fault.cause]
    share = sum(row.top for row in broken) / max(1, len(broken))
    out += ["", f"{len(broken)} runs with a fault: named first {share:.1%}, chain complete {_of(not r.missed for r in broken)}, "
            f"no other incident {_of(not r.other for r in broken)}",
            f"{len(healthy)} healthy runs: {sum(r.other for r in healthy)} incidents"]  # fmt: skip
    misses = [row for row in rows if not row.right]
    out += ["", *(f"{row.fault.name} #{row.number}: first {row.first or 'nothing'}; {row.why}" for row in misses)]
    return "\n".join(out), share


def _share(rows: list[Verdict], name: str) -> str:
    return _of(bool(getattr(row, name)) for row in rows)


def _of(facts: Iterable[bool]) -> str:
    known = list(facts)
    return f"{sum(known) / max(1, len(known)):.0%}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=4, help="of each fault, with other times, loads, names and layouts")
    parser.add_argument("--only", default="", help="faults whose name contains this")
    parser.add_argument("--from", dest="first", type=int, default=0, help="number of the first run")
    options = parser.parse_args()
    faults = [fault for fault in (*SINGLE, *CASCADES, *HEALTHY) if options.only in fault.name]
    jobs = [(fault, number) for fault in faults for number in range(options.first, options.first + options.runs)]
    # Polars' threads do not survive a fork.
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1), multiprocessing.get_context("spawn")) as pool:
        text, share = table(pool.map(judge, *zip(*jobs, strict=True)))
    print(text)
    return int(share < TARGET) or (0 if options.only else same.main())


if __name__ == "__main__":
    sys.exit(main())
