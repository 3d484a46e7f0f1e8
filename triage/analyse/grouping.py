"""Bursts that belong together, across services: by the graph of what leads to what, by shared keys, by overlap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import polars as pl

from triage.analyse.bursts import Burst
from triage.analyse.events import KEYS
from triage.analyse.model import Window

# An effect may begin after its cause has ended: time-outs of a pool, a client or a broker are half a minute by default.
LINKED_SLACK = timedelta(seconds=60)
# Clocks and loggers of different containers agree to about a second.
OVERLAP_SLACK = timedelta(seconds=2)
# What happens all the time happens during an incident too. Single failures are drawn into one only if as many as these
# would come by chance in fewer than one of twenty such stretches.
COINCIDENCE = 0.05
_AROUND = timedelta(hours=3)  # as far as bursts look for what is usual


@dataclass(frozen=True, slots=True)
class Group:
    """Members of an incident: bursts, and the failures (rows of events) that belong to it."""

    bursts: tuple[Burst, ...]
    events: pl.DataFrame
    usual: frozenset[str] = frozenset()  # problems without a burst here that come at other times, too

    @property
    def start(self) -> datetime:
        return min(self.onsets.values())

    @property
    def onsets(self) -> dict[str, datetime]:
        """When each problem began: where it has a burst, with that, not with a single failure shortly before."""
        first = self.events.group_by("problem").agg(pl.col("timestamp").min())
        began = dict(first.iter_rows())
        for problem in began:
            began[problem] = min((burst.start for burst in self.bursts if burst.problem == problem), default=began[problem])
        return began

    @property
    def end(self) -> datetime:
        return self.events["timestamp"].max()  # type: ignore[return-value]


def reachable(leads_to: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Problem → all problems that it leads to, directly or over others."""
    result: dict[str, frozenset[str]] = {}
    for problem in leads_to:
        seen: set[str] = set()
        queue = list(leads_to[problem])
        while queue:
            each = queue.pop()
            if each not in seen:
                seen.add(each)
                queue += leads_to.get(each, ())
        result[problem] = frozenset(seen - {problem})
    return result


def groups(
    bursts: Sequence[Burst], events: pl.DataFrame, reach: Mapping[str, frozenset[str]], window: Window, minimum: int
) -> list[Group]:
    """Incidents-to-be, in order of start. `minimum` failures are a burst, if they are close together."""
    keys = [_keys(burst, events) for burst in bursts]
    parents = list(range(len(bursts)))

    def root(index: int) -> int:
        while parents[index] != index:
            index = parents[index]
        return index

    for second in range(len(bursts)):
        for first in range(second):
            if root(first) != root(second) and _together(
                bursts[first], bursts[second], keys[first], keys[second], reach
            ):
                parents[max(root(first), root(second))] = min(root(first), root(second))
    members: dict[int, list[Burst]] = {}
    for index, burst in enumerate(bursts):
        members.setdefault(root(index), []).append(burst)
    made = [_group(each, events, reach, window, minimum) for each in members.values()]
    return sorted(made, key=lambda group: (group.start, group.bursts[0].problem))


def _group(
    bursts: Sequence[Burst], events: pl.DataFrame, reach: Mapping[str, frozenset[str]], window: Window, minimum: int
) -> Group:
    group = Group(tuple(bursts), _members(bursts, events, reach, window))
    single = sorted(set(group.events["problem"]) - {burst.problem for burst in bursts})
    other = events.filter(
        pl.col("problem").is_in(single)
        & pl.col("timestamp").is_between(group.start - _AROUND, group.end + _AROUND)
        & ~pl.col("timestamp").is_between(group.start, group.end)
    )
    usual = set(other["problem"])
    if (window.length - (group.end - group.start)) < (group.end - group.start):
        # Little is known of other times. But what comes so often without being a burst comes as often at any time.
        counts = group.events.filter(pl.col("problem").is_in(single)).group_by("problem").len()
        usual |= set(counts.filter(pl.col("len") >= minimum)["problem"])
    return replace(group, usual=frozenset(usual))


def _together(a: Burst, b: Burst, a_keys: set[str], b_keys: set[str], reach: Mapping[str, frozenset[str]]) -> bool:
    gap = max(a.start, b.start) - min(a.end, b.end)  # negative: they overlap by so much
    if a.problem == b.problem and gap <= LINKED_SLACK:
        return True
    linked = b.problem in reach.get(a.problem, ()) or a.problem in reach.get(b.problem, ())
    if gap <= LINKED_SLACK and (linked or a_keys & b_keys):
        return True
    return gap <= OVERLAP_SLACK


