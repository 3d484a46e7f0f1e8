"""Whether a lake holds what numbered emitters printed: each line once, in order, and every hole explained.

An emitter prints `RUN o N;` on stdout and `RUN e N;` on stderr, RUN (`name.number`) being new at each start, N counting
from 1. An emitter that is killed in a write leaves the beginning of a line, without newline; the next start's first line
follows it in the engine's log. A hole
in the numbers is explained when the collector noted a gap of that container which reaches into it; the missing end of
a removed container when it was removed before a collector could read it. What an engine that was killed had read and
never wrote is in no log: its own log has the same hole, or a line without its beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from triage.lake.table import Lake

_RUN = r"[a-z]+\.\d+"
_LINE = rf"^(?P<run>{_RUN}) (?P<stream>[oe]) (?P<number>\d+);$"
_LOGGED = rf"(?:^|(?<=[a-z.\d; ]))(?P<run>{_RUN}) (?P<stream>[oe]) (?P<number>\d+);$"  # also behind a torn line
_TORN = r"^(?:[a-z]+(?:\.(?:\d+(?: (?:[oe](?: \d*)?)?)?)?)?)?$|^(?:(?:[a-z]*\.)?\d* )?(?:[oe]? )?\d*;$"  # its end, or its beginning
Key = tuple[str, str, str]  # container id, run, stream


@dataclass(frozen=True)
class Written:
    """What an engine's log holds of one run's stream: the last number, and those before it that it never wrote."""

    last: int
    never: frozenset[int] = frozenset()


@dataclass
class Verdict:
    """The counts; `examples` says where the first few failures are."""

    lines: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    foreign: int = 0  # lines that no emitter printed
    gaps: int = 0
    explained: int = 0  # lines inside noted gaps
    removed: int = 0  # lines at the end of removed containers
    never_logged: int = 0  # lines that a killed engine took and did not write
    examples: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing happened that must not."""
        return not (self.lost or self.doubled or self.out_of_order or self.foreign)

    def __add__(self, other: Verdict) -> Verdict:
        numbers = {n: getattr(self, n) + getattr(other, n) for n in self.__dataclass_fields__}
        return Verdict(**numbers)


def written(container_id: str, log: str) -> dict[Key, Written]:
    """What a container's log holds of each run and stream, as the engine gives it."""
    numbers: dict[Key, set[int]] = {}
    for match in re.finditer(_LOGGED, log.replace("\r", ""), re.MULTILINE):
        numbers.setdefault((container_id, match["run"], match["stream"]), set()).add(int(match["number"]))
    for key in sorted(numbers, key=lambda key: len(numbers[key])):
        # Behind a torn `r.1 e` the engine shows `r.2 e 1;` without a newline, as if it were of a run `er.2`.
        for other in numbers.keys() - {key}:
            if key[2] == other[2] and key[1].endswith(other[1]):
                numbers[other] |= numbers.pop(key)
                break
    return {
        key: Written(max(known), frozenset(range(min(known), max(known))) - known) for key, known in numbers.items()
    }


def stored_lines(lake: Lake) -> pl.DataFrame:
    """Every stored line: container, place, and what it says; in the order of the container's log."""
    columns = ["origin", "container_id", "position", "record_id", "body"]
    records = pl.concat([pl.read_parquet(uri, columns=columns, hive_partitioning=False) for uri in lake.file_uris()])
    return (
        records.with_columns(seq=pl.col("record_id").str.extract(r"-(\d+)$").cast(pl.Int64))
        .sort("origin", "position", "seq")
        .with_columns(text=pl.col("body").str.split("\n"))
        .explode("text")
        .with_columns(found=pl.col("text").str.extract_groups(_LINE))
        .with_columns(
            run=pl.col("found").struct["run"],
            stream=pl.col("found").struct["stream"],
            number=pl.col("found").struct["number"].cast(pl.Int64),
        )
        .drop("body", "found", "record_id")
    )


def verdict(lake: Lake, truth: Mapping[Key, Written], removed: Iterable[str]) -> Verdict:
    """Compare the lake with the last numbers that the engine had."""
    lines = stored_lines(lake)
    notes = lake.notes().filter(pl.col("kind") == "gap")
    gone, result = set(removed), Verdict(lines=lines.height, gaps=notes.height)
    known = pl.col("text").str.ends_with(" start") | pl.col("text").str.contains(_TORN)
    foreign = lines.filter(pl.col("number").is_null() & ~known)
    result.foreign = foreign.height
    result.examples += [f"foreign: {text!r}" for text in foreign["text"].head(3)]
    gaps = {
        str(origin): list(zip(rows["start"].to_physical(), rows["end"].to_physical(), strict=True))
        for (origin,), rows in notes.partition_by("origin", as_dict=True).items()
    }
    seen: set[Key] = set()
    nothing = Written(0)
    numbered = lines.drop_nulls("number")
    for (one, run, stream), rows in numbered.partition_by("container_id", "run", "stream", as_dict=True).items():
        key = (str(one), str(run), str(stream))
        seen.add(key)
        _judge(key, rows, truth.get(key, nothing), gaps.get(f"docker:{key[0]}", []), key[0] in gone, result)
    for key in truth.keys() - seen:
        _missing(key, range(1, truth[key].last + 1), truth[key], explained=False, removed=key[0] in gone, result=result)
    return result


def _judge(
    key: Key, rows: pl.DataFrame, truth: Written, gaps: list[tuple[int, int]], removed: bool, result: Verdict
) -> None:
    numbers = rows["number"]
    if doubled := len(numbers) - numbers.n_unique():
        result.doubled += doubled
        first = numbers.filter(numbers.is_duplicated()).min()
        result.examples.append(f"doubled: {doubled} of {key[1:]}, first {first!r}")
    if wrong := int((numbers.diff() < 0).sum()):
        result.out_of_order += wrong
        result.examples.append(f"out of order: {wrong} of {key[1:]}")
    # Between two neighbours in order, and before the first.
    ordered = rows.sort("number").with_columns(
        before=pl.col("number").shift(1, fill_value=0), left=pl.col("position").shift(1, fill_value=0)
    )
    for row in ordered.filter(pl.col("number") - pl.col("before") > 1).iter_rows(named=True):
        low, high = row["left"] // 1000, row["position"] // 1000
        explained = any(start <= high and end >= low for start, end in gaps)
        _missing(key, range(row["before"] + 1, row["number"]), truth, explained=explained, removed=False, result=result)
    top = int(ordered["number"][-1])
    if truth.last > top:
        end = int(ordered["position"][-1]) // 1000
        explained = any(stop >= end for _, stop in gaps)
        _missing(key, range(top + 1, truth.last + 1), truth, explained=explained, removed=removed, result=result)


def _missing(
    key: Key, numbers: range, truth: Written, *, explained: bool, removed: bool, result: Verdict
) -> None:
    never = sum(number in truth.never for number in numbers)
    result.never_logged += never
    count = len(numbers) - never
    if explained:
        result.explained += count
    elif removed:
        result.removed += count
    elif count:
        result.lost += count
        result.examples.append(f"lost: {count} of {numbers[0]} to {numbers[-1]} of {key}")
