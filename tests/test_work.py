"""The cost guard: work is counted, never timed, so that it says the same on every machine.

Benign lines must not reach Python, a batch must cost the same number of Python calls whatever its length, and more
patterns must not mean more patterns tried on a line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl
import pytest

from benchmarks.generate import Plan, shard
from triage.classify import redact as redaction
from triage.classify.columns import Columns
from triage.classify.gates import Gates
from triage.classify.library import Library
from triage.classify.matcher import Matcher
from triage.classify.pattern import Pattern, in_order
from triage.classify.pattern_file import parse_pattern
from triage.classify.redact import redact
from triage.classify.template import with_template
from triage.lake import table
from triage.lake.table import Lake
from triage.parse import ParseOptions, cut, detect, open_from, parse
from triage.parse.registry import layouts_for
from triage.parse.wrappers import unwrap
from triage.pipeline import as_lake
from triage.schema import LINES, Resource

KEY = b"a key of the test"
MANY = 40_000
SYNTHETIC = """
[pattern]
problem  = "db.error"
title    = {{ en = "t", zh = "t" }}
severity = "error"
status   = "stable"
[match]
keywords = ["sentence number {n:04d}"]
[[match.any]]
name = "w"
regex = "^sentence number {n:04d}"
"""


def generated(problem_share: float) -> pl.DataFrame:
    """The first lines of the benchmark's log, as `collect.files` delivers them."""
    data, _ = shard(Plan(size=0, problem_share=problem_share), 0, MANY * 400)
    texts = data.decode().splitlines()[:MANY]
    assert len(texts) == MANY
    lines = pl.DataFrame({"text": texts, "position": range(MANY)})
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in LINES.items() if name not in ("text", "position")]
    return lines.with_columns(absent).with_columns(pl.lit(0).alias("seq")).select(pl.col(n).cast(d) for n, d in LINES.items())


@pytest.fixture(scope="module")
def benign() -> pl.DataFrame:
    return generated(0.0)


@pytest.fixture(scope="module")
def mixed() -> pl.DataFrame:
    return generated(0.03)


def records_of(lines: pl.DataFrame) -> pl.DataFrame:
    return parse(lines, Resource("bench"))