def _keys(burst: Burst, events: pl.DataFrame) -> set[str]:
    own = _during(events, burst).filter(pl.col("problem") == burst.problem)
    # A user alone proves nothing: one user has many requests, good and bad.
    return {value for key in KEYS if key != "user_id" for value in own[key].drop_nulls()}


def _during(events: pl.DataFrame, burst: Burst) -> pl.DataFrame:
    return events.filter(pl.col("timestamp").is_between(burst.start, burst.end))


def _members(
    bursts: Sequence[Burst], events: pl.DataFrame, reach: Mapping[str, frozenset[str]], window: Window
) -> pl.DataFrame:
    """The bursts' own failures, and single ones that the graph or a shared key ties to them."""
    start, end = min(burst.start for burst in bursts), max(burst.end for burst in bursts)
    burst_rows = pl.any_horizontal(
        [
            (pl.col("problem") == burst.problem)
            & (pl.col("service_name") == burst.service)
            & pl.col("timestamp").is_between(burst.start, burst.end)
            for burst in bursts
        ]
    )
    shared = pl.lit(False)
    own = events.filter(burst_rows)
    for key in ("task_id", "request_id", "job_id"):
        values = own[key].drop_nulls().unique()
        if values.len():
            near = pl.col("timestamp").is_between(start - LINKED_SLACK, end + LINKED_SLACK)
            shared |= pl.col(key).is_in(values.implode()).fill_null(False) & near
    linked = shared | _linked({burst.problem for burst in bursts}, start, end, reach)
    single = _unusual(events.filter(~burst_rows), linked, Window(start, end), window)
    return pl.concat([own, single]).sort("timestamp", "problem", "record_id")


def _linked(
    problems: set[str], start: datetime, end: datetime, reach: Mapping[str, frozenset[str]]
) -> pl.Expr:
    """Failures in reach of the bursts: what leads to them, what they lead to, and the same in another service."""
    causes = [problem for problem, effects in reach.items() if effects & problems and problem not in problems]
    effects = sorted({effect for problem in problems for effect in reach.get(problem, ())} - problems)
    return (
        (pl.col("problem").is_in(causes) & pl.col("timestamp").is_between(start - LINKED_SLACK, end))
        | (pl.col("problem").is_in(effects) & pl.col("timestamp").is_between(start, end + LINKED_SLACK))
        | (pl.col("problem").is_in(sorted(problems)) & pl.col("timestamp").is_between(start, end))
    )


def _unusual(
    events: pl.DataFrame, linked: pl.Expr, incident: Window, window: Window
) -> pl.DataFrame:
    """The linked failures without those of series of which as many are usual in such a time."""
    low, high = max(window.start, incident.start - _AROUND), min(window.end, incident.end + _AROUND)
    during = pl.col("timestamp").is_between(incident.start - LINKED_SLACK, incident.end + LINKED_SLACK)
    length_s = (incident.length + 2 * LINKED_SLACK).total_seconds()
    outside_s = (high - low).total_seconds() - length_s
    series = ["problem", "service_name"]
    if outside_s <= 0:
        return events.filter(linked)
    counted = events.with_columns(_linked=linked, _outside=~during & pl.col("timestamp").is_between(low, high))
    keep = [
        row
        for row in counted.group_by(series).agg(pl.col("_linked").sum(), pl.col("_outside").sum()).iter_rows()
        if row[2] and _chance(row[2], row[3] * length_s / outside_s) < COINCIDENCE
    ]
    kept = pl.DataFrame(keep, schema={"problem": pl.String, "service_name": pl.String, "": pl.Int64, "_": pl.Int64}, orient="row")
    return events.filter(linked).join(kept.select(series), on=series, how="semi")


def _chance(count: int, expected: float) -> float:
    """Of `count` or more of a Poisson process; many more than usual are as good as impossible."""
    if count > 10 + 3 * expected:
        return 0.0
    below = math.fsum(math.exp(k * math.log(expected) - expected - math.lgamma(k + 1)) for k in range(count)) if expected else 0.0
    return 1.0 - below if expected else 0.0
