"""The matcher's promises: counts add up, words alone decide nothing, file order plays no part, budgets hold."""

from __future__ import annotations

import random
import sys
from typing import Any

import polars as pl
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.classify.columns import Columns
from triage.classify.conditions import Budget, Conditions
from triage.classify.library import Library
from triage.classify.matcher import Matcher
from triage.classify.pattern import Pattern, in_order
from triage.classify.pattern_file import parse_pattern
from triage.schema import LOGS

HEAD = """
[pattern]
problem  = "{problem}"
title    = {{ en = "t", zh = "t" }}
severity = "error"
status   = "stable"
"""


def pattern(name: str, rest: str, problem: str = "db.error") -> Pattern:
    return parse_pattern(HEAD.format(problem=problem) + rest, name, f"{name}.toml")


def records(*rows: dict[str, Any]) -> pl.DataFrame:
    """Records with the columns that a parser gives; `body` defaults to `message`."""
    names = ("source", "severity_number", "message", "body", "exception_type", "exception_message", "sqlstate", "status_code",
             "duration_ms", "process_id", "task_id", "scope_name", "attributes")  # fmt: skip
    full = []
    for row in rows:
        row = {"source": "app", "severity_number": 17, "body": row.get("message"), **row}
        row["attributes"] = [{"key": k, "value": v} for k, v in row["attributes"].items()] if "attributes" in row else None
        full.append({n: row.get(n) for n in names})
    return pl.DataFrame(full, schema={n: LOGS[n] for n in names}, orient="row")


def classified(patterns: list[Pattern], *rows: dict[str, Any]) -> list[dict[str, Any]]:
    found = Matcher(in_order(patterns)).classify(records(*rows)).to_dicts()
    for row in found:
        row["attributes"] = {e["key"]: e["value"] for e in row["attributes"] or []}
    return found


WORDS = pattern("a.words", '[match]\nkeywords = ["disk full"]\n[[match.any]]\nname = "w"\nregex = "^disk full on (?P<disk>\\\\w+)"', "db.disk_full")
STATE = pattern("a.state", '[match]\nsources = ["postgres"]\nsqlstate = ["40P01", "23"]\nkeywords = ["deadlock"]\n[[match.any]]\nname = "w"\nregex = "^deadlock"')
CODE = pattern("a.code", '[match]\n[[match.any]]\nname = "c"\nstatus_code = ["5xx", 429]')
TYPE = pattern("a.type", '[match]\n[[match.any]]\nname = "t"\nexception_type = ["OperationalError"]\n[[match.any]]\nname = "r"\nexception_root = ["DeadlockDetected"]')
WHERE = pattern("a.where", '[match]\n[[match.any]]\nname = "x"\nwhere = { "celery.state" = ["failed"] }\n[extract]\nrun = { from = "attributes.celery.runtime_s", type = "duration_ms", unit = "s" }')
LOOK = pattern("a.look", '[match]\nkeywords = ["x"]\n[[match.any]]\nname = "l"\nengine = "regex"\nregex = \'\'\'(?<!no )(?P<word>x+)$\'\'\'')
ALL = [WORDS, STATE, CODE, TYPE, WHERE, LOOK]


def test_the_anchored_sentence_matches_and_the_words_in_a_users_text_do_not() -> None:
    hit, text, info = classified(ALL, {"message": "disk full on sda"}, {"message": 'user wrote "disk full on sda"'},
                                 {"message": "note: disk full on sda", "severity_number": 9})  # fmt: skip
    assert (hit["problem"], hit["pattern"], hit["attributes"]) == ("db.disk_full", "a.words", {"disk": "sda"})
    assert (text["problem"], text["pattern"]) == ("error.unclassified", None)
    assert (info["problem"], info["problems"], info["pattern"]) == (None, None, None)


def test_a_stated_sqlstate_decides_without_words_and_against_words() -> None:
    rows = classified(
        ALL,
        {"message": "Verklemmung entdeckt", "source": "postgres", "sqlstate": "40P01"},
        {"message": "duplicate key", "source": "postgres", "sqlstate": "23505"},
        {"message": "deadlock detected", "source": "postgres", "sqlstate": "42601"},
        {"message": "deadlock detected", "source": "postgres"},
        {"message": "deadlock detected", "source": "app", "sqlstate": "40P01"},
    )
    assert [r["pattern"] for r in rows] == ["a.state", "a.state", None, "a.state", None]


def test_classes_match_without_keywords() -> None:
    rows = classified(
        ALL,
        {"message": "a", "status_code": 503}, {"message": "a", "status_code": 429}, {"message": "a", "status_code": 404},
        {"message": "a", "exception_type": "psycopg2.OperationalError"}, {"message": "a", "exception_type": "MyOperationalError"},
        {"message": "a", "attributes": {"exception.root_type": "psycopg2.errors.DeadlockDetected"}},
    )  # fmt: skip
    assert [r["pattern"] for r in rows] == ["a.code", "a.code", None, "a.type", None, "a.type"]


