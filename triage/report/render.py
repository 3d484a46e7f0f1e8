"""A report as a page, as the JSON of the contract, or as a post-mortem. Renders what the model computed, no more.

The page is one file: style, script, chart library and events are inside, a Content-Security-Policy names them by
hash and forbids everything else, the network above all.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from datetime import timedelta
from functools import cache, partial
from typing import Any

import jinja2
from markupsafe import Markup

from triage._data import data_dir
from triage.analyse.model import Step
from triage.report import chain, charts, events, formats, lead, prose, runbooks
from triage.report.contract import summary
from triage.report.parts import Report, Series
from triage.report.texts import Texts
from triage.visible import visible

__all__ = ["html", "markdown", "summary", "vega_packed"]

UNKNOWN = "(unknown)"  # the task of which no record gives the name, as the queries have it
_TONES = {"critical": "error", "error": "error", "warning": "warning"}
_CJK_LOCALE = {
    "dateTime": "%Y-%m-%d %X",
    "date": "%Y-%m-%d",
    "time": "%H:%M:%S",
    "periods": ["上午", "下午"],
    "days": ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"],
    "shortDays": ["周日", "周一", "周二", "周三", "周四", "周五", "周六"],
    "months": [f"{n}月" for n in range(1, 13)],
    "shortMonths": [f"{n}月" for n in range(1, 13)],
}


def html(report: Report) -> str:
    """The whole page."""
    texts = Texts(report.lang, report.known)
    style, script = _asset("style.css"), f"(() => {{{_asset('script.js')}{_asset('events.js')}}})();"
    library = gzip.decompress(vega_packed()).decode()
    environment = _environment(report, texts)
    return environment.get_template("incident/report.html.j2").render(
        report=report,
        csp=_policy(style, [script, library]),
        style=Markup(style),
        script=Markup(script),
        vega_code=base64.b64encode(vega_packed()).decode() if report.drawn else "",
        event_data=_packed(events.columns_json(report.events)) if report.events.total else "",
        page_data=Markup(formats.script_json(_page_data(report, texts))),
        headline=lead.headline(report, texts),
        state=lead.state(report),
        paragraphs=lead.paragraphs(report, texts),
        figures=lead.figures(report),
        figure_queries=lead.queries(report),
        contents=prose.contents(report, texts),
        severities=[s for s in ("error", "warning") if any(_TONES.get(lane.severity) == s for lane in report.lanes)],
        step=prose.step(report.axis.step_s, texts),
        glossary=prose.glossary(report, texts),
        hidden_lanes=max(0, len(report.lanes) - charts.LANES),
        families=prose.families(report, texts),
        unfolded=chain.unfolded,
        r_is_warning=lambda record: record.severity_number < 17,
    )


def markdown(report: Report) -> str:
    """A post-mortem with what the logs know filled in, and empty boxes for what only people know."""
    texts = Texts(report.lang, report.known)
    environment = _environment(report, texts, escape=False)
    return environment.get_template("incident/postmortem.md.j2").render(
        report=report,
        paragraphs=[p.striptags() for p in lead.paragraphs(report, texts)],
        headline=lead.headline(report, texts),
        state=lead.state(report),
        story=lead.story(report, texts),
        services=formats.distinct(service for i in report.incidents for service in i.services),
        commands=runbooks.commands,
        runbook_list=prose.runbook_list,
    )


@cache
def vega_packed() -> bytes:
    """Vega, Vega-Lite, the embedder and its expression interpreter in one script, as gzip."""
    return (data_dir("reports") / "vega" / "vega.js.gz").read_bytes()


@cache
def _asset(name: str) -> str:
    return (data_dir("reports") / "incident" / name).read_text(encoding="utf-8")


def _packed(text: str) -> str:
    """gzip in base64: events shrink to about a sixth, and at the highest level, for three times the time, no further."""
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def _policy(style: str, scripts: list[str]) -> str:
    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; script-src {' '.join(digest(s) for s in scripts)}; style-src {digest(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _page_data(report: Report, texts: Texts) -> dict[str, Any]:
    return {
        "text": dict(texts.section("script")),
        "axis": {
            "start": int(report.axis.start.timestamp() * 1000),
            "step_s": report.axis.step_s,
            "steps": report.axis.steps,
        },
        "many_days": report.many_days,
        "columns": [texts.t(f"column.{name}") for name in ("time", "service", "severity", "problem", "message")],
        "charts": charts.specs(report, texts),
        "lanes": [
            {
                "title": texts.title(lane.problem),
                "problem": lane.problem,
                "service": lane.service,
                "example": formats.shorten(lane.example, 160),
            }
            for lane in charts.shown(report.lanes)
        ],
        "bands": [f"{prose.incident_name(report, i, texts)} {prose.headline(i, texts)}" for i in report.incidents],
        "marks": [{"service": m.service, "detail": prose.mark(m, texts)} for m in report.marks],
        "series": {
            s.name: {"unit": s.unit, "names": _series_names(s, texts)}
            for s in report.series
        },
        "labels": charts.LABELS,
        "title_width": charts.TITLE,
        "short": charts.short_names(list(report.totals.by_service)),
        "time_locale": _CJK_LOCALE if report.lang == "zh" else None,
    }


def _environment(report: Report, texts: Texts, escape: bool = True) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_dir("reports")),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(t=texts.t, n=texts.n, markdown_cell=prose.markdown_cell)
    severity = {lane.problem: lane.severity for lane in report.lanes}
    short = charts.short_names(list(report.totals.by_service))
    environment.filters.update(
        iso=formats.iso,
        clock=partial(formats.clock, many_days=report.many_days),
        number=formats.number,
        ms=formats.ms,
        quantity=formats.quantity,
        seconds=formats.seconds,
        shorten=formats.shorten,
        visible=visible,
        slug=formats.slug,
        pairs=formats.pairs,
        origin=formats.origin,
        told=texts.told,
        task_name=lambda name: texts.t("task.unknown") if name == UNKNOWN else name,
        spark=partial(formats.spark, axis=report.axis),
        command=formats.command,
        inlined=formats.inlined,
        title=texts.title,
        short=lambda service: short.get(service, service),
        duration=texts.duration,
        span=lambda value: texts.duration(timedelta(seconds=value)),
        claims=partial(prose.claims, texts=texts),
        alert_name=partial(prose.alert_name, texts=texts),
        tone_of=lambda name: _TONES.get(name, "info"),
        tone=lambda step: _step_tone(step, severity),
        meaning=runbooks.meaning,
        titles=lambda names: texts.join([texts.title(name) for name in names]),
        filled=prose.filled,
        clocks=partial(prose.clocks, texts=texts),
        headline=partial(prose.headline, texts=texts),
        incident_name=lambda incident: prose.incident_name(report, incident, texts),
        impact=partial(prose.impact, texts=texts),
        series_names=partial(_series_names, texts=texts),
        growth=partial(prose.growth, texts=texts),
        runbook_html=lambda book: runbooks.with_copy_buttons(book.html, texts.t("page.copy")),
    )
    return environment


def _series_names(series: Series, texts: Texts) -> list[str]:
    short = charts.short_names(series.names) if series.verbatim else {}
    return [short.get(name, name) for name in prose.series_names(series, texts)]


def _step_tone(step: Step, severity: dict[str, str]) -> str:
    return _TONES.get(severity.get(step.problem, "error"), "info")
