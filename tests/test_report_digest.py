"""The digest: what counts as a change, and that its e-mail needs nothing but itself."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.report_samples import catalogue, report
from tests.test_report_render import matches_gold
from triage.report import digest
from triage.report.digest import Change, Digest
from triage.report.texts import Texts


def change(title: str, today: int, per_day: float) -> Change:
    return Change("00ab", title, "db.deadlock" if "deadlock" in title else None, ("jointo-server-app",), today, per_day)


def sample(lang: str = "en") -> Digest:
    value = report(lang)
    return Digest(
        day=date(2026, 2, 3),
        lang=lang,
        records=481_213,
        errors=240,
        errors_per_day=31.4,
        base_days=7,
        incidents=value.incidents,
        new=(change("deadlock detected", 14, 0), change("KeyError: <str> in <module>", 3, 0)),
        rising=(change("QueuePool limit of size <n> overflow <n> reached", 62, 4.2),),
        falling=(),
        gone=(change("connection to server lost", 0, 18.0),),
        slow_queries=value.slow_queries,
        tasks=value.tasks[:1],
        busiest=digest.Busiest(value.start, 4123, 61),
        alerts=value.alerts,
        queries=(),
        known=catalogue(lang),
        days=tuple(digest.Day(date(2026, 2, 3) - timedelta(days=k), 400_000 * (k != 5), (240, 31, 28, 40, 22, 0, 35, 30)[k]) for k in range(7, -1, -1)),
    )


@pytest.mark.parametrize(
    ("today", "per_day", "kind"),
    [
        (1, 0, "new"),
        (0, 20, "gone"),
        (0, 0.3, "steady"),
        (100, 20, "rising"),
        (30, 20, "steady"),  # within chance
        (3, 40, "falling"),
        (6, 2, "steady"),  # too few to mean anything
    ],
)
def test_change_must_be_more_than_chance(today: int, per_day: float, kind: str) -> None:
    assert digest.kind(change("x", today, per_day)) == kind


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_markdown_is_golden(lang: str) -> None:
    matches_gold(f"digest.{lang}.md", digest.markdown(sample(lang)))


def test_json_and_slack_are_golden() -> None:
    made = {"json": digest.summary(sample()), "slack": digest.slack(sample())}
    matches_gold("digest.json", json.dumps(made, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_email_has_no_script_no_sheet_and_loads_nothing(lang: str) -> None:
    page = digest.html(sample(lang))
    assert not re.search(r"<script|<style|<link|<img|url\(|src=|https?://|class=", page)
    assert "deadlock detected" in page


def test_log_text_is_escaped_everywhere() -> None:
    value = replace(sample(), new=(change("<script>alert(1)</script> | *x*", 9, 0),))
    assert "<script>" not in digest.html(value)
    assert "<script>" not in digest.markdown(value) and "\\|" in digest.markdown(value)
    assert "<script>" not in json.dumps(digest.slack(value))


def test_days_without_records_and_without_errors_say_so() -> None:
    empty: Any = dict.fromkeys(("incidents", "new", "rising", "gone", "slow_queries", "tasks", "alerts"), ())
    nothing = replace(sample(), records=0, errors=0, busiest=None, **empty)
    texts = Texts("en")
    assert digest.headline(nothing, texts).startswith("No records on 2026-02-03")
    assert digest.headline(replace(nothing, records=9), texts) == "A quiet day: no error among 9 records."
    assert "<table width" not in digest.html(nothing)


def test_without_a_past_nothing_is_called_new() -> None:
    text = digest.against(replace(sample(), base_days=0, new=()), Texts("en"))
    assert "nothing before it" in text
