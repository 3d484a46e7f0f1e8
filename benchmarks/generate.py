"""Write a large realistic log and, beside it, how many problems of each kind it holds.

    python -m benchmarks.generate --size 1GB --layout docker-t --out build/bench

The same seed, size and layout give the same bytes, whatever the number of processes: the file is a chain of shards,
each with a random generator and a clock of its own. The counts in `<file>.truth.json` are taken while writing, from
the stories themselves, so that they do not depend on any pattern.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from json.encoder import encode_basestring
from pathlib import Path

from benchmarks.stories import Draw, endless

SHARD_BYTES = 16 << 20
SHARD_SECONDS = 120  # more than a shard's own clock can use, so that shards never overlap in time
START = int(datetime(2026, 2, 3, 8, tzinfo=UTC).timestamp())
LAYOUTS = ("plain", "docker-t", "json-file")
UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write; `problem_share` is the share of stories, about the share of records."""

    size: int
    layout: str = "docker-t"
    seed: int = 1
    only_postgres: bool = False
    problem_share: float = 0.03

    @property
    def name(self) -> str:
        return f"{'postgres' if self.only_postgres else 'mixed'}-{self.layout}-{self.size // 10**6}MB-{self.seed}.log"


def plain(text: str, d: Draw) -> str:
    return text


def docker_t(text: str, d: Draw) -> str:
    """`docker logs -t`: the engine's stamp in front of each physical line."""
    stamp = f"{d.iso}.{d.micros % 1_000_000:06d}{d.micros % 991:03d}Z "
    return stamp + text[:-1].replace("\n", "\n" + stamp) + "\n"


def json_file(text: str, d: Draw) -> str:
    """The engine's json-file driver: one object a line."""
    tail = f',"stream":"stderr","time":"{d.iso}.{d.micros % 1_000_000:06d}{d.micros % 991:03d}Z"}}\n'
    return "".join(f'{{"log":{encode_basestring(line)}{tail}' for line in text.splitlines(keepends=True))


WRAP: dict[str, Callable[[str, Draw], str]] = {"plain": plain, "docker-t": docker_t, "json-file": json_file}


def shard(plan: Plan, number: int, size: int) -> tuple[bytes, Counter[str]]:
    """About `size` bytes (one story over at most) and their counts."""
    d = Draw(random.Random(f"{plan.seed}/{number}"), (START + number * SHARD_SECONDS) * 1_000_000)
    wrap, counts, parts, length = WRAP[plan.layout], Counter[str](), [], 0
    for text, records, problem in endless(d, plan.only_postgres, plan.problem_share):
        wrapped = wrap(text, d)
        parts.append(wrapped)
        length += len(wrapped)
        counts["lines"] += text.count("\n")
        counts["records"] += records
        if problem:
            counts[problem] += 1
        if length >= size:
            break
    return "".join(parts).encode(), counts


def generate(plan: Plan, folder: Path, processes: int | None = None) -> Path:
    """The log's path; an earlier file of the same plan is used again."""
    folder.mkdir(parents=True, exist_ok=True)
    target, truth = folder / plan.name, folder / f"{plan.name}.truth.json"
    if target.exists() and truth.exists():
        return target
    sizes = [SHARD_BYTES] * (plan.size // SHARD_BYTES) + ([plan.size % SHARD_BYTES] if plan.size % SHARD_BYTES else [])
    workers = processes or os.cpu_count() or 1
    total = Counter[str]()
    with ProcessPoolExecutor(workers) as pool, target.open("wb") as out:
        for first in range(0, len(sizes), workers * 2):  # a few shards at a time: memory stays flat
            numbers = range(first, min(first + workers * 2, len(sizes)))
            for data, counts in pool.map(shard, [plan] * len(numbers), numbers, [sizes[n] for n in numbers]):
                out.write(data)
                total.update(counts)
    lines, records = total.pop("lines"), total.pop("records")
    truth.write_text(
        json.dumps(
            {
                "bytes": target.stat().st_size,
                "lines": lines,
                "records": records,
                "problem_records": sum(total.values()),
                "problems": dict(sorted(total.items())),
            },
            indent=2,
        )
        + "\n"
    )
    return target


def parse_size(text: str) -> int:
    """`100MB`, `1GB`, `250KB`: decimal units."""
    for unit, factor in UNITS.items():
        if text.upper().endswith(unit):
            return int(float(text[: -len(unit)]) * factor)
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=parse_size, default="100MB", help="for example 100MB, 1GB, 10GB")
    parser.add_argument("--layout", choices=LAYOUTS, default="docker-t")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true", help="only the Postgres part")
    parser.add_argument("--problems", type=float, default=0.03, help="share of stories that are problems")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder, not under version control")
    options = parser.parse_args()
    plan = Plan(options.size, options.layout, options.seed, options.postgres, options.problems)
    print(generate(plan, options.out))


if __name__ == "__main__":
    main()
