"""What broke first: the problems of an incident ranked as its cause, with the evidence and a stated confidence.

Four things speak for a problem: nothing else that happened explains it; it explains the others; it began first; and its
failures share tasks or requests with theirs. Where two problems have nearly as much to say for themselves, the
confidence is low, and the evidence says that the logs cannot tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from triage.analyse.grouping import LINKED_SLACK, Group
from triage.analyse.model import Cause, Evidence, Step

UNKNOWN = "error.unclassified"
SLOW = "api.slow_response"
# Effects are often logged before their cause (a client gives up while the database still works): so much of an
# inversion of the order says nothing.
TOLERANCE = timedelta(seconds=5)
_WEIGHTS = {"unexplained": 0.40, "explains": 0.30, "first": 0.20, "keys": 0.10}
_ONSET_SCALE_S = 30.0
_EVIDENCE = 8
_ANOTHER_READING = 0.8


@dataclass(frozen=True, slots=True)
class Onset:
    """A problem of an incident, as a candidate."""

    problem: str
    service: str
    services: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    count: int
    record_ids: tuple[str, ...]
    keys: frozenset[str]
    read_as: frozenset[str]  # where its records say first of all something else: what
    usual: bool = False  # single failures of what comes at other times, too


def onsets(group: Group) -> list[Onset]:
    """The problems of a group in order of onset."""
    made, began = [], group.onsets
    for (problem,), part in group.events.group_by(["problem"], maintain_order=True):
        rows = part.sort("timestamp", "record_id")
        first = began[str(problem)]
        since = rows.filter(pl.col("timestamp") >= first)
        keys = {value for key in ("task_id", "request_id", "job_id") for value in rows[key].drop_nulls()}
        made.append(
            Onset(
                str(problem),
                since["service_name"][0],
                tuple(sorted(rows["service_name"].unique())),
                first,
                rows["timestamp"][-1],
                rows.height,
                tuple(since["record_id"][:_EVIDENCE]),
                frozenset(keys),
                _read_as(str(problem), rows),
                problem in group.usual,
            )
        )
    return sorted(made, key=lambda onset: (onset.first_seen, onset.problem))


def _read_as(problem: str, rows: pl.DataFrame) -> frozenset[str]:
    """Its records' more specific problems, if it hardly ever comes without one: a refused connection is an error of
    the database too, and not one more thing that happened."""
    others = rows["primary_problem"].drop_nulls()
    others = others.filter(others != problem)
    return frozenset(others) if others.len() >= _ANOTHER_READING * rows.height else frozenset()


def suspect(found: Sequence[Onset], reach: Mapping[str, frozenset[str]]) -> Cause | None:
    """The most likely cause; None where there is nothing but records that no pattern knows and nothing follows."""
    start = found[0].first_seen
    scores = {onset.problem: _score(onset, found, reach, start) for onset in found}
    ranked = sorted(found, key=lambda onset: (-scores[onset.problem], onset.first_seen, onset.problem))
    best = ranked[0]
    second = ranked[1] if len(ranked) > 1 else None
    margin = scores[best.problem] - scores[second.problem] if second else 0.5
    usual = sorted(problem for problem, effects in reach.items() if best.problem in effects)
    confidence = _confidence(scores[best.problem], margin, best, bool(usual))
    evidence = _evidence(best, second, found, reach, margin)
    if usual and not any(other.problem in usual for other in found):
        text = f"What usually leads to it is not in these logs: {', '.join(usual)}."
        evidence += (Evidence(text, (), "no_upstream", {"causes": ", ".join(usual)}),)
    runner_up = second.problem if second else None
    return Cause(best.problem, best.service, best.first_seen, confidence, evidence, runner_up)


def chain(found: Sequence[Onset], cause: Cause | None, reach: Mapping[str, frozenset[str]]) -> tuple[Step, ...]:
    """The problems from cause to last effect: a cause before its effects, otherwise in order of onset."""
    start = found[0].first_seen
    ordered = _ordered(found, cause, reach)
    return tuple(_step(onset, ordered[:place], found, cause, reach, start) for place, onset in enumerate(ordered))


def _explains(a: Onset, b: Onset, reach: Mapping[str, frozenset[str]]) -> bool:
    """Whether a may have led to b: by the graph, and not long after it. In a circle the earlier one leads.

    A time-out is logged when it is over: those who waited longest tell what it was, others have failed before.
    """
    if a.problem in b.read_as and b.problem not in a.read_as:
        return True
    if _within(a, b) and a.problem not in reach.get(b.problem, ()):
        return True
    if a.problem == b.problem or b.problem not in reach.get(a.problem, ()):
        return False
    if b.keys and 2 * len(a.keys & b.keys) >= len(b.keys) and a.problem not in reach.get(b.problem, ()):
        return True  # most of them are the same failures: whatever of b was before is not of this incident
    if a.problem in reach.get(b.problem, ()):
        return (a.first_seen, a.problem) < (b.first_seen, b.problem)
    return a.first_seen <= b.first_seen + LINKED_SLACK


def _within(a: Onset, b: Onset) -> bool:
    """Whether a happened in requests of which b says no more than that they took long."""
    return b.problem == SLOW != a.problem and bool(a.keys) and 2 * len(a.keys & b.keys) >= len(a.keys)


def _score(onset: Onset, found: Sequence[Onset], reach: Mapping[str, frozenset[str]], start: datetime) -> float:
    others = [other for other in found if other.problem != onset.problem]
    unexplained = not any(_explains(other, onset, reach) for other in others)
    explained = [other for other in others if _explains(onset, other, reach)]
    share = len(explained) / len(others) if others else 1.0
    delay = max(0.0, (onset.first_seen - start - TOLERANCE).total_seconds())
    sharing = [other for other in others if onset.keys & other.keys]
    parts = {
        "unexplained": float(unexplained),
        "explains": share,
        "first": math.exp(-delay / _ONSET_SCALE_S),
        "keys": len(sharing) / len(others) if others else 1.0,
    }
    score = sum(_WEIGHTS[name] * value for name, value in parts.items())
    # What comes now and then without such consequences is not likely to have had them this time.
    score *= 0.5 if onset.usual and others else 1.0
    # An unknown error says less than a known problem that happened beside it.
    return score * (0.5 if onset.problem == UNKNOWN and others else 1.0)


def _confidence(score: float, margin: float, best: Onset, is_effect: bool) -> float:
    """From the score and its distance to the next one; lower for what is usually an effect of something else."""
    value = 0.25 + 0.45 * score + 0.6 * min(margin, 0.5)
    if best.count < 3:
        value -= 0.1
    if is_effect:
        value -= 0.15
    if best.problem == UNKNOWN:
        value = min(value, 0.4)
    return round(max(0.05, min(0.95, value)), 2)


def _evidence(
    best: Onset, second: Onset | None, found: Sequence[Onset], reach: Mapping[str, frozenset[str]], margin: float
) -> tuple[Evidence, ...]:
    others = [other for other in found if other.problem != best.problem]
    when = best.first_seen.strftime("%H:%M:%S.%f")[:-3]
    first = "first of all" if best is found[0] else "soon after the first sign"
    said = [
        Evidence(f"{best.problem} began in {best.service} at {when}, {first}.", best.record_ids, "onset",
                 {"problem": best.problem, "service": best.service, "at": when}),
    ]  # fmt: skip
    effects = [other for other in others if _explains(best, other, reach)]
    if effects:
        names = ", ".join(other.problem for other in effects)
        ids = tuple(other.record_ids[0] for other in effects)
        said.append(Evidence(f"It is known to lead to {names}, which followed.", ids, "leads_to", {"effects": names}))
    sharing = [other for other in others if best.keys & other.keys]
    if sharing:
        names = ", ".join(other.problem for other in sharing)
        shared = len(set().union(*(best.keys & other.keys for other in sharing)))
        said.append(
            Evidence(f"{shared} tasks, requests or jobs of it are also those of {names}.", (), "shared_keys",
                     {"count": str(shared), "effects": names})
        )  # fmt: skip
    if not others:
        said.append(Evidence("Nothing else happened that could have led to it.", (), "only_candidate"))
    elif second and margin < 0.1:
        said.append(
            Evidence(f"{second.problem} may as well have come first: the logs cannot tell.", second.record_ids,
                     "ambiguous", {"problem": second.problem})
        )  # fmt: skip
    return tuple(said)


def _ordered(found: Sequence[Onset], cause: Cause | None, reach: Mapping[str, frozenset[str]]) -> list[Onset]:
    left = sorted(found, key=lambda o: (cause is None or o.problem != cause.problem, o.first_seen, o.problem))
    ordered: list[Onset] = []
    while left:
        free = [o for o in left if not any(_explains(other, o, reach) for other in left if other is not o)]
        chosen = (free or left)[0] if ordered or cause is None else left[0]
        ordered.append(chosen)
        left.remove(chosen)
    return ordered


def _step(
    onset: Onset,
    before: Sequence[Onset],
    found: Sequence[Onset],
    cause: Cause | None,
    reach: Mapping[str, frozenset[str]],
    start: datetime,
) -> Step:
    parents = [other for other in before if _explains(other, onset, reach)]
    is_cause = cause is not None and cause.problem == onset.problem
    after = (onset.first_seen - start).total_seconds()
    shared = [other for other in before if other.keys & onset.keys]
    role = "cause" if is_cause else "effect" if parents or shared else "symptom"
    if is_cause:
        evidence = Evidence(f"{onset.count} failures, the first {after:.1f} s after the start.", onset.record_ids)
    elif parents:
        nearest = parents[-1]
        delay = (onset.first_seen - nearest.first_seen).total_seconds()
        text = f"{nearest.problem} leads to it; it came {_delay(delay)}"
        if nearest.keys & onset.keys:
            text += f", {len(nearest.keys & onset.keys)} of the same tasks, requests or jobs"
        evidence = Evidence(text + ".", onset.record_ids, "leads_to", {"problem": nearest.problem})
    elif shared:
        text = f"It has tasks, requests or jobs in common with {shared[-1].problem}."
        evidence = Evidence(text, onset.record_ids, "shared_keys", {"problem": shared[-1].problem})
    else:
        evidence = Evidence("It happened at the same time; nothing else ties it to the rest.", onset.record_ids)
    return Step(
        onset.problem,
        onset.service,
        onset.services,
        onset.first_seen,
        onset.last_seen,
        onset.count,
        after,
        role,
        tuple(other.problem for other in parents),
        evidence,
    )


def _delay(seconds: float) -> str:
    return f"{seconds:.1f} s later" if seconds >= 0 else f"{-seconds:.1f} s before, within what clocks and logging allow"