def test_attributes_are_conditions_and_sources_of_typed_fields() -> None:
    (row,) = classified(ALL, {"message": "a", "attributes": {"celery.state": "failed", "celery.runtime_s": "1.5"}})
    assert row["attributes"] == {"celery.state": "failed", "celery.runtime_s": "1.5", "run": "1500.0"}


def test_look_around_runs_on_the_survivors_and_gives_groups() -> None:
    yes, no = classified(ALL, {"message": "an xx"}, {"message": "no x"})
    assert (yes["pattern"], yes["attributes"]) == ("a.look", {"word": "xx"})
    assert no["pattern"] is None


def test_a_pattern_over_its_budget_is_disabled_and_named() -> None:
    slow = pattern("a.slow", '[match]\nkeywords = ["a"]\n[[match.any]]\nname = "s"\nengine = "regex"\nregex = \'\'\'^(a|aa)+(?!x)$\'\'\'')
    matcher = Matcher([slow])
    matcher.classify(records({"message": "a" * 60 + "b"}, {"message": "aaa"}))
    assert "a.slow" in matcher.disabled


def test_what_many_records_cost_adds_up_but_a_long_life_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now, cost = 0.0, 0.0

    def clock() -> float:
        nonlocal now
        now += cost
        return now

    monkeypatch.setattr("triage.classify.conditions.time.perf_counter", clock)
    compiled = regex.compile("x")
    cheap, dear = Budget(), Budget()
    cost = 0.0009
    for _ in range(20_000):
        cheap.search("p", compiled, "x")
    assert not cheap.disabled
    cost = 0.05
    for _ in range(200):
        dear.search("p", compiled, "x")
    assert dear.disabled == {"p": "its records together took over 5.0 s"}
    assert dear.search("p", compiled, "x") is None


def test_keywords_are_found_in_a_message_that_its_body_escapes() -> None:
    quoted = pattern("a.q", '[match]\nkeywords = [\'relation "x"\']\n[[match.any]]\nname = "q"\nregex = \'\'\'^relation "x" is missing\'\'\'')
    (row,) = classified([quoted], {"message": 'relation "x" is missing', "body": '{"m": "relation \\"x\\" is missing"}'})
    assert row["pattern"] == "a.q"


def test_an_echo_is_benign_though_it_is_an_error() -> None:
    echo = pattern("a.echo", '[match]\nkeywords = ["again"]\n[[match.any]]\nname = "e"\nregex = "^again"', "benign")
    (row,) = classified([echo], {"message": "again"})
    assert (row["problem"], row["problems"], row["pattern"]) == (None, [], "a.echo")


def test_values_in_words_become_milliseconds() -> None:
    rest = '[match]\nkeywords = ["t"]\n[[match.any]]\nname = "t"\nregex = "^t (?P<_d>.+)"\n[extract]\nduration_ms = { from = "_d", type = "duration_ms", unit = "s" }'
    texts = {"t 250 ms": 250.0, "t 1.5s": 1500.0, "t 2 min": 120_000.0, "t 6m0s": 360_000.0, "t 01:02:03": 3_723_000.0,
             "t 3": 3000.0, "t soon": None, "t 1h2m": 3_720_000.0, "t 20 milliseconds": 20.0}  # fmt: skip
    rows = classified([pattern("a.t", rest)], *({"message": m} for m in texts))
    assert [r["duration_ms"] for r in rows] == list(texts.values())


def test_all_matches_are_a_json_array() -> None:
    rest = '[match]\nkeywords = ["w"]\n[[match.any]]\nname = "w"\nregex = "^w"\n[extract]\npids = { regex = "pid (\\\\d+)", all = true }'
    none, two = classified([pattern("a.w", rest)], {"message": "w"}, {"message": "w pid 1 pid 2"})
    assert "pids" not in none["attributes"]
    assert two["attributes"]["pids"] == '["1","2"]'


def test_the_winner_extracts_and_a_constant_only_fills_a_gap() -> None:
    body = '[match]\nkeywords = ["w"]\n[[match.any]]\nname = "w"\nregex = "^w"\n[extract]\nkind = {{ value = "{}" }}\nsqlstate = {{ value = "{}" }}'
    low, high = pattern("b.low", body.format("low", "00001")), pattern("a.high", body.format("high", "00002"))
    empty, stated = classified([low, high], {"message": "w"}, {"message": "w", "sqlstate": "XX000"})
    assert (empty["sqlstate"], stated["sqlstate"]) == ("00002", "XX000")
    assert empty["attributes"]["kind"] == "high"


def test_no_records_and_no_patterns_are_fine() -> None:
    assert Matcher(ALL).classify(records()).height == 0
    assert Matcher([]).classify(records({"message": "m"}))["problem"].to_list() == ["error.unclassified"]


ROWS = st.fixed_dictionaries(
    {
        "message": st.sampled_from(["disk full on a", "deadlock", "an x", "no x", "", "\\ disk full", None]),
        "severity_number": st.sampled_from([5, 9, 17, 21, None]),
        "source": st.sampled_from(["app", "postgres", None]),
        "sqlstate": st.sampled_from(["40P01", "42601", None]),
        "status_code": st.sampled_from([200, 503, None]),
        "exception_type": st.sampled_from(["OperationalError", "E", None]),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=12), st.randoms(use_true_random=False))