def counted(work: Callable[[], object], matters: Callable[[str, object], bool]) -> int:
    """How many events of the interpreter's profile matter."""
    count = 0

    def note(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += matters(event, arg)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def calls(work: Callable[[], object]) -> int:
    """How many Python functions are called."""
    return counted(work, lambda event, arg: event == "call")


def steps(work: Callable[[], object]) -> int:
    """How many queries the frame engine runs: what a batch costs before it has a single line."""
    return counted(work, lambda event, arg: event == "c_call" and getattr(arg, "__name__", "") == "collect")


def test_benign_lines_do_not_reach_the_rules_of_redaction(benign: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    clean = redaction._Marker.clean

    def counted(marker: redaction._Marker, text: str) -> str:
        looked.append(text)
        return clean(marker, text)

    monkeypatch.setattr(redaction._Marker, "clean", counted)
    assert redact(benign["text"], KEY).equals(benign["text"])
    share = len(looked) * 10_000 / benign.height
    print(f"{share:.1f} of 10,000 benign lines reach the rules")
    assert share <= 50


def test_few_lines_reach_the_second_gate_of_redaction(benign: pl.DataFrame) -> None:
    worded = benign["text"].str.contains_any(redaction.GATES, ascii_case_insensitive=True).arg_true()
    suspects = redaction._suspects(benign["text"], worded, redaction.PERSONAL_KINDS)
    assert len(suspects) <= benign.height // 100


def test_python_calls_do_not_grow_with_the_lines(mixed: pl.DataFrame) -> None:
    library = Library.load()

    def run(lines: pl.DataFrame) -> None:
        lines = lines.with_columns(redact(lines["text"], KEY).alias("text"))
        with_template(library.classify(records_of(lines)))

    run(mixed.head(2000))  # what is only done once
    half, whole = (calls(lambda n=n: run(mixed.head(n))) for n in (MANY // 2, MANY))  # type: ignore[misc]
    print(f"{half} Python calls for {MANY // 2} lines, {whole} for {MANY}")
    assert whole < 1.3 * half
    assert whole < 5 * MANY


def test_a_batch_of_any_length_takes_the_same_few_steps(mixed: pl.DataFrame) -> None:
    library = Library.load()

    def run(lines: pl.DataFrame) -> None:
        lines = lines.with_columns(redact(lines["text"], KEY).alias("text"))
        with_template(library.classify(records_of(lines)))

    run(mixed)  # what is only done once
    half, whole = (steps(lambda n=n: run(mixed.head(n))) for n in (MANY // 2, MANY))  # type: ignore[misc]
    print(f"{half} steps for {MANY // 2} lines, {whole} for {MANY}")
    assert whole < 1.1 * half
    assert whole < 2000


def test_many_small_batches_take_hardly_more_steps_than_one(mixed: pl.DataFrame) -> None:
    parts = [(mixed.slice(n * 20, 20), Resource(f"service-{n}", source="app" if n % 2 else None)) for n in range(50)]
    one = cut(parts[:1], ParseOptions())
    one.read()  # what is only done once
    few, many = (steps(lambda p=p: open_from(cut(p, ParseOptions()))) for p in (parts[:5], parts))  # type: ignore[misc]
    read = steps(lambda: cut(parts, ParseOptions()).read())
    print(f"{few} steps for 5 batches, {many} for 50, {read} with what records state")
    assert many < few + 45 * 12  # of these alone each would take as many as all
    assert read < 1500


def test_layouts_seen_before_are_asked_first_and_alone(benign: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    known = layouts_for(ParseOptions())
    texts = unwrap(benign)["text"]
    detect._seen.cache_clear()  # other tests of this process saw other logs
    found = detect.detect(texts, known)
    asked: list[int] = []
    claim = detect._claim

    def counted(rest: pl.DataFrame, number: int, *more: Any) -> pl.DataFrame:
        asked.append(number)
        return claim(rest, number, *more)

    monkeypatch.setattr(detect, "_claim", counted)
    assert detect.detect(texts, known).equals(found, null_equal=True)
    assert sorted(asked) == sorted(n for n in detect._seen(known) if n in asked)
    assert len(asked) <= len(detect._seen(known)) < len(known) // 3


def test_a_commit_is_one_file_a_day_that_deltas_engine_does_not_read_again(tmp_path: Path, benign: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(tmp_path / "lake")
    lake.create()
    monkeypatch.setattr(table, "write_deltalake", None)
    lake.append(as_lake(with_template(Library.load().classify(records_of(benign))), ["bench"]), {"bench": 1})
    assert len(lake.file_uris()) == 1


def synthetic(count: int) -> list[Pattern]:
    return [parse_pattern(SYNTHETIC.format(n=n), f"a.p{n:04d}", f"p{n:04d}.toml") for n in range(count)]


def pairs(patterns: list[Pattern], records: pl.DataFrame) -> int:
    return Gates(in_order(patterns)).pairs(Columns(records, ())).height


def test_more_patterns_do_not_mean_more_of_them_tried_on_a_line() -> None:
    texts = [f"sentence number {n % 50:04d} of request {n}" if n % 100 == 0 else f"request {n} done" for n in range(20_000)]
    records = pl.DataFrame({"message": texts, "body": texts, "severity_number": [17] * len(texts)})
    few, many = pairs(synthetic(50), records), pairs(synthetic(500), records)
    assert few == many == sum(n % 100 == 0 for n in range(20_000))


def test_the_shipped_patterns_are_tried_on_few_benign_records(benign: pl.DataFrame) -> None:
    matcher = Matcher(Library.load().patterns)
    records = records_of(benign)
    _, tried = matcher._opened(records)
    print(f"{tried.height / records.height:.3f} patterns tried on a benign record")
    assert tried.height <= records.height // 2
