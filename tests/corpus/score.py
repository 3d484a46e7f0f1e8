"""Compares what triage makes of the recordings with what their recorders provoked.

A recording is `<format>/<name>.log`, beside it `<name>.expect.jsonl`: one expected record a line, named by the first 60
characters of its first line (`starts`), with the number of physical lines and the columns that must come out. A
`problem` of `*` is not scored, of a list of names any is right; `any_cut` leaves the number of lines open.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from triage.classify.library import Library
from triage.collect import files
from triage.parse import parse

CORPUS = Path(__file__).parent
START, ANY, BENIGN = 60, "*", "(benign)"
_COLUMNS = (
    "source", "severity_text", "message", "process_id", "task_name", "task_id", "exception_type", "exception_message",
    "status_code", "duration_ms", "sqlstate",
)  # fmt: skip


@dataclass
class Score:
    """What came out of one recording."""

    name: str
    expected: int = 0
    cut: int = 0
    any_cut: bool = False
    fields: int = 0
    fields_right: int = 0
    problems: Counter[tuple[str, str]] = field(default_factory=Counter)  # (expected, found) -> records
    misses: list[str] = field(default_factory=list)


def recordings() -> list[Path]:
    """Every recording that has expectations."""
    return sorted(p for p in CORPUS.glob("*/*.log") if p.with_suffix(".expect.jsonl").is_file())


def score(path: Path, library: Library) -> Score:
    """One recording, read as a file without any option."""
    result = Score(f"{path.parent.name}/{path.stem}")
    waiting = defaultdict(list)
    for found in _records(path, library):
        waiting[found["starts"]].append(found)
    for line in path.with_suffix(".expect.jsonl").read_text(encoding="utf-8").splitlines():
        wanted = json.loads(line)
        result.expected += 1
        result.any_cut |= bool(wanted.get("any_cut"))
        candidates = waiting[wanted["starts"]]
        if not candidates:
            result.misses.append(f"no record starts with {wanted['starts']!r}")
            if isinstance(wanted["problem"], str) and wanted["problem"] != ANY:
                result.problems[wanted["problem"], BENIGN] += 1
            continue
        _compare(wanted, candidates.pop(0), result)
    for rest in waiting.values():
        for found in rest:
            if result.any_cut and not found["problem"]:
                continue  # a part of the record that may be cut anyhow
            result.misses.append(f"a record of its own: {found['starts']!r}")
            if found["problem"]:
                result.problems[BENIGN, found["problem"]] += 1
    return result


def _records(path: Path, library: Library) -> Iterator[dict[str, Any]]:
    for batch in files.open_paths([path], lambda name: None):
        if not batch.lines.height:
            continue
        records = library.classify(parse(batch.lines, batch.resource))
        text = batch.lines["text"].str.strip_chars_start("\ufeff")
        starts = text.gather(records["first_line"].cast(pl.UInt32)).str.head(START)
        yield from records.with_columns(starts.alias("starts")).iter_rows(named=True)


def _compare(wanted: dict[str, Any], found: dict[str, Any], result: Score) -> None:
    if wanted.get("any_cut") or found["line_count"] == wanted["lines"]:
        result.cut += 1
    else:
        result.misses.append(f"{wanted['starts']!r}: {found['line_count']} lines, not {wanted['lines']}")
    for name in _COLUMNS:
        if name in wanted:
            result.fields += 1
            same = _same(found[name], wanted[name])
            result.fields_right += same
            if not same:
                result.misses.append(f"{wanted['starts']!r}: {name} is {found[name]!r}, not {wanted[name]!r}")
    accepted = wanted["problem"] if isinstance(wanted["problem"], list) else [wanted["problem"]]
    if accepted != [ANY]:
        named = found["problem"] or BENIGN
        names = [name or BENIGN for name in accepted]
        pair = (named if named in names else names[0]), named
        result.problems[pair] += 1
        if pair[0] != pair[1]:
            result.misses.append(f"{wanted['starts']!r}: {pair[1]}, not {pair[0]}")


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, int | float) and found is not None:
        return abs(float(found) - wanted) < 1e-6
    return bool(found == wanted)


@dataclass(frozen=True, slots=True)
class Figures:
    """How often a problem was found where it was, and only there."""

    problem: str
    expected: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.expected if self.expected else 1.0


def figures(scores: list[Score]) -> list[Figures]:
    """Precision and recall of each problem over all recordings, benign records among them."""
    pairs: Counter[tuple[str, str]] = sum((score.problems for score in scores), Counter())
    names = sorted({name for pair in pairs for name in pair})
    return [
        Figures(
            name,
            sum(n for (wanted, _), n in pairs.items() if wanted == name),
            sum(n for (_, found), n in pairs.items() if found == name),
            pairs[name, name],
        )
        for name in names
    ]


def confusion(scores: list[Score]) -> Counter[tuple[str, str]]:
    """(expected, found) of the records that were named wrongly."""
    pairs: Counter[tuple[str, str]] = sum((score.problems for score in scores), Counter())
    return Counter({pair: n for pair, n in pairs.items() if pair[0] != pair[1]})
