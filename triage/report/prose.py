"""The report's sentences and the short words built from several values. Each is said only if the data supports it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from markupsafe import Markup

from triage.analyse.model import Cause, Impact, Incident, MemoryTrend
from triage.report import formats
from triage.report.charts import short_names
from triage.report.parts import Buckets, Mark, Problem, Report, Runbook, Series
from triage.report.texts import Texts

SKEW_WORTH_A_WORD = 0.5  # seconds
_NAMES = {"Postgres", "Redis", "Celery", "Docker", "Python"}
NAMED = 3  # how many names a sentence can carry


def paragraphs(report: Report, texts: Texts) -> list[Markup]:
    """What, when, where, how bad, first cause, state now."""
    if not report.totals.records:
        return [_t(texts, "empty", **_window(report))]
    first = _incidents(report, texts) if report.incidents else _quiet(report, texts)
    rest = []
    if report.totals.unclassified:
        rest.append(texts.n("lead.unclassified", report.totals.unclassified))
    if report.collection.gaps:
        rest.append(_t(texts, "gaps"))
    return [_sentences(part, texts) for part in (first, rest) if part]


def _quiet(report: Report, texts: Texts) -> list[Markup]:
    said = [
        texts.n(
            "lead.quiet",
            len(report.totals.by_service),
            records=f"{report.totals.records:,}",
            services=f"{len(report.totals.by_service):,}",
            **_window(report),
        )
    ]
    if report.totals.problems:
        said.append(_t(texts, "quiet_problems", problems=f"{report.totals.problems:,}"))
    elif not report.totals.errors:
        said.append(_t(texts, "quiet_clean"))
    return said


def _incidents(report: Report, texts: Texts) -> list[Markup]:
    worst = gravest(report)
    names = short_names(list(report.totals.by_service))
    services = formats.distinct(names.get(step.service, step.service) for i in report.incidents for step in i.chain)
    one = len(report.incidents) == 1
    span = {
        "start": formats.clock(worst.start, "d" if report.many_days else "s"),
        "end": formats.clock(worst.end),
        "duration": texts.duration(worst.end - worst.start),
    }
    said = [
        texts.n(
            "lead.incidents",
            len(report.incidents),
            services=_some(services, texts),
            **({**_window(report), **span} if one else _window(report)),
        )
    ]
    if not one:
        said.append(_t(texts, "worst", id=incident_name(report, worst, texts), **span))
    said += _cause(worst, texts, names)
    if hit := impact(worst.impact, texts):
        said.append(_t(texts, "hit", what=hit))
    ago = texts.duration(report.end - worst.end)
    said.append(_t(texts, "now_on" if worst.open else "now_over", ago=ago))
    return said


def _cause(incident: Incident, texts: Texts, names: Mapping[str, str]) -> list[Markup]:
    cause = incident.suspected_cause
    if cause is None:
        return [_t(texts, "cause_none")]
    others = [name for name in formats.distinct(step.problem for step in incident.chain) if name != cause.problem]
    said = [
        _t(
            texts,
            f"cause_{cause.level}" if others else "cause_only",
            problem=in_sentence(texts.title(cause.problem)),
            service=names.get(cause.service, cause.service),
            at=formats.clock(cause.first_seen),
        )
    ]
    if others:
        said.append(_t(texts, "followed", problems=_some([in_sentence(texts.title(name)) for name in others], texts)))
    return said


def gravest(report: Report) -> Incident:
    """The incident that hit most, by what failed, then by records."""
    return max(
        report.incidents,
        key=lambda i: (
            (i.impact.failed_requests or 0) + (i.impact.failed_tasks or 0),
            sum(i.counts.values()),
        ),
    )


def impact(value: Impact, texts: Texts) -> Markup:
    """`12 failed tasks, 3 jobs`; empty when the logs show no harm."""
    counts = {
        "requests": value.failed_requests,
        "slow": value.slow_requests,
        "tasks": value.failed_tasks,
        "stuck": value.stuck_tasks,
        "lost": value.lost_tasks,
        "jobs": value.jobs,
        "users": value.users,
    }
    parts = [str(texts.n(f"lead.hit_{name}", count)) for name, count in counts.items() if count]
    return Markup(texts.join(parts))


def figures(report: Report) -> list[tuple[str, int, Buckets | None]]:
    """The key numbers of the window, without those that are zero because nothing happened.

    Incidents may overlap, so what they hit must not be added up: requests and tasks are the window's, and users, who
    are known for an incident only, are left to the incidents where there are several.
    """
    users = report.incidents[0].impact.users if len(report.incidents) == 1 else 0
    rows: list[tuple[str, int, Buckets | None]] = [
        ("incidents", len(report.incidents), None),
        ("failed_requests", report.failed_requests, None),
        ("failed_tasks", sum(task.failed for task in report.tasks), None),
        ("users", users, None),
        ("errors", report.totals.errors, report.error_buckets),
        ("problems", report.totals.problems, None),
        ("unclassified", report.totals.unclassified, None),
        ("records", report.totals.records, None),
    ]
    always = {"incidents", "errors", "records"}
    return [row for row in rows if row[1] or row[0] in always]


def contents(report: Report, texts: Texts) -> list[tuple[str, str, int | None]]:
    """The sections that this page has, in its order: anchor, title, count."""
    incidents = [(f"inc-{i.id}", f"{incident_name(report, i, texts)}", None) for i in report.incidents]
    sections: list[tuple[str, str, int | None, bool]] = [
        ("problems", "problems", len(report.problems), bool(report.problems)),
        ("checked", "checked", None, not report.incidents),
        ("groups", "groups", len(report.groups), bool(report.groups)),
        ("unclassified", "unclassified", len(report.unclassified), bool(report.unclassified)),
        ("slow", "slow", len(report.slow_queries), bool(report.slow_queries)),
        ("deadlocks", "deadlocks", len(report.deadlocks), bool(report.crossings)),
        ("tasks", "tasks", len(report.tasks), bool(report.tasks)),
        ("containers", "containers", len(report.containers), bool(report.containers or report.memory)),
        ("programs", "programs", None, bool(report.programs)),
        ("stopped", "stopped", len(report.stopped), bool(report.stopped)),
        ("new", "new", len(report.new), bool(report.new)),
        ("alerts", "alerts", None, bool(report.alerts)),
        ("services", "services", len(report.services), bool(report.services)),
        ("collection", "collection", None, True),
        ("events", "events", report.events.total, bool(report.events.total)),
        ("glossary", "glossary", None, bool(glossary(report, texts))),
    ]
    head: list[tuple[str, str, int | None]] = [("summary", texts.t("section.summary"), None)]
    if report.drawn:
        head.append(("timeline", texts.t("section.timeline"), None))
    return head + incidents + [(a, texts.t(f"section.{key}"), n) for a, key, n, there in sections if there]


def mark(one: Mark, texts: Texts) -> str:
    """What happened to a container, and to which."""
    return f"{texts.t(f'mark.{one.kind}')}: {one.detail}"


def series_names(series: Series, texts: Texts) -> list[str]:
    """What a chart's lines are called: containers and queues by their names, the rest by words."""
    if series.verbatim:
        return list(series.names)
    return [str(texts.t(f"series.{name}")) for name in series.names]


