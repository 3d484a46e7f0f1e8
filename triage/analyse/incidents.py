"""Incidents of a window: abnormal stretches of problems, grouped, with the suspected cause, the chain and the impact.

A single error is a finding and no incident, and what goes wrong all the time is neither (see `bursts`). Events go
through four steps: failures (each counted once) → bursts (per problem and service) → groups (across services) → cause,
chain and impact of each group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from hashlib import blake2b

import polars as pl

from triage.analyse import causes
from triage.analyse.bursts import Burst, bursts, end_after_s
from triage.analyse.changes import with_changes
from triage.analyse.clock import ahead, clock_skew
from triage.analyse.events import ENGINE, LEAK, failures, problem_events
from triage.analyse.grouping import Group, groups, reachable
from triage.analyse.impact import impact
from triage.analyse.model import Incident, Settings, TaskLife, Window
from triage.analyse.tasks import task_table, went_wrong
from triage.query import Session

_EVIDENCE = 20
# The saturated server, the queue that nobody empties and the alarm are seen as they are, not concluded from failures.
_GRAVE = ("memory.out_of_memory", LEAK, "task.stuck_pending", "db.too_many_connections", "broker.resource_alarm")
ANSWERED = timedelta(seconds=1)  # requests that failed are answered a moment after the problem was logged


def incidents(
    session: Session,
    window: Window,
    leads_to: Mapping[str, Sequence[str]] | None = None,
    settings: Settings | None = None,
    lives: Sequence[TaskLife] | None = None,
) -> tuple[Incident, ...]:
    """The incidents of the window in order of start. `leads_to` is the pattern library's graph of problems."""
    settings = settings or Settings()
    bounded = data_window(session, window)
    if bounded is None:
        return ()
    clocks = ahead(clock_skew(session, window))
    if lives is None or clocks:
        lives = went_wrong(task_table(session, window, clocks))
    events = failures(problem_events(session, window, lives, settings, clocks))
    activity = _corrected(session.named("activity", since=window.start, until=window.end), clocks)
    found = bursts(events, bounded, activity, settings)
    found = sorted([*found, *_alone(events, found)], key=lambda burst: (burst.start, burst.problem, burst.service))
    reach = reachable(leads_to or {})
    together = groups(found, events, reach, bounded, settings.minimum_failures)
    return tuple(_incident(session, group, bounded, reach, settings, lives, clocks) for group in together)


def _corrected(activity: pl.DataFrame, clocks: Mapping[str, float]) -> pl.DataFrame:
    if not clocks:
        return activity
    apart = pl.col("service_name").replace_strict(dict(clocks), default=0.0, return_dtype=pl.Float64)
    return activity.with_columns(step=pl.col("step") - pl.duration(microseconds=(apart * 1e6).cast(pl.Int64)))


def _alone(events: pl.DataFrame, found: Sequence[Burst]) -> list[Burst]:
    """What needs no number: what the own figures of engine and programs prove, outside of bursts of it."""
    proved = events.filter((pl.col("printing") == ENGINE) & pl.col("problem").is_in(_GRAVE)).unique(
        ["problem", "service_name"], keep="first", maintain_order=True
    )
    return [
        Burst(row["problem"], row["service_name"], row["timestamp"], row["timestamp"], 1, 0.0)
        for row in proved.sort("timestamp").iter_rows(named=True)
        if (row["problem"], row["service_name"]) not in {(burst.problem, burst.service) for burst in found}
    ]


def data_window(session: Session, window: Window) -> Window | None:
    """The part of the window that has records at all; None where there are none."""
    row = session.named("bounds", since=window.start, until=window.end).row(0, named=True)
    if not row["records"]:
        return None
    start = max(window.start, row["first_seen"])
    return Window(start, min(window.end, row["last_seen"] + timedelta(microseconds=1)))


def _incident(
    session: Session,
    group: Group,
    window: Window,
    reach: Mapping[str, frozenset[str]],
    settings: Settings,
    lives: Sequence[TaskLife],
    clocks: Mapping[str, float],
) -> Incident:
    onsets = causes.onsets(group)
    cause = causes.suspect(onsets, reach)
    counts = Counter({onset.problem: onset.count for onset in onsets})
    start, end = group.start, group.end
    of_incident = Window(start, end + ANSWERED)
    return Incident(
        id=_ident(group),
        start=start,
        end=end,
        open=_is_open(group, window),
        problems=tuple(onset.problem for onset in onsets),
        services=tuple(sorted(set().union(*(onset.services for onset in onsets)))),
        counts=dict(counts),
        suspected_cause=with_changes(session, cause, start),
        chain=causes.chain(onsets, cause, reach),
        impact=impact(session, of_incident, settings, lives, group.events),
        why=_why(group.bursts, clocks),
        record_ids=tuple(group.events["record_id"].unique(maintain_order=True)[:_EVIDENCE]),
    )


def _is_open(group: Group, window: Window) -> bool:
    """Whether it had not been silent long enough to be over when the records end."""
    silent = (window.end - group.end).total_seconds()
    return any(silent <= end_after_s(burst) and burst.end >= group.end - timedelta(seconds=60) for burst in group.bursts)


def _why(members: Sequence[Burst], clocks: Mapping[str, float]) -> str:
    apart = [
        f" The clock of {service} is {abs(clocks[service]):.0f} s {'ahead' if clocks[service] > 0 else 'behind'}, which is put right here."
        for service in sorted({burst.service for burst in members} & clocks.keys())
    ]
    return _unusual(members) + "".join(apart)


def _unusual(members: Sequence[Burst]) -> str:
    main = max(members, key=lambda burst: (burst.failures, burst.problem))
    if main.failures == 1:
        return f"{main.problem} is the engine's own word."
    span = max(main.span_s, 1.0)
    rate = main.failures / span * 3600
    usual = "next to none" if main.usual_per_hour < 1 else f"about {main.usual_per_hour:.0f} an hour"
    return f"{main.failures} of {main.problem} within {span:.0f} s ({rate:.0f} an hour); usual is {usual}."


def _ident(group: Group) -> str:
    """Stable over windows and collections: by when it began and with what."""
    first = min(group.onsets.items(), key=lambda each: (each[1], each[0]))[0]
    text = f"{group.start.isoformat()} {first}"
    digest = blake2b(text.encode(), digest_size=3).hexdigest()
    return f"{group.start:%Y%m%d-%H%M%S}-{digest}"