def test_counts_add_up_and_order_and_cuts_change_nothing(rows: list[dict[str, Any]], shuffle: random.Random) -> None:
    data = records(*rows)
    expected = Matcher(in_order(ALL)).classify(data)
    other = list(ALL)
    shuffle.shuffle(other)
    assert Matcher(in_order(other)).classify(data).equals(expected)
    cut = shuffle.randint(0, len(rows))
    parts = pl.concat([Matcher(in_order(ALL)).classify(part) for part in (data[:cut], data[cut:])])
    assert parts.equals(expected)
    matched = expected.filter(pl.col("problem").is_not_null() & (pl.col("problem") != "error.unclassified")).height
    unclassified = expected.filter(pl.col("problem") == "error.unclassified").height
    benign = expected.filter(pl.col("problem").is_null()).height
    assert matched + benign + unclassified == len(rows)


def test_explain_names_the_patterns_tried_and_why_one_won() -> None:
    library = Library(ALL, {})
    first, second = library.explain(records({"message": "disk full on sda", "status_code": 500}, {"message": "calm"}))
    assert first.winner == "a.code"
    assert [t.pattern for t in first.tried] == ["a.code", "a.words"]
    assert first.tried[1].keywords == ("disk full",)
    assert "first by id" in first.reason
    assert (second.winner, second.reason) == (None, "no pattern passed its gates")


def test_explain_tells_which_pattern_gave_a_field_and_which_is_the_parsers() -> None:
    body = '[match]\nkeywords = ["w"]\n[[match.any]]\nname = "w"\nregex = "^w (?P<job_id>\\\\d)"\n[extract]\nsqlstate = {{ value = "{}" }}\nkind = {{ value = "k" }}'
    library = Library([pattern("a.low", body.format("00001")), pattern("b.high", body.format("00002").replace("k\" }", "h\" }"))], {})
    empty, stated = library.explain(records({"message": "w 1"}, {"message": "w 1", "sqlstate": "XX000", "attributes": {"kind": "p"}}))
    assert empty.came_from == {"job_id": "a.low", "sqlstate": "a.low", "kind": "a.low"}
    assert stated.came_from == {"job_id": "a.low"}


def _worded(count: int) -> list[Pattern]:
    form = '[match]\nkeywords = ["word{0:03}"]\n[[match.any]]\nname = "w"\nregex = "^word{0:03} (?P<n>\\\\d+)"'
    return [pattern(f"m.p{i:03}", form.format(i)) for i in range(count)]


@pytest.mark.parametrize("count", [50, 500])
def test_only_patterns_whose_gate_opened_look_at_a_record(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost guard: work is counted, not timed. Benign records meet no pattern, however many there are."""
    looked: list[tuple[str, int]] = []
    hits = Conditions.hits

    def counted(self: Conditions, pairs: pl.DataFrame, columns: Columns, budget: Budget) -> pl.DataFrame:
        looked.append((self.pattern.id, pairs.height))
        return hits(self, pairs, columns, budget)

    monkeypatch.setattr(Conditions, "hits", counted)
    matcher = Matcher(_worded(count))
    benign = [{"message": f"calm {n}", "severity_number": 9} for n in range(1000)]
    matcher.classify(records(*benign))
    assert looked == []
    found = matcher.classify(records(*benign, {"message": "word001 7"}, {"message": "word003 x"}, {"message": "word003 8"}))
    assert looked == [("m.p001", 1), ("m.p003", 2)]
    assert found["pattern"].drop_nulls().to_list() == ["m.p001", "m.p003"]


def test_calls_of_python_grow_neither_with_patterns_nor_with_records() -> None:
    """50 or 500 patterns, a thousand records or ten thousand: a batch costs the same Python-level calls."""

    def calls(patterns: int, count: int) -> int:
        matcher = Matcher(_worded(patterns))
        batch = records(*({"message": f"calm {n}", "severity_number": 9} for n in range(count)), {"message": "word007 1"})
        matcher.classify(batch)
        made = 0

        def note(_frame: object, event: str, _what: object) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        sys.setprofile(note)
        try:
            matcher.classify(batch)
        finally:
            sys.setprofile(None)
        return made

    few, many, long = calls(50, 1_000), calls(500, 1_000), calls(50, 10_000)
    # `Series(names of all patterns)` and the like may be made once a batch, in one call each.
    assert many <= 1.3 * few
    assert long <= 1.1 * few


@pytest.mark.parametrize("names", [("attributes.a", "attributes.b"), ("attributes.b",)])
def test_attributes_are_taken_out_once_and_as_they_stand(names: tuple[str, ...]) -> None:
    rows = records({"message": "x", "attributes": {"a": "1", "c": "9"}}, {"message": "y"}, {"message": "z", "attributes": {"b": "2"}})
    columns = Columns(rows, {"a", "b"})
    expected = {"attributes.a": ["1", None, None], "attributes.b": [None, None, "2"]}
    assert {name: columns.column(name).to_list() for name in names} == {name: expected[name] for name in names}