def growth(trend: MemoryTrend, texts: Texts) -> Markup:
    """How a container's memory grows, how sure that is, and when it reaches the limit."""
    sizes = {
        "first": trend.first_bytes, "last": trend.last_bytes, "rate": trend.bytes_per_hour,
        "least": trend.least_per_hour, "most": trend.most_per_hour,
    }  # fmt: skip
    shown = {name: formats.megabytes(value) for name, value in sizes.items()}
    times = {name: f"{at:%m-%d %H:%M:%S}" for name, at in (("start", trend.start), ("end", trend.end))}
    said = [texts.t("note.growth", container=trend.container_name, **shown, **times)]
    if trend.time_to_limit is not None and trend.limit_bytes is not None:
        limit, left = formats.megabytes(trend.limit_bytes), texts.duration(trend.time_to_limit)
        said.append(texts.t("note.growth_left", limit=limit, left=left))
    return _sentences(said, texts)


def glossary(report: Report, texts: Texts) -> list[Problem]:
    """Every problem that the page names, in the documentation's order."""
    named = {p.problem for p in report.problems} | {name for i in report.incidents for name in i.problems}
    return [problem for name, problem in report.known.items() if name in named]


def incident_name(report: Report, incident: Incident, texts: Texts) -> str:
    place = next(k for k, other in enumerate(report.incidents, 1) if other.id == incident.id)
    return texts.t("incident.name", n=place)


