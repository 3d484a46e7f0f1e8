"""Probes while containers are followed: each on its schedule, and those that support a problem at its onset.

A problem begins when it is seen after minutes without it: then the servers still hold what explains it (who blocks whom,
which queue is full), and an hour later they do not. A probe that hangs or fails is said once and stored as such.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from triage.collect.docker import Engine
from triage.errors import TriageError
from triage.lake.state import StateTable
from triage.lake.table import Lake
from triage.state.probes import Probe
from triage.state.selection import Selection
from triage.state.snapshot import Manner, take

TABLE = "snapshots"
SCHEDULE = "schedule"
_QUIET_S = 300.0  # so long without a problem: its next record is an onset
_AGAIN_S = 30.0  # onsets close to each other do not ask the same again
_TICK_S = 1.0
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Probing:
    """What is asked while following, and how often."""

    probes: Sequence[Probe]
    every_s: float
    manner: Manner
    seen: Callable[[], Mapping[str, int]]  # records of each problem in this run so far


@dataclass
class Onsets:
    """Which problems have begun, from counts that only grow."""

    _counts: dict[str, int] = field(default_factory=dict)
    _last: dict[str, float] = field(default_factory=dict)

    def new(self, counts: Mapping[str, int], now: float) -> list[str]:
        """Problems that have more records than last time, after a quiet stretch; `now` in seconds of any clock."""
        begun = []
        for problem, count in list(counts.items()):
            if count <= self._counts.get(problem, 0):
                continue
            if now - self._last.get(problem, -_QUIET_S) >= _QUIET_S:
                begun.append(problem)
            self._counts[problem], self._last[problem] = count, now
        return begun


class Prober:
    """Asks until `stop`; what the engine reports comes in by `report`. A round that hangs does not hold up the next."""

    def __init__(
        self, engine: Engine, lake: Lake, selection: Selection, probing: Probing, said: Callable[[str], None]
    ) -> None:
        self._engine, self._lake, self._selection = engine, lake, selection
        self._probing, self._said = probing, said
        self._logged, self._told_by_engine = Onsets(), Onsets()
        # What was asked a moment before a problem began does not explain it: schedule and onsets keep time apart.
        self._scheduled: dict[str, float] = {}
        self._at_onset: dict[str, float] = {}
        self._reported: dict[str, int] = {}
        self._told: dict[tuple[str, str], str | None] = {}

    def report(self, problems: Iterable[str]) -> None:
        """The engine told of these just now."""
        for problem in problems:
            self._reported[problem] = self._reported.get(problem, 0) + 1

    def run(self, stop: threading.Event) -> None:
        """Rounds as they fall due."""
        every = self._probing.every_s
        with ThreadPoolExecutor(_ROUNDS, "triage-probes") as pool:
            while not stop.is_set():
                now = time.monotonic()
                for begun in (
                    *self._logged.new(self._probing.seen(), now),
                    *self._told_by_engine.new(self._reported, now),
                ):
                    supporting = [probe for probe in self._probing.probes if begun in probe.supports]
                    self._start(pool, due(supporting, self._at_onset, lambda probe: _AGAIN_S, now), begun)
                turn = due(self._probing.probes, self._scheduled, lambda probe: max(every, probe.every_s), now)
                self._start(pool, turn, SCHEDULE)
                stop.wait(_TICK_S)
            pool.shutdown(cancel_futures=True)

    def _start(self, pool: ThreadPoolExecutor, probes: Sequence[Probe], reason: str) -> None:
        if probes:
            pool.submit(self._ask, probes, reason)

    def _ask(self, probes: Sequence[Probe], reason: str) -> None:
        try:
            chosen = self._selection.of(self._engine.containers())
            rows = take(self._engine, chosen, probes, replace(self._probing.manner, reason=reason))
            StateTable(self._lake, TABLE).append(rows)
        except TriageError as error:
            self._said(f"probes: {error.message}; asked again in their turn")
            return
        for row in rows.unique(["container_name", "probe"], maintain_order=True).iter_rows(named=True):
            pair = (row["container_name"], row["probe"])
            if row["error"] and row["error"] != self._told.get(pair):
                self._said(f"probe {row['probe']} in {row['container_name']}: {row['error']}")
            self._told[pair] = row["error"]


def due(
    probes: Sequence[Probe], asked: dict[str, float], every_s: Callable[[Probe], float], now: float
) -> list[Probe]:
    """Those that were not asked for so long; they count as asked from now on."""
    found = [probe for probe in probes if now - asked.get(probe.id, -math.inf) >= every_s(probe)]
    asked |= dict.fromkeys([probe.id for probe in found], now)
    return found
