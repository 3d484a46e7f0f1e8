"""The first screen: the headline, the paragraph in plain words and the key numbers. Said only if the data supports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from triage.analyse.model import Impact, Incident
from triage.report import formats, prose
from triage.report.charts import short_names
from triage.report.parts import Buckets, Query, Report
from triage.report.texts import Texts

AROUND = timedelta(minutes=5)  # of an incident: what happened to containers then belongs to its story
NAMED = 3  # how many names a sentence can carry


def headline(report: Report, texts: Texts) -> Markup:
    """What happened, in the fewest words."""
    if not report.totals.records:
        return texts.t("lead.headline_empty")
    if not report.incidents:
        return texts.t("lead.headline_quiet")
    worst = gravest(report)
    names = short_names(list(report.totals.by_service))
    problem, service = prose.lead_problem(worst), _origin(worst)
    title = texts.title(problem)
    many = len(report.incidents) > 1
    said = texts.n(
        "lead.headline",
        len(report.incidents),
        problem=prose.in_sentence(title, texts) if many else title,
        service=names.get(service, service),
    )
    return texts.spaced(said)


def state(report: Report) -> str | None:
    """`on` while any incident lasts to the end of the window, `over` where all have ended, None without incidents."""
    if not report.incidents:
        return None
    return "on" if any(incident.open for incident in report.incidents) else "over"


def _origin(incident: Incident) -> str:
    return incident.suspected_cause.service if incident.suspected_cause else incident.chain[0].service


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
    return [prose.sentences(part, texts) for part in (first, rest) if part]


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
    first, last = min(i.start for i in report.incidents), max(i.end for i in report.incidents)
    said = [
        texts.n(
            "lead.incidents",
            len(report.incidents),
            services=_some(services, texts),
            start=formats.clock(first, "ds"),
            end=formats.clock(last, "s" if first.date() == last.date() else "ds"),
            duration=texts.duration(last - first),
        )
    ]
    if not one:
        span = {"start": _time(report, worst.start), "end": _time(report, worst.end)}
        name = prose.incident_name(report, worst, texts)
        said.append(_t(texts, "worst", id=name, duration=texts.duration(worst.end - worst.start), **span))
    said += _cause(worst, texts, names, report.many_days)
    # Incidents may overlap: their harm must not be added up, so of several the window's is told.
    if hit := prose.impact(worst.impact if one else _harm(report), texts):
        said.append(_t(texts, "hit" if one else "hit_all", what=hit))
    said.append(_now(report, texts))
    return said


def _now(report: Report, texts: Texts) -> Markup:
    """The state at the window's end, of all incidents."""
    running = [incident for incident in report.incidents if incident.open]
    ago = texts.duration(report.end - max(incident.end for incident in running or report.incidents))
    if len(report.incidents) == 1:
        return _t(texts, "now_on" if running else "now_over", ago=ago)
    names = [str(prose.incident_name(report, incident, texts)) for incident in running]
    return _t(texts, "now_on_some" if running else "now_over_all", ago=ago, ids=_some(names, texts))


def _cause(incident: Incident, texts: Texts, names: Mapping[str, str], dated: bool) -> list[Markup]:
    cause = incident.suspected_cause
    if cause is None:
        return [_t(texts, "cause_none")]
    others = [name for name in formats.distinct(step.problem for step in incident.chain) if name != cause.problem]
    said = [
        _t(
            texts,
            f"cause_{cause.level}" if others else "cause_only",
            problem=prose.in_sentence(texts.title(cause.problem), texts),
            service=names.get(cause.service, cause.service),
            at=formats.clock(cause.first_seen, many_days=dated),
        )
    ]
    if others:
        titles = [prose.in_sentence(texts.title(name), texts) for name in others]
        said.append(_t(texts, "followed", problems=_some(titles, texts)))
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


def _harm(report: Report) -> Impact:
    """What failed in the whole window; whom it hit is known for each incident alone."""
    failed, lost, stuck = (sum(getattr(task, name) for task in report.tasks) for name in ("failed", "lost", "stuck"))
    return Impact(failed, report.failed_requests, 0, 0, 0, lost, stuck, 0, 0, 0.0)


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
    always = {"incidents", "errors", "records"} if report.totals.records else set()
    return [row for row in rows if row[1] or row[0] in always]


def queries(report: Report) -> list[Query]:
    """What the key numbers were counted with; incidents are found, not counted."""
    shown = {name for name, _, _ in figures(report)}
    asked = [("failed_requests", "requests"), ("failed_tasks", "tasks")]
    return [report.totals.query, *(report.queries[query] for figure, query in asked if figure in shown)]


@dataclass(frozen=True, slots=True)
class Moment:
    """A row of the post-mortem's timeline: a problem's first sign, or what happened to a container (`count` 0)."""

    at: datetime
    service: str
    what: str
    count: int
    cause: bool


def story(report: Report, texts: Texts) -> list[Moment]:
    """What happened in the incidents, in the order of time."""
    steps = [
        Moment(step.first_seen, step.service, texts.title(step.problem), step.count, step.role == "cause")
        for incident in report.incidents
        for step in incident.chain
    ]
    marks = [
        Moment(mark.timestamp, mark.service, prose.mark(mark, texts), 0, False)
        for mark in report.marks
        if any(incident.start - AROUND <= mark.timestamp <= incident.end + AROUND for incident in report.incidents)
    ]
    return sorted((*steps, *marks), key=lambda moment: (moment.at, moment.service, moment.what))


def _some(names: list[str], texts: Texts) -> str:
    if len(names) <= NAMED + 1:
        return texts.join(names)
    return texts.join([*names[:NAMED], str(texts.t("lead.more", n=len(names) - NAMED))])


def _t(texts: Texts, key: str, **values: object) -> Markup:
    return texts.t(f"lead.{key}", **values)


def _time(report: Report, at: datetime) -> str:
    return formats.clock(at, many_days=report.many_days)


def _window(report: Report) -> dict[str, str]:
    """Start and end, the end without a date that the start has said already."""
    return {"start": formats.clock(report.start, report.start_form), "end": formats.clock(report.end, report.end_form)}