def headline(incident: Incident, texts: Texts) -> str:
    """What the incident is called: its cause, else its first problem, and where."""
    return texts.title(lead_problem(incident))


def lead_problem(incident: Incident) -> str:
    """The problem that an incident is named by: its cause, else its first."""
    return incident.suspected_cause.problem if incident.suspected_cause else incident.problems[0]


def leads_on(incident: Incident, k: int) -> bool:
    """Whether an arrow may be drawn from link k to the next: only for a known direction."""
    if k + 1 >= len(incident.chain):
        return True
    return incident.chain[k].problem in incident.chain[k + 1].caused_by


def claims(cause: Cause, texts: Texts) -> list[str]:
    """Why this cause: each claim in the report's language where it has a text, else in the analysis's own words."""
    said = []
    for claim in cause.evidence:
        key = f"claim.{claim.kind}"
        values: dict[str, str] = dict(claim.values)
        for name in {"problem", "effects", "causes"} & values.keys():
            values[name] = texts.join([in_sentence(texts.title(problem)) for problem in values[name].split(", ")])
        said.append(str(texts.t(key, **values)) if texts.has(key) else claim.sentence)
    return said


def alert_name(rule: str, texts: Texts) -> str:
    return str(texts.t(f"alert.{rule}")) if texts.has(f"alert.{rule}") else rule


def skew(value: float | None, texts: Texts) -> str:
    if value is None:
        return texts.t("collection.unknown")
    if abs(value) < SKEW_WORTH_A_WORD:
        return texts.t("collection.exact")
    return texts.t("collection.ahead" if value > 0 else "collection.behind", s=formats.seconds(abs(value)))


def step(seconds: int, texts: Texts) -> str:
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            count = seconds // size
            return texts.t(f"time.{unit}") if count == 1 else texts.t(f"time.{unit}s", n=count)
    return texts.t("time.second") if seconds == 1 else texts.t("time.seconds", n=seconds)


def markdown_cell(text: str) -> str:
    """Log text inside a Markdown table or sentence: one line, and no mark of its own has meaning."""
    flat = formats.shorten(" ".join(text.split()), 300)
    for mark in "\\`*_{}[]<>#|~":
        flat = flat.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return flat


def _some(names: list[str], texts: Texts) -> str:
    if len(names) <= NAMED + 1:
        return texts.join(names)
    return texts.join([*names[:NAMED], str(texts.t("lead.more", n=len(names) - NAMED))])


def runbook_list(report: Report) -> list[Runbook]:
    """Each runbook of the incidents once."""
    books = [card.runbook for chapter in report.chapters for card in chapter.cards if card.runbook]
    return list({book.problem: book for book in books}.values())


def _t(texts: Texts, key: str, **values: object) -> Markup:
    return texts.t(f"lead.{key}", **values)


def _sentences(parts: list[Markup], texts: Texts) -> Markup:
    return Markup("" if texts.lang == "zh" else " ").join(parts)


def _window(report: Report) -> dict[str, str]:
    return {"start": formats.clock(report.start, "d"), "end": _end(report.start, report.end)}


def _end(start: datetime, end: datetime) -> str:
    """The end without a date that the start has said already."""
    text = formats.clock(end, "d")
    return text if start.date() != end.date() else text[11:]


def in_sentence(title: str) -> str:
    """A title as it stands inside an English sentence; abbreviations and names of programs stay as they are."""
    head = title.split(maxsplit=1)[0]
    return title if head[1:] != head[1:].lower() or head in _NAMES else title[:1].lower() + title[1:]
