"""Every pattern proves itself: each sample of each pattern file is a test, against the whole library and the parser."""

from __future__ import annotations

import random

import polars as pl
import pytest

from benchmarks.generate import Plan, shard
from tests import regex_branches
from triage.classify.columns import Columns
from triage.classify.conditions import Budget, Conditions
from triage.classify.library import Catalogue, Library
from triage.classify.pattern import Pattern
from triage.classify.samples import Check, Trial, checks
from triage.cli.patterns import parse_sample

LIBRARY = Library.load()
CHECKS = list(checks(LIBRARY.patterns))

# The problems of the guide, and those beyond it that the product promises.
PROMISED = (
    "api.unauthorized", "api.not_found", "api.validation_error", "api.insufficient_credits", "task.stuck_pending",
    "task.failed", "task.timeout", "provider.invalid_api_key", "provider.model_unavailable", "provider.rate_limited",
    "db.pool_exhausted", "db.deadlock", "db.slow_query", "memory.out_of_memory", "memory.worker_leak",
    "api.server_error", "api.slow_response", "broker.connection_lost", "task.retry", "task.worker_lost",
    "beat.schedule_error", "provider.timeout", "provider.unavailable", "db.too_many_connections", "db.connection_lost",
    "db.lock_timeout", "db.statement_timeout", "db.constraint_violation", "db.disk_full", "db.auth_failed", "db.error",
    "redis.error", "process.crash", "error.unclassified",
)  # fmt: skip
# Those that no single record tells: they are found among the tasks and records of a window, or where nothing matched.
FOUND_LATER = {"task.stuck_pending", "memory.worker_leak", "error.unclassified"}


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial(LIBRARY, parse_sample, LIBRARY.patterns)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_the_pattern_does_what_it_says(check: Check, trial: Trial) -> None:
    wrong = check.run(trial)
    assert not wrong, f"{check.where}: " + "; ".join(wrong)


@pytest.mark.parametrize("problem", sorted({*PROMISED, *LIBRARY.problems}))
def test_a_problem_has_a_name_a_runbook_and_known_consequences_in_both_languages(problem: str) -> None:
    assert problem in LIBRARY.problems
    entry = LIBRARY.problem(problem)
    assert entry.title["en"] and entry.title["zh"]
    assert {language for language, path in entry.runbooks.items() if path.read_text("utf-8").strip()} == {"en", "zh"}
    assert set(entry.leads_to) <= set(LIBRARY.problems)


def test_the_catalogue_alone_knows_the_problems_of_the_library() -> None:
    assert Catalogue.load().problems == LIBRARY.problems


@pytest.mark.parametrize("problem", sorted(set(PROMISED) - FOUND_LATER))
def test_a_promised_problem_has_a_pattern(problem: str) -> None:
    assert any(pattern.problem == problem for pattern in LIBRARY.patterns)


@pytest.mark.parametrize("pattern", [p for p in LIBRARY.patterns if p.keywords], ids=lambda p: p.id)
def test_every_branch_of_a_regex_on_words_has_a_keyword_that_lets_it_through(pattern: Pattern) -> None:
    on_words = [a for a in pattern.alternatives if a.regex and not a.by_class]
    lost = [
        f"{alternative.name}: {longer!r}"
        for alternative in on_words
        for pair in regex_branches.texts(alternative.regex or "")
        if not any(keyword in text for text in pair for keyword in pattern.keywords)
        for longer in [pair[1]]
    ]
    assert not lost, "no keyword occurs in " + "; ".join(lost)


@pytest.fixture(scope="module")
def one_hit_each() -> pl.DataFrame:
    """The first sample of every pattern as records."""
    frames = [parse_sample(p.hits[0].text, p.hits[0].source) for p in LIBRARY.patterns]
    return pl.concat(frames, how="diagonal_relaxed")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_order_of_pattern_files_does_not_matter(seed: int, one_hit_each: pl.DataFrame) -> None:
    patterns = list(LIBRARY.patterns)
    random.Random(seed).shuffle(patterns)
    shuffled = Library(patterns, LIBRARY.problems)
    assert [p.id for p in shuffled.patterns] == [p.id for p in LIBRARY.patterns]
    assert shuffled.classify(one_hit_each).equals(LIBRARY.classify(one_hit_each))


def test_neighbours_and_cuts_change_no_name(one_hit_each: pl.DataFrame) -> None:
    """A record is named alone as it is among others."""
    whole = LIBRARY.classify(one_hit_each)
    parts = [LIBRARY.classify(one_hit_each[at : at + 7]) for at in range(0, one_hit_each.height, 7)]
    assert pl.concat(parts).equals(whole)


def test_the_explanation_agrees_with_the_name(one_hit_each: pl.DataFrame) -> None:
    named = LIBRARY.classify(one_hit_each)["pattern"].to_list()
    assert [one.winner for one in LIBRARY.explain(one_hit_each)] == named


def test_an_ordinary_record_is_looked_at_by_hardly_any_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost guard of the shipped library: work is counted, not timed."""
    text = shard(Plan(size=10**6, layout="plain", problem_share=0.0), 0, 10**6)[0].decode()
    records = parse_sample(text, None)
    looked = 0
    hits = Conditions.hits

    def counted(self: Conditions, pairs: pl.DataFrame, columns: Columns, budget: Budget) -> pl.DataFrame:
        nonlocal looked
        looked += pairs.height
        return hits(self, pairs, columns, budget)

    monkeypatch.setattr(Conditions, "hits", counted)
    named = LIBRARY.classify(records)
    print(f"{looked / records.height:.3f} patterns looked at a benign record; {records.height} records")
    assert looked < records.height
    assert named["problem"].drop_nulls().is_empty()
