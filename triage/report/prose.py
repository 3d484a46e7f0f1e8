"""The report's sentences and the short words built from several values. Each is said only if the data supports it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from triage.analyse.model import Cause, ClockSkew, Impact, Incident, MemoryTrend
from triage.report import formats
from triage.report.parts import Mark, Problem, Report, Runbook, Series
from triage.report.texts import Texts

SKEW_WORTH_A_WORD = 0.5  # seconds
_NAMES = {"Postgres", "Redis", "Celery", "Docker", "Python"}


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


def contents(report: Report, texts: Texts) -> list[tuple[str, str, int | None]]:
    """The sections that this page has, in its order: anchor, title, count."""
    incidents = [(f"inc-{i.id}", f"{incident_name(report, i, texts)}", None) for i in report.incidents]
    sections: list[tuple[str, str, int | None, bool]] = [
        ("problems", "problems", len(report.problems), bool(report.problems)),
        ("checked", "checked", None, bool(report.totals.records) and not report.incidents),
        ("groups", "groups", len(report.groups), bool(report.groups)),
        ("unclassified", "unclassified", len(report.unclassified), bool(report.unclassified)),
        ("slow", "slow", len(report.slow_queries), bool(report.slow_queries)),
        ("deadlocks", "deadlocks", len(report.deadlocks), bool(report.crossings)),
        ("tasks", "tasks", len(report.tasks), bool(report.tasks)),
        ("containers", "containers", len(report.containers), bool(report.containers or report.memory)),
        ("programs", "programs", None, bool(report.programs)),
        ("stopped", "stopped", len(report.stopped), bool(report.stopped)),
        ("new", "new", len(report.new), bool(report.new)),
        ("alerts", "alerts", None, bool(report.totals.records and report.alerts)),
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
    return sentences(said, texts)


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


def claims(cause: Cause, texts: Texts) -> list[str]:
    """Why this cause: each claim in the report's language where it has a text, else in the analysis's own words."""
    said = []
    for claim in cause.evidence:
        key = f"claim.{claim.kind}"
        values: dict[str, str] = dict(claim.values)
        for name in {"problem", "effects", "causes"} & values.keys():
            values[name] = texts.join([in_sentence(texts.title(problem), texts) for problem in values[name].split(", ")])
        said.append(texts.spaced(texts.t(key, **values)) if texts.has(key) else claim.sentence)
    return said


def alert_name(rule: str, texts: Texts) -> str:
    return str(texts.t(f"alert.{rule}")) if texts.has(f"alert.{rule}") else rule


def clocks(skews: Sequence[ClockSkew], texts: Texts) -> list[tuple[str, bool]]:
    """Sentences on the clocks that could be compared, each with whether it is a warning; nothing on the others."""
    compared = [(one.service, one.skew_s) for one in skews if one.skew_s is not None]
    off = [(service, value) for service, value in compared if abs(value) >= SKEW_WORTH_A_WORD]
    if compared and not off:
        return [(str(texts.spaced(texts.n("collection.clocks", len(compared)))), False)]
    return [(_skewed(service, value, texts), True) for service, value in off]


def _skewed(service: str, value: float, texts: Texts) -> str:
    skew = texts.t("collection.ahead" if value > 0 else "collection.behind", s=formats.seconds(abs(value)))
    return str(texts.spaced(texts.t("collection.clock", service=service, skew=skew)))


def filled(rows: Sequence[object], names: Sequence[str]) -> list[str]:
    """The columns that any row has a number in: a column of zeros is noise."""
    return [name for name in names if any(getattr(row, name) for row in rows)]


def families(report: Report, texts: Texts) -> list[tuple[str, str]]:
    """Every problem that the library knows, by what it is a problem of."""
    grouped: dict[str, list[str]] = {}
    for name, problem in report.known.items():
        grouped.setdefault(name.split(".")[0], []).append(problem.title)
    comma = "、" if texts.lang == "zh" else ", "
    return [
        (str(texts.t(f"family.{key}")) if texts.has(f"family.{key}") else key, comma.join(titles))
        for key, titles in grouped.items()
    ]


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


def runbook_list(report: Report) -> list[Runbook]:
    """Each runbook of the incidents once."""
    books = [card.runbook for chapter in report.chapters for card in chapter.cards if card.runbook]
    return list({book.problem: book for book in books}.values())


def sentences(parts: list[Markup], texts: Texts) -> Markup:
    """One after the other, as the language sets them."""
    return texts.spaced(Markup("" if texts.lang == "zh" else " ").join(parts))


def in_sentence(title: str, texts: Texts) -> str:
    """A title as it stands inside an English sentence; abbreviations and names of programs stay as they are."""
    head = title.split(maxsplit=1)[0]
    keep = texts.lang != "en" or head[1:] != head[1:].lower() or head in _NAMES
    return title if keep else title[:1].lower() + title[1:]
