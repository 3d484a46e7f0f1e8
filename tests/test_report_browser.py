"""The report in a real browser: from disk, asking nothing of the network, usable by mouse, keyboard and reader."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report_samples import events, report
from triage.report import render
from triage.report.charts import LABELS, LANES
from triage.report.parts import Report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
if not CHROMIUM and os.environ.get("CI") != "true":
    pytest.skip("needs Chromium (apt-get install chromium)", allow_module_level=True)
HOSTILE = (
    "<script>window.hacked=1</script></script><img src=x onerror='window.hacked=1'>{{ 7*7 }}{% raw %}"
    "\"'`\x1b[31mred\x1b[0m\u202egnp.exe\u200b\u2028]]><!-- \u0000 ${window.hacked=1} &lt;b&gt;"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield instance
        instance.close()


class Page:
    """A page with everything it said and asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        options.setdefault("viewport", {"width": 1280, "height": 900})
        self.context = browser.new_context(timezone_id="Asia/Shanghai", reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready=all]", timeout=30_000)


@pytest.fixture
def open_report(browser: Any, tmp_path: Path) -> Iterator[Any]:
    pages: list[Page] = []

    def opened(value: Report, **options: Any) -> Page:
        path = tmp_path / "report.html"
        path.write_text(render.html(value), encoding="utf-8")
        pages.append(Page(browser, path, **options))
        return pages[-1]

    yield opened
    for page in pages:
        page.context.close()


def test_opens_from_disk_silently_and_asks_for_nothing_else(open_report: Any) -> None:
    page = open_report(report())
    assert page.said == []
    assert [url for url in page.asked if not url.startswith("file://")] == [] and len(page.asked) == 1
    assert page.page.locator(".chart svg").count() == 3


def test_first_screen_of_a_laptop_says_what_happened_and_shows_the_timeline(open_report: Any) -> None:
    value = report()
    crowded = tuple(replace(value.lanes[k % len(value.lanes)], problem=f"db.p{k}") for k in range(LANES))
    page = open_report(replace(value, lanes=crowded), viewport={"width": 1280, "height": 720}).page
    box = page.locator("#chart-timeline").bounding_box()
    assert page.inner_text("h1") == "2 incidents, the worst: deadlock in postgres over"
    assert "It almost certainly began with deadlock" in page.inner_text("#summary")
    assert box["y"] + box["height"] <= 720


def test_equal_times_stand_above_each_other_in_all_charts(open_report: Any) -> None:
    value = report()
    # The last label stands near the right edge and would hang over it.
    page = open_report(replace(value, axis=replace(value.axis, steps=value.axis.steps + 1))).page
    bands = page.eval_on_selector_all(
        ".chart",
        """hosts => hosts.map(host => [...host.querySelectorAll('path')]
            .filter(path => +path.getAttribute('fill-opacity') === 0.09)
            .map(path => path.getBoundingClientRect()).flatMap(box => [box.left, box.right]))""",
    )
    assert len(bands) > 2 and len(bands[0]) == 4
    assert all(places == pytest.approx(bands[0], abs=1) for places in bands)


