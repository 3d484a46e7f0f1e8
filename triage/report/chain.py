"""How an incident unfolded, as a tree: under each problem those that it led to, in the order of their first sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from triage.analyse.model import Incident, Step

DEEPEST = 5  # what lies deeper is not set in further
WIDTH = 300  # of a bar, in its own units


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the tree. `parent` led to it; `also` are further problems of the incident that may have."""

    step: Step
    depth: int
    parent: str | None
    also: tuple[str, ...]
    apart: bool  # the first of those that nothing above leads to
    bar: str  # an SVG path of 300 by 10: from the first to the last sign, over the incident's length


def unfolded(incident: Incident) -> tuple[Link, ...]:
    """The suspected cause and what followed from it first, then what stands beside it.

    A problem hangs under the earliest one that is known to lead to it; an effect is never older than its cause.
    """
    order = sorted(incident.chain, key=lambda step: (step.after_s, step.role != "cause"))
    under: dict[str | None, list[Step]] = {}
    for at, step in enumerate(order):
        causes = [other.problem for other in order[:at] if other.problem in step.caused_by]
        under.setdefault(causes[0] if causes and step.role != "cause" else None, []).append(step)
    rows: list[Link] = []
    for root in sorted(under.get(None, ()), key=lambda step: (step.role != "cause", step.after_s)):
        apart = root.role != "cause" and not any(row.apart for row in rows) and bool(rows)
        _descend(root, None, 0, apart, under, incident, rows)
    return tuple(rows)


def _descend(
    step: Step, parent: str | None, depth: int, apart: bool,
    under: dict[str | None, list[Step]], incident: Incident, rows: list[Link],
) -> None:  # fmt: skip
    earlier = {row.step.problem for row in rows if row.step.first_seen <= step.first_seen}
    also = tuple(name for name in step.caused_by if parent is not None and name != parent and name in earlier)
    bar = _bar(step.first_seen, step.last_seen, incident)
    rows.append(Link(step, min(depth, DEEPEST), parent, also, apart, bar))
    for child in under.get(step.problem, ()):
        _descend(child, step.problem, depth + 1, False, under, incident, rows)


def _bar(first: datetime, last: datetime, incident: Incident) -> str:
    length = (incident.end - incident.start).total_seconds() or 1.0
    low, high = (min(1.0, max(0.0, (at - incident.start).total_seconds() / length)) * (WIDTH - 3) for at in (first, last))
    return f"M{low:.1f} 1h{high - low + 3:.1f}v8h-{high - low + 3:.1f}z"
