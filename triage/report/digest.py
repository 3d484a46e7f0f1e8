"""The digest: one day in one page against the days before it, as e-mail HTML, Markdown, JSON or Slack blocks.

A group is new when none of the days before had it, gone when the day has none of what used to be frequent, rising
or falling when its count is further from the daily mean than chance explains; all others stay out of the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import jinja2

from triage import analyse
from triage._data import data_dir
from triage.analyse import Alert, Incident, Settings, SlowQuery, TaskSummary, Window
from triage.report import formats, prose
from triage.report.model import Library
from triage.report.parts import Problem, Query
from triage.report.sources import Source
from triage.report.texts import Texts, catalogue

if TYPE_CHECKING:
    from triage.query.session import Session

BASE_DAYS = 7
LISTED = 12  # of each kind; a digest that needs scrolling is not read
SIGMA = 3.0
AT_LEAST = 5  # records of change: 1 against 0 is chance
BAR, DAY_HEIGHT = 160, 44  # pixels of the longest bar, and of the highest of a day


@dataclass(frozen=True, slots=True)
class Change:
    """An error group, that day and on a usual day before."""

    fingerprint: str
    title: str
    problem: str | None
    services: tuple[str, ...]
    today: int
    per_day: float


@dataclass(frozen=True, slots=True)
class Busiest:
    minute: datetime
    records: int
    errors: int


@dataclass(frozen=True, slots=True)
class Day:
    """What was counted on one of the days; a day without records was not collected."""

    day: date
    records: int
    errors: int


@dataclass(frozen=True, slots=True)
class Digest:
    """A day, with only what is worth a line. `base_days` counts the days before that have any records."""

    day: date
    lang: str
    records: int
    errors: int
    errors_per_day: float
    base_days: int
    incidents: tuple[Incident, ...]
    new: tuple[Change, ...]
    rising: tuple[Change, ...]
    falling: tuple[Change, ...]
    gone: tuple[Change, ...]
    slow_queries: tuple[SlowQuery, ...]
    tasks: tuple[TaskSummary, ...]
    busiest: Busiest | None
    alerts: tuple[Alert, ...]
    queries: tuple[Query, ...]
    known: Mapping[str, Problem]
    days: tuple[Day, ...] = ()  # those before and this one, oldest first


def build(
    session: Session, day: date, library: Library, lang: str = "en", thresholds: Settings | None = None
) -> Digest:
    """The digest of a UTC day."""
    start = datetime.combine(day, time(), UTC)
    window = Window(start, start + timedelta(days=1))
    source = Source(session, window.start, window.end)
    known = catalogue(library.problems, lang)
    base = start - timedelta(days=BASE_DAYS)
    days_query = source.query("digest_days", since=base, until=window.end)
    days = {row["date"]: row for row in source.rows(days_query)}
    before = [row for when, row in days.items() if when < day]
    groups_query = source.query("digest_groups", since=base, day=start, until=window.end)
    changes = [_change(row, len(before)) for row in source.rows(groups_query)]
    busiest_query = source.query("digest_busiest_minute", **source.window)
    busiest = [Busiest(row["minute"], row["records"], row["errors"]) for row in source.rows(busiest_query)]
    tasks = analyse.task_summaries(analyse.task_table(session, window))
    return Digest(
        day=day,
        lang=lang,
        records=days[day]["records"] if day in days else 0,
        errors=days[day]["errors"] if day in days else 0,
        errors_per_day=sum(row["errors"] for row in before) / len(before) if before else 0.0,
        base_days=len(before),
        incidents=analyse.incidents(session, window, {name: p.leads_to for name, p in known.items()}, thresholds),
        new=_kind(changes, "new") if before else (),  # without a past, everything would be new
        rising=_kind(changes, "rising"),
        falling=_kind(changes, "falling"),
        gone=_kind(changes, "gone"),
        slow_queries=analyse.slow_queries(session, window, most=LISTED),
        tasks=tuple(sorted((t for t in tasks if t.failed), key=lambda t: (-t.failed, t.task_name)))[:LISTED],
        busiest=busiest[0] if busiest else None,
        alerts=tuple(alert for alert in analyse.alerts(session, window, thresholds) if alert.firing),
        queries=(days_query, groups_query, busiest_query),
        known=known,
        days=_days(days, base.date(), day),
    )


def _days(rows: Mapping[date, Mapping[str, Any]], first: date, last: date) -> tuple[Day, ...]:
    every = (first + timedelta(days=k) for k in range((last - first).days + 1))
    return tuple(Day(day, rows[day]["records"], rows[day]["errors"]) if day in rows else Day(day, 0, 0) for day in every)


def _change(row: dict[str, Any], base_days: int) -> Change:
    title = row["template"] or row["exception_type"] or ""
    per_day = row["before"] / base_days if base_days else 0.0
    return Change(
        f"{row['fingerprint'] or 0:016x}", title, row["problem"], tuple(row["services"]), row["today"], per_day
    )


def kind(change: Change) -> str:
    """new, gone, rising, falling or steady. Counts of rare events vary by the square root of their mean."""
    if not change.per_day:
        return "new"
    difference = change.today - change.per_day
    if abs(difference) < AT_LEAST or abs(difference) < SIGMA * math.sqrt(change.per_day):
        return "steady"
    if not change.today:
        return "gone"
    return "rising" if difference > 0 else "falling"


def _kind(changes: Sequence[Change], name: str) -> tuple[Change, ...]:
    chosen = [change for change in changes if kind(change) == name]
    return tuple(sorted(chosen, key=lambda c: (-abs(c.today - c.per_day), c.fingerprint))[:LISTED])


def html(digest: Digest) -> str:
    """For e-mail: styles on the elements, tables for layout and bars, no script, nothing to load."""
    return _template(digest, "digest/digest.html.j2", escape=True)


def markdown(digest: Digest) -> str:
    return _template(digest, "digest/digest.md.j2", escape=False)


def summary(digest: Digest) -> dict[str, Any]:
    """The digest as JSON."""

    def changes(rows: Sequence[Change]) -> list[dict[str, Any]]:
        return [
            {
                "fingerprint": c.fingerprint,
                "template": c.title,
                "problem": c.problem,
                "services": list(c.services),
                "today": c.today,
                "per_day": round(c.per_day, 3),
            }
            for c in rows
        ]

    return {
        "date": digest.day.isoformat(),
        "totals": {
            "records": digest.records,
            "errors": digest.errors,
            "errors_per_day": round(digest.errors_per_day, 3),
        },
        "base_days": digest.base_days,
        "days": [{"date": d.day.isoformat(), "records": d.records, "errors": d.errors} for d in digest.days],
        "incidents": [
            {
                "id": i.id,
                "problem": prose.lead_problem(i),
                "start": formats.rfc3339(i.start),
                "end": formats.rfc3339(i.end),
            }
            for i in digest.incidents
        ],
        **{name: changes(getattr(digest, name)) for name in ("new", "rising", "falling", "gone")},
        "slow_queries": [
            {
                "fingerprint": q.fingerprint,
                "query": q.query,
                "count": q.count,
                "total_ms": q.total_ms,
                "max_ms": q.max_ms,
            }
            for q in digest.slow_queries
        ],
        "failing_tasks": [{"task": t.task_name, "failed": t.failed, "tasks": t.tasks} for t in digest.tasks],
        "busiest_minute": digest.busiest
        and {
            "minute": formats.rfc3339(digest.busiest.minute),
            "records": digest.busiest.records,
            "errors": digest.busiest.errors,
        },
        "alerts": [{"rule": a.rule, "value": a.value, "threshold": a.threshold} for a in digest.alerts],
    }


def slack(digest: Digest) -> dict[str, Any]:
    """Slack's Block Kit; each text stays under its limit of 3,000 characters."""
    texts = Texts(digest.lang, digest.known)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": f"{texts.t('digest.title')} {digest.day}"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": _slack_safe(headline(digest, texts))}},
    ]
    for name in ("new", "rising", "falling", "gone"):
        rows = getattr(digest, name)
        if rows:
            lines = [f"*{texts.t(f'digest.{name}')}*"]
            lines += [f"• {c.today:,} ({c.per_day:,.1f}) {_slack_safe(_title(c, texts))}" for c in rows[:8]]
            blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)[:2900]}})
    blocks += [
        {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join((f"*{title}*", *lines))[:2900]}}
        for title, lines in _slack_lists(digest, texts)
        if lines
    ]
    return {"text": headline(digest, texts), "blocks": blocks}


