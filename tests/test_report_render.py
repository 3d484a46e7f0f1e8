"""Rendering: the JSON contract, the post-mortem, both languages, and nothing that the data does not say."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import tomllib
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from tests.report_samples import catalogue, report
from triage._data import data_dir
from triage.analyse.model import Impact
from triage.errors import UsageError
from triage.report import chain, charts, formats, lead, render, runbooks
from triage.report.parts import Buckets, Collection, Query, Report, Totals
from triage.report.texts import Texts
from triage.visible import visible

GOLD = Path(__file__).parent / "gold"


def matches_gold(name: str, text: str) -> None:
    """Compares with `tests/gold/<name>`; `GOLD=accept` writes it, and the change is read in the diff."""
    path = GOLD / name
    if os.environ.get("GOLD") == "accept":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; accept with GOLD=accept"


def empty() -> Report:
    """A window in which nothing was collected."""
    value = report()
    nothing: dict[str, Any] = {f.name: () for f in fields(Report) if isinstance(getattr(value, f.name), tuple)}
    query = Query("report_services", "SELECT 1", {})
    events = replace(
        value.events, timestamps_us=(), services=(), severities=(), problems=(), messages=(), record_ids=(), total=0
    )
    return replace(
        value,
        **nothing,
        totals=Totals(0, 0, 0, 0, 0, {}, query),
        collection=Collection(()),
        events=events,
        error_buckets=Buckets(()),
    )


def healthy() -> Report:
    """Records, and not one problem."""
    value, query = empty(), Query("report_services", "SELECT 1", {})
    return replace(
        value, totals=Totals(9120, 0, 0, 0, 9120, {"app": 9000, "db": 120}, query), services=report().services
    )


def test_summary_is_the_contract() -> None:
    matches_gold("summary.json", json.dumps(render.summary(report()), indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_postmortem_is_filled_in(lang: str) -> None:
    matches_gold(f"postmortem.{lang}.md", render.markdown(report(lang)))


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert render.html(report()) == render.html(report())


def test_page_for_an_empty_window_says_that_nothing_is_known() -> None:
    page = render.html(empty())
    assert "No records" in page and 'id="timeline"' not in page and 'id="events"' not in page
    assert ">No incident<" not in page


def test_page_for_a_healthy_window_says_what_was_checked_and_shows_no_empty_section() -> None:
    page = render.html(healthy())
    assert ">No incident<" in page and "Deadlock" in page.split('id="checked"')[1]
    for section in ("problems", "groups", "slow", "deadlocks", "tasks", "new", "unclassified", "alerts"):
        assert f'<section id="{section}"' not in page
    assert 'data-chart="' not in page


@pytest.mark.parametrize("make", [report, empty, healthy])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_output_renders_in_both_languages(make: object, lang: str) -> None:
    value = replace(make(), lang=lang, known=catalogue(lang))  # type: ignore[operator]
    assert render.html(value) and render.markdown(value) and render.summary(value)


def test_languages_have_the_same_texts() -> None:
    words = [
        tomllib.loads((data_dir("reports") / "incident" / "i18n" / f"{lang}.toml").read_text(encoding="utf-8"))
        for lang in ("en", "zh")
    ]
    english, chinese = ({f"{s}.{k}" for s, keys in w.items() for k in keys if not k.endswith("_one")} for w in words)
    assert english == chinese
    for section, keys in words[0].items():
        for name, text in keys.items():
            if name in words[1][section]:
                used = [set(re.findall(r"\{(\w+)\}", t)) for t in (text, words[1][section][name])]
                assert used[1] <= used[0] | {"n", "count", "start", "end"}, f"{section}.{name}"


def test_no_english_word_is_left_on_the_chinese_page() -> None:
    page = render.html(report("zh"))
    visible = re.sub(r"<(script|style|pre|code|svg|bdi|li)\b.*?</\1>|<[^>]+>", " ", page, flags=re.S)
    visible = re.sub(r"\b[\w.]*[._:][\w.:]*\b", " ", visible)
    for word in Texts("en").section("column").values():
        if len(word) > 4:
            assert not re.search(rf"\b{word}\b", visible), word


def test_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no report language 'fr'") as caught:
        render.html(replace(report(), lang="fr"))
    assert caught.value.hint == "choose one of en, zh"


HOSTILE = st.text(max_size=40) | st.sampled_from(["</script><script>alert(1)</script>", "<!--<script>", "\u2028", "&quot;", "\\u003c", "]]>", "{{ 7 * 7 }}", "\0", '"'])


@settings(max_examples=20, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=3))
def test_whatever_was_logged_the_pages_data_is_json_and_gives_it_back(said: list[str]) -> None:
    value = report()
    messages = tuple(said[row % len(said)] for row in range(len(value.events.messages)))
    page = render.html(replace(value, events=replace(value.events, messages=messages)))
    blocks = dict(re.findall(r'<script type="application/[a-z-]+" id="([a-z-]+)">([^<]*)</script>', page))
    assert isinstance(json.loads(blocks["page-data"]), dict)
    rows = json.loads(gzip.decompress(base64.b64decode(blocks["event-data"])))
    order = sorted(range(len(messages)), key=lambda row: value.events.services[row])
    assert rows["m"] == [visible(messages[row]) for row in order]


def test_policy_forbids_the_network_and_names_each_script() -> None:
    page = render.html(report())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy and "default-src &#39;none&#39;" in policy[1] and "unsafe" not in policy[1]
    assert policy[1].count("sha256-") == 3
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)


def test_spans_between_days_print_the_date() -> None:
    value = report()
    value = replace(value, end=value.start + timedelta(days=2))
    assert ">02-03 10:05:12<" in render.html(value)


def with_incident(value: Report, **changes: Any) -> Report:
    chapter = value.chapters[0]
    return replace(value, chapters=(replace(chapter, incident=replace(chapter.incident, **changes)),))


def test_incident_without_harm_says_so() -> None:
    value = with_incident(report(), impact=Impact(0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0))
    assert "No failed task or request" in render.html(value)


def test_incidents_that_overlap_are_not_added_up() -> None:
    value = report()
    twice = replace(value, chapters=(value.chapters[0],) * 2)
    shown = {key: number for key, number, _ in lead.figures(twice)}
    assert shown["failed_requests"] == value.failed_requests
    assert shown["failed_tasks"] == sum(task.failed for task in value.tasks)
    assert "users" not in shown and "users" in {key for key, _, _ in lead.figures(with_incident(value))}


def test_a_problem_hangs_under_another_only_where_a_direction_is_known() -> None:
    incident = report().chapters[0].incident
    names = [step.problem for step in incident.chain]
    tree = chain.unfolded(incident)
    assert [(link.step.problem, link.parent) for link in tree] == list(zip(names, [None, *names[:-1]], strict=True))
    assert [link.depth for link in tree] == [0, 1, 2, 3, 4] and not any(link.apart for link in tree)
    loose = chain.unfolded(replace(incident, chain=tuple(replace(step, caused_by=()) for step in incident.chain)))
    assert {link.depth for link in loose} == {0} and [link.apart for link in loose] == [False, True, False, False, False]


def test_an_effect_never_hangs_under_a_later_cause() -> None:
    incident = report().chapters[0].incident
    first, second, *rest = incident.chain
    swapped = (replace(first, caused_by=(second.problem,), role="effect"), replace(second, caused_by=()), *rest)
    links = {link.step.problem: link for link in chain.unfolded(replace(incident, chain=swapped))}
    assert links[first.problem].parent is None and len(links) == len(incident.chain)


def test_headline_says_the_worst_and_whether_it_is_over() -> None:
    value = report()
    texts = Texts("en", value.known)
    assert lead.headline(value, texts) == "2 incidents, the worst: deadlock in postgres"
    assert lead.state(value) == "over" and lead.state(with_incident(value, open=True)) == "on"
    one = replace(value, chapters=value.chapters[:1])
    assert lead.headline(one, texts) == "Deadlock in postgres"
    assert lead.headline(empty(), texts) == "No records" and lead.headline(healthy(), texts) == "No incident"
    assert lead.state(healthy()) is None


def test_columns_of_zeros_are_left_out() -> None:
    value = report()
    assert "never started" in render.html(value)
    tasks = tuple(replace(task, stuck=0) for task in value.tasks)
    impact = replace(value.chapters[0].incident.impact, by_task=(), stuck_tasks=0)
    assert "never started" not in render.html(replace(with_incident(value, impact=impact), tasks=tasks))


def test_of_too_many_lanes_the_weightiest_are_drawn_and_the_rest_counted() -> None:
    value = report()
    lanes = [replace(value.lanes[0], problem=f"db.p{k}", severity="warning", count=k + 1) for k in range(charts.LANES + 3)]
    lanes[0] = replace(lanes[0], severity="error")
    drawn = charts.shown(lanes)
    assert lanes[0] in drawn and lanes[1] not in drawn and len(drawn) == charts.LANES
    assert "3 rows with fewer records" in render.html(replace(value, lanes=tuple(lanes)))


def test_what_collectors_tell_is_said_in_the_language_of_the_page() -> None:
    told = "passed over /logs/a.json: one JSON document, not a log"
    assert Texts("en").told(told) == "Not read: /logs/a.json (one JSON document, not a log)."
    assert Texts("zh").told(told) == "未读取：/logs/a.json（一个 JSON 文档，不是日志）。"
    assert Texts("zh").told("nobody foresaw this") == "nobody foresaw this"
    removed = "gap: <b>: it was removed before its last lines were read"
    assert Texts("zh").told(removed) == "<b> 在读到最后几行之前被移除。"


def test_sentences_of_collectors_are_those_that_they_say() -> None:
    """One that is reworded there would stand in English on the Chinese page."""
    root = Path(render.__file__).parents[1]
    code = "".join(p.read_text(encoding="utf-8") for part in ("collect", "state") for p in (root / part).glob("*.py"))
    code = re.sub(r'"\s*\n\s*f?"', "", code)  # literals over two lines
    told = tomllib.loads((data_dir("reports") / "incident" / "i18n" / "told.toml").read_text(encoding="utf-8"))
    for name, sentence in told.items():
        for piece in re.split(r"\{\w+\}", sentence):
            assert piece in code, (name, piece)


def test_chinese_and_latin_words_stand_apart() -> None:
    assert Texts("zh").spaced(Markup("由celery的<b>AI 服务</b>引发")) == "由 celery 的 <b>AI 服务</b>引发"
    assert Texts("en").spaced(Markup("一a")) == "一a"


def test_claims_are_translated() -> None:
    assert "It is known to lead to task timed out" in render.html(report())
    assert "已知它会引发随后出现的" in render.html(report("zh"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (4.21, "4.2 ms"),
        (812.4, "812 ms"),
        (9011.0, "9.01 s"),
        (48211.0, "48.2 s"),
        (245_000.0, "4 min 05 s"),
    ],
)
def test_durations_have_three_figures(value: float | None, text: str) -> None:
    assert formats.ms(value) == text


def test_sql_literals_cannot_be_left() -> None:
    query = Query("q", "SELECT $a, $ab, $t", {"a": "x' OR 'y", "ab": [1, 2], "t": datetime(2026, 1, 1, tzinfo=UTC)})
    assert formats.inlined(query) == "SELECT 'x'' OR ''y', [1, 2], TIMESTAMPTZ '2026-01-01 00:00:00+00:00'"


def test_shell_command_quotes_its_parameters() -> None:
    assert formats.command(Query("q", "", {"a": "it's; rm"})) == "triage sql --name q -p a='it'\\''s; rm'"


def test_runbook_fills_names_in_but_no_shell_words() -> None:
    text = "docker logs {{container}} --since <since>\npsql -c \"… job_id = 'your_job_id'\""
    filled = runbooks.fill(text, {"container": "jointo-server-app", "job_id": "x'; DROP TABLE ai_jobs; --"})
    assert "docker logs jointo-server-app --since <since>" in filled and "your_job_id" in filled


def test_cut_text_says_how_much_is_missing() -> None:
    assert formats.shorten("abcdef", 4) == "abcd … (+2)"


def test_reading_direction_marks_become_visible() -> None:
    assert visible("a\u202eb\x1b[0m\n\tc") == "a⟨U+202E⟩b␛[0m\n\tc"


def test_page_weighs_little_for_a_hundred_thousand_events() -> None:
    from tests.report_samples import events

    size = len(render.html(replace(report(), events=events(100_000))).encode())
    print(f"report of 100,000 events: {size / 1e6:.2f} MB")
    assert size < 3_000_000


def test_contract_shape() -> None:
    """The keys that other programs rely on, and their types."""
    count = {"type": ["integer", "null"]}
    schema = {
        "required": [
            "window",
            "totals",
            "problems",
            "incidents",
            "slow_queries",
            "deadlocks",
            "new_templates",
            "unclassified_errors",
            "collection",
        ],
        "properties": {
            "window": {"required": ["start", "end"]},
            "totals": {"required": ["records", "errors", "by_service"]},
            "problems": {"items": {"required": ["problem", "count", "first_seen", "last_seen", "services"]}},
            "incidents": {
                "items": {
                    "required": ["id", "start", "end", "problems", "suspected_cause", "impact"],
                    "properties": {
                        "suspected_cause": {"required": ["problem", "service", "first_seen", "confidence", "evidence"]},
                        "impact": {
                            "required": ["failed_tasks", "failed_requests", "users", "jobs"],
                            "properties": dict.fromkeys(("failed_tasks", "failed_requests", "users", "jobs"), count),
                        },
                    },
                }
            },
            "slow_queries": {
                "items": {"required": ["fingerprint", "query", "count", "total_ms", "mean_ms", "p95_ms", "max_ms"]}
            },
            "deadlocks": {"items": {"required": ["timestamp", "processes", "victim"]}},
            "collection": {"required": ["origins", "gaps", "duplicates", "truncated", "undecodable"]},
        },
    }
    jsonschema.validate(render.summary(report()), schema)


def test_every_claim_of_the_analysis_has_its_text_in_both_languages() -> None:
    """A claim without one would stand in English on the Chinese page."""
    source = (Path(render.__file__).parents[1] / "analyse" / "causes.py").read_text(encoding="utf-8")
    kinds = set(re.findall(r'"([a-z_]+)",\s*\{|\(\), "([a-z_]+)"\)', source))
    kinds = {name for pair in kinds for name in pair if name}
    assert {"onset", "leads_to", "no_upstream"} <= kinds
    for lang in ("en", "zh"):
        assert kinds <= set(Texts(lang).section("claim"))
