"""Every mistake in a pattern file is answered with file, line, key and fix; one fixture a mistake.

The expected messages stand in tests/bad_patterns/<mistake>.err; `make gold` rewrites them for review.
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage._data import data_dir
from triage.classify.library import Library
from triage.classify.pattern import Pattern, in_order
from triage.classify.pattern_file import parse_pattern, read_pattern
from triage.classify.samples import Trial, checks
from triage.classify.skeleton import new_pattern
from triage.classify.toml_lines import toml_lines
from triage.cli.patterns import parse_sample
from triage.errors import PatternError, UsageError

BAD = sorted((Path(__file__).parent / "bad_patterns").glob("*.toml"))
GOOD = """
[pattern]
problem  = "db.deadlock"
title    = { en = "Deadlock", zh = "死锁" }
severity = "error"
status   = "stable"
[match]
sqlstate = ["40P01"]
"""


@pytest.mark.parametrize("path", BAD, ids=lambda p: p.stem)
def test_a_mistake_is_named_with_its_place_and_fix(path: Path) -> None:
    with pytest.raises(PatternError) as caught:
        read_pattern(path, path.stem, f"patterns/{path.name}")
    error = caught.value
    said = f"{error.where}\n{error.message}\n{error.hint}\n"
    golden = path.with_suffix(".err")
    if os.environ.get("UPDATE_GOLD"):
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


SHIPPED = sorted(data_dir("patterns").glob("*/*.toml"))
STRAY = st.text(max_size=5) | st.sampled_from(
    ['"', "'''", "[", "]", "=", "\n", "\\", "#", "(?", "(?P<a>", "{", "}", "*", "\0", "[extract]\n", "true", "-1", "1e999", "2026-02-03", "9" * 20]
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SHIPPED), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), STRAY), min_size=1, max_size=4))
def test_whatever_is_damaged_is_answered_with_its_file(path: Path, damages: list[tuple[float, int, str]]) -> None:
    text = path.read_text(encoding="utf-8")
    for part, lost, stray in damages:
        at = int(part * len(text))
        text = text[:at] + stray + text[at + lost :]
    place = "mine.toml"
    try:
        parse_pattern(text, path.stem, "mine.toml")
    except PatternError as error:
        place = error.where or ""
    assert place.startswith("mine.toml")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PatternError, match="cannot read"):
        read_pattern(tmp_path / "x.toml", "x")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text(GOOD, encoding="utf-8-sig")
    assert read_pattern(tmp_path / "x.toml", "x").problem == "db.deadlock"


def test_names_of_other_patterns_and_problems_are_checked_and_the_nearest_told() -> None:
    wrong = _pattern("p", over=("postgres.eror",), leads_to=("task.fail", "nonsense"))
    library = Library([wrong, _pattern("postgres.error")], {"task.failed": Library([wrong], {}).problem("task.failed")})
    whole = next(check for check in checks([wrong]) if check.name == "whole").run(Trial(library, parse_sample, []))
    assert "`over` names 'postgres.eror', which is no pattern: did you mean `postgres.error`?" in whole
    assert "`leads_to` names 'task.fail', which is no problem: did you mean `task.failed`?" in whole
    assert "`leads_to` names 'nonsense', which is no problem" in whole


def _pattern(name: str, **changes: object) -> Pattern:
    return replace(parse_pattern(GOOD, name, f"{name}.toml"), **changes)  # type: ignore[arg-type]


def test_rank_is_specificity_then_over_then_id_whatever_the_order_of_files() -> None:
    patterns = [
        _pattern("d.fallback", specificity=10),
        _pattern("c.over_all", specificity=20, over=("a.special",)),
        _pattern("b.plain"),
        _pattern("a.special", specificity=70),
        _pattern("e.over_plain", over=("b.plain", "not.here")),
        _pattern("a.other"),
    ]
    expected = ["c.over_all", "a.special", "e.over_plain", "a.other", "b.plain", "d.fallback"]
    assert {tuple(p.id for p in in_order(some)) for some in permutations(patterns)} == {tuple(expected)}


def test_a_pattern_that_is_added_moves_no_other_but_those_over_it() -> None:
    patterns = [_pattern("z", over=("a",)), _pattern("a"), _pattern("m", specificity=40)]
    more = [_pattern("b", over=("m",)), _pattern("y", specificity=60)]
    without = [p.id for p in in_order(patterns)]
    assert [p.id for p in in_order([*patterns, *more]) if p.id in without] == without == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("winner", "second", "reason"),
    [
        ({"over": ("p.b",)}, {}, "it stands over p.b"),
        ({"specificity": 60}, {}, "its specificity 60 is above 50 of p.b"),
        ({"specificity": 30, "over": ("p.c",)}, {}, "its specificity 70 (of a pattern that it stands over) is above 50 of p.b"),
        ({"specificity": 70, "over": ("p.c",)}, {"specificity": 70}, "as specific as p.b, and more patterns stand below it by `over`"),
        ({}, {}, "as specific as p.b, and first by id"),
    ],
)
def test_explain_says_which_rule_made_a_pattern_win(winner: dict[str, object], second: dict[str, object], reason: str) -> None:
    third = _pattern("p.c", specificity=70, sqlstate=("XX000",))
    library = Library([_pattern("p.b", **second), third, _pattern("p.a", **winner)], {})
    (told,) = library.explain(parse_sample("2026-02-03 10:00:00.000 UTC [1] ERROR:  40P01: deadlock detected", None))
    assert (told.winner, told.reason) == ("p.a", f"p.a wins: {reason}")


def test_a_circle_of_over_is_named() -> None:
    with pytest.raises(PatternError, match="a > b > a"):
        in_order([_pattern("a", over=("b",)), _pattern("b", over=("a",))])


def test_a_users_pattern_of_the_same_id_overrides_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "deadlock.toml").write_text(GOOD.replace("db.deadlock", "db.my_deadlock"), encoding="utf-8")
    library = Library.load([tmp_path])
    assert library.get("postgres.deadlock").problem == "db.my_deadlock"
    assert library.problem("db.my_deadlock").title["zh"] == "死锁"


def test_an_unknown_id_suggests_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        Library.load().get("postgres.deadlok")
    assert caught.value.hint == "did you mean `postgres.deadlock`?"


def test_a_missing_folder_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        Library.load([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    "text", ["ERROR disk 3 is full", "it's 'quoted' \"twice\" and '''thrice'''", "tab\there \\ back", "多行\n第二行 1"]
)
def test_a_new_pattern_is_a_valid_file_whose_sample_is_the_record(text: str) -> None:
    pattern = parse_pattern(new_pattern(text), "my.new", "new.toml")
    assert pattern.hits[0].text == text
    assert any(k in text for k in pattern.keywords)


def test_lines_of_keys_are_found_through_strings_and_nesting() -> None:
    text = "[a]\nx = '''\ny = 1\n[b]\n'''\n[[a.c]]\nz = [\n 1,\n]\nw = 2\n[[a.c]]\nz = 3\n"
    lines = toml_lines(text)
    assert lines["a", "x"] == 2
    assert lines["a", "c", 0, "w"] == 10
    assert lines["a", "c", 1, "z"] == 12
    assert ("b",) not in lines