def _slack_lists(digest: Digest, texts: Texts) -> list[tuple[str, list[str]]]:
    """What stands below the changes: title and lines, empty where there is nothing."""
    alerts = [
        f"• {_slack_safe(prose.alert_name(a.rule, texts))}: {formats.quantity(a.value, a.unit)} "
        f"({texts.t('column.threshold')} {formats.quantity(a.threshold, a.unit)})"
        for a in digest.alerts
    ]
    slow = [
        f"• {q.count:,} × {formats.ms(q.mean_ms)}: {_slack_safe(formats.shorten(' '.join(q.query.split()), 160))}"
        for q in digest.slow_queries[:5]
    ]
    tasks = [f"• {t.failed:,} / {t.tasks:,} {_slack_safe(t.task_name)}" for t in digest.tasks[:8]]
    titles = (texts.t("section.alerts"), texts.t("digest.slow"), texts.t("digest.tasks"))
    return list(zip(map(str, titles), (alerts, slow, tasks), strict=True))


def headline(digest: Digest, texts: Texts) -> str:
    """The day in a sentence or two, without markup."""
    if not digest.records:
        return str(texts.t("digest.empty", day=digest.day))
    if not digest.errors:
        return str(texts.t("digest.clean", records=f"{digest.records:,}"))
    count = len(digest.incidents)
    said = texts.t(
        "digest.totals_one" if count == 1 else "digest.totals",
        records=f"{digest.records:,}",
        errors=f"{digest.errors:,}",
        incidents=count,
    )
    if digest.base_days:
        said += ("" if texts.lang == "zh" else " ") + texts.t("digest.usual", errors=f"{digest.errors_per_day:,.0f}")
    return said.unescape()