def drag(page: Any, low: float, high: float) -> None:
    """Drags over the timeline's plot, from one share of it to another."""
    box = page.locator("#chart-timeline").bounding_box()
    left, width = box["x"] + LABELS, box["width"] - LABELS
    page.mouse.move(left + width * low, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(left + width * (low + high) / 2, box["y"] + 30, steps=4)
    page.mouse.move(left + width * high, box["y"] + 30, steps=4)
    page.mouse.up()
    page.wait_for_timeout(150)


def test_dragging_filters_everything_below_and_counts_exactly(open_report: Any) -> None:
    value = report()
    page = open_report(value).page
    drag(page, 0.6, 0.75)
    assert page.locator("#inc-20260203T100512Z").is_hidden() and page.locator("#inc-20260203T101800Z").is_visible()
    assert page.locator("#problem-db-deadlock").is_hidden()
    assert page.inner_text("#problem-provider-rate_limited .c").split() == ["88", "/", "88"]
    selection = page.inner_text("#selection")
    assert "10:18" in selection or "10:17" in selection
    shown = int(page.inner_text("#matches").split()[0].replace(",", ""))
    assert 200 < shown < 400
    assert page.locator("#deadlocks").is_hidden() and page.locator("#problems").is_visible()
    assert page.locator("#tasks .of-window").is_visible()
    page.click("#clear")
    page.wait_for_timeout(150)
    assert page.locator("#deadlocks").is_visible() and page.locator("#tasks .of-window").is_hidden()
    assert page.locator("#problem-db-deadlock").is_visible()
    assert page.inner_text("#matches").startswith("2,000 of")


def test_keyboard_selects_zooms_and_lets_go(open_report: Any) -> None:
    page = open_report(report()).page
    page.focus("#chart-timeline")
    page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.wait_for_timeout(100)
    assert "10:00:00 – 10:00:40" in page.inner_text("#selection")
    page.keyboard.press("Enter")
    page.wait_for_timeout(100)
    assert page.locator("#reset").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_timeout(100)
    assert page.inner_text("#selection") == "" and page.locator("#reset").is_hidden()


def test_a_cell_shows_its_records_and_a_click_goes_to_its_evidence(open_report: Any) -> None:
    page = open_report(report()).page
    cell = page.locator("#chart-timeline path[fill='#b3261e'], #chart-timeline path[fill='rgb(179, 38, 30)']").nth(3)
    cell.hover(force=True)
    page.wait_for_selector("#tip b")
    shown = page.inner_text("#tip")
    assert " · jointo-server-" in shown and " record" in shown and len(shown.splitlines()) == 3
    cell.click(force=True)
    page.wait_for_timeout(100)
    assert "#inc-20260203T100512Z-" in page.url


def test_later_cards_are_folded_and_a_link_to_one_opens_it(open_report: Any) -> None:
    page = open_report(report()).page
    cards = page.locator(".incident").first.locator(".card")
    assert cards.nth(0).locator(".cols").is_visible() and not cards.nth(3).locator(".cols").is_visible()
    page.locator(".incident").first.locator(".chain a").nth(4).click()
    page.wait_for_timeout(100)
    assert cards.nth(4).locator(".cols").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert cards.nth(3).locator(".cols").is_visible()


def test_search_finds_among_a_hundred_thousand_and_opens_quickly(open_report: Any) -> None:
    value = replace(report(), events=events(100_000))
    opened = open_report(value)
    page = opened.page
    ready = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert ready < 2000
    assert page.locator("#grid .row").count() < 80
    times = page.locator("#grid .pad .row > :first-child").all_inner_texts()
    assert len(times) > 10 and times == sorted(times)
    page.fill("#search", "deadlock detected")
    page.wait_for_timeout(400)
    count = int(page.inner_text("#matches").split()[0].replace(",", ""))
    assert 0 < count < 100_000
    assert "deadlock detected" in page.locator("#grid .row .msg").first.inner_text()
    page.focus("#grid")
    page.keyboard.press("End")
    page.wait_for_timeout(150)
    assert page.locator("#grid .row.at").count() == 1
    assert "triage sql" in page.inner_text("#event")
    assert opened.said == []


def test_copy_buttons_copy(open_report: Any) -> None:
    page = open_report(report(), permissions=["clipboard-read", "clipboard-write"]).page
    page.locator(".runbook button.copy").first.click()
    page.wait_for_timeout(100)
    assert "docker logs jointo-server-postgres" in page.evaluate("navigator.clipboard.readText()")


def test_show_query_shows_a_command_and_its_sql(open_report: Any) -> None:
    page = open_report(report()).page
    page.locator("#problems details.query summary").click()
    text = page.inner_text("#problems details.query")
    assert "triage sql --name problems -p since=2026-02-03T10:00:00.000000Z" in text
    assert "TIMESTAMPTZ '2026-02-03 10:00:00+00:00'" in text and "$since" not in text


def test_local_time_and_back(open_report: Any) -> None:
    page = open_report(report()).page
    page.click("#zone")
    page.wait_for_timeout(300)
    assert page.inner_text(".window").startswith("2026-02-03 18:00")
    assert "18:10" in page.locator("#chart-timeline svg").text_content()
    page.click("#zone")
    assert page.inner_text(".window").startswith("2026-02-03 10:00")


@pytest.mark.parametrize(
    ("lang", "scheme", "width"),
    [("en", "light", 1280), ("zh", "dark", 1280), ("en", "dark", 390), ("zh", "light", 390)],
)
def test_no_serious_accessibility_issue_and_no_sideways_scroll(
    open_report: Any, lang: str, scheme: str, width: int
) -> None:
    from axe_playwright_python import sync_playwright as axe

    opened = open_report(report(lang), color_scheme=scheme, viewport={"width": width, "height": 800})
    script = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    opened.page.evaluate(script)
    result = opened.page.evaluate("axe.run()")
    grave = [
        (v["id"], v["nodes"][0]["html"][:200], v["nodes"][0]["failureSummary"])
        for v in result["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert grave == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def hostile_report() -> Report:
    value = report()
    record = replace(value.groups[0].example, body=HOSTILE + "x" * 1_000_000, message=HOSTILE, service=HOSTILE)
    group = replace(value.groups[0], title=HOSTILE, example=record, exception_type=HOSTILE, services=(HOSTILE,))
    lane = replace(value.lanes[0], service=HOSTILE, example=HOSTILE)
    chapter = value.chapters[0]
    card = replace(
        chapter.cards[0], evidence=(replace(chapter.cards[0].evidence[0], record=record),), services=(HOSTILE,)
    )
    chapter = replace(chapter, cards=(card,))
    columns = replace(value.events, messages=(HOSTILE,) * value.events.total, service_names=(HOSTILE,) * 6)
    return replace(
        value,
        groups=(group,),
        lanes=(lane,),
        chapters=(chapter,),
        events=columns,
        slow_queries=(replace(value.slow_queries[0], query=HOSTILE, example=HOSTILE),),
    )


def test_hostile_records_are_inert_and_visible(open_report: Any) -> None:
    opened = open_report(hostile_report())
    assert opened.page.evaluate("window.hacked") is None
    assert opened.said == []
    assert opened.page.locator("img").count() == 0
    text = opened.page.locator("#groups details.more summary").first.text_content()
    assert "<script>" in text and "{{ 7*7 }}" in text
    assert "⟨U+202E⟩" in text and "␛[31m" in text
    assert "⟨U+202E⟩" in opened.page.locator("#grid .msg").first.inner_text()


def test_prints_with_nothing_folded_away(open_report: Any) -> None:
    page = open_report(report()).page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#groups pre").first.is_visible()
    assert page.locator(".toc").is_hidden()
    assert page.locator("details:not([open])").count() == 0
    assert page.locator(".card .runbook").last.is_visible() and page.locator("details.query pre").first.is_visible()
    assert page.inner_text("#printed") == "The first 500 of 2,000 records that the filter left."
    assert len(page.pdf()) > 50_000


def test_dark_follows_the_system_and_the_switch(open_report: Any) -> None:
    page = open_report(report(), color_scheme="dark").page
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_without_script_text_and_tables_remain(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render.html(report()), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("#problems tbody tr").count() == 9 and page.locator("#timeline").is_hidden()
    context.close()