def against(digest: Digest, texts: Texts) -> str:
    if not digest.base_days:
        return texts.t("digest.no_base", day=digest.day)
    return texts.t("digest.day_one" if digest.base_days == 1 else "digest.day", day=digest.day, n=digest.base_days)


def _title(change: Change, texts: Texts) -> str:
    text = formats.shorten(" ".join(change.title.split()), 160)
    return (
        f"{texts.title(change.problem)}: {text}" if change.problem and change.problem != "error.unclassified" else text
    )


def _slack_safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:400]


def _template(digest: Digest, name: str, escape: bool) -> str:
    texts = Texts(digest.lang, digest.known)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(data_dir("reports")),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        clock=formats.clock,
        ms=formats.ms,
        number=formats.number,
        title=texts.title,
        quantity=formats.quantity,
        cell=prose.markdown_cell,
        alert_name=lambda rule: prose.alert_name(rule, texts),
        headline=lambda incident: prose.headline(incident, texts),
        impact=lambda incident: prose.impact(incident.impact, texts),
        shorten=formats.shorten,
    )
    most = max((c.today for c in (*digest.new, *digest.rising)), default=1)
    highest = max((d.errors for d in digest.days), default=0) or 1
    return environment.get_template(name).render(
        digest=digest,
        t=texts.t,
        headline=headline(digest, texts),
        against=against(digest, texts),
        name_of=lambda change: _title(change, texts),
        kinds=("new", "rising", "falling", "gone"),
        width=lambda value: max(1, round(BAR * min(1.0, value / max(most, 1)))),
        changes=lambda k: getattr(digest, k),
        height=lambda errors: max(1, round(DAY_HEIGHT * errors / highest)),
        row_height=DAY_HEIGHT + 18,  # with its number
    )
