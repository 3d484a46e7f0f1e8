"""Collecting state beside the logs while they are followed: a thread for events, one for samples, one for probes.

None holds up the logs or another: what fails is said once and tried again with growing pauses.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from triage.collect.docker import Engine
from triage.errors import TriageError
from triage.lake.table import Lake
from triage.state.engine_events import EventStore
from triage.state.probing import Prober, Probing
from triage.state.samples import Sampler
from triage.state.selection import Selection

_GATHER_S = 0.5  # events come in showers: one commit for each
_STORE_S = 60.0  # samples are stored this often: each commit is a file
_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
# What the engine tells is the onset of a problem, too.
_PROBLEMS = {"oom": "memory.out_of_memory", "die": "process.crash", "health_status: unhealthy": "container.unhealthy"}
Said = Callable[[str], None]


class StateFollower:
    """Follows the engine's events, samples its containers and asks their programs, until closed."""

    def __init__(
        self, engine: Engine, lake: Lake, selection: Selection, *, interval_s: float | None, said: Said,
        probing: Probing | None = None,
    ) -> None:  # fmt: skip
        self._engine, self._lake, self._selection = engine, lake, selection
        self._interval, self._said = interval_s, said
        self._stop = threading.Event()
        self._prober = Prober(engine, lake, selection, probing, said) if probing else None
        targets = [self._follow_events] + ([self._take_samples] if interval_s else [])
        targets += [self._ask_programs] if self._prober else []
        self._threads = [threading.Thread(target=self._kept_up, args=(target,), daemon=True) for target in targets]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop, and store what is gathered."""
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _kept_up(self, target: Callable[[], None]) -> None:
        """Runs it again and again until the end; a failure is said once."""
        pause, told = _PAUSE_S, ""
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                target()
            except TriageError as error:
                if error.message != told:
                    self._said(f"state of the containers: {error.message}; trying again")
                told = error.message
            pause = _PAUSE_S if time.monotonic() - began > _LONGEST_PAUSE_S else min(pause * 2, _LONGEST_PAUSE_S)
            self._stop.wait(pause)

    def _follow_events(self) -> None:
        store = EventStore(self._engine, self._lake, self._selection)
        store.catch_up()
        arriving: queue.Queue[dict[str, Any] | TriageError | None] = queue.Queue()
        threading.Thread(target=_read, args=(store, arriving), daemon=True).start()
        while not self._stop.is_set():
            batch, ended = _gathered(arriving)
            if batch and store.store(batch) and self._prober:
                self._prober.report(_problems(batch))
            if isinstance(ended, TriageError):
                raise ended
            if ended:
                return

    def _ask_programs(self) -> None:
        assert self._prober is not None
        self._prober.run(self._stop)

    def _take_samples(self) -> None:
        assert self._interval is not None
        sampler, stored = Sampler(self._engine, self._lake, self._selection), time.monotonic()
        try:
            due = stored
            while not self._stop.is_set():
                sampler.take()
                if time.monotonic() - stored >= _STORE_S:
                    sampler.store()
                    stored = time.monotonic()
                due = max(due + self._interval, time.monotonic())
                self._stop.wait(due - time.monotonic())
        finally:
            sampler.close()
            sampler.store()


def once(engine: Engine, lake: Lake, selection: Selection) -> int:
    """The engine's events since last time, and one sample of each running container; how many events were new."""
    found = EventStore(engine, lake, selection).catch_up()
    sampler = Sampler(engine, lake, selection)
    try:
        sampler.take()
        sampler.store()
    finally:
        sampler.close()
    return found


def _problems(events: list[dict[str, Any]]) -> list[str]:
    """What events say by themselves; an end that was asked for or went well is no problem."""
    asked = {event["Actor"]["ID"] for event in events if event.get("Action") == "kill"}
    return [
        problem
        for event in events
        if (problem := _PROBLEMS.get(str(event.get("Action")))) and event["Actor"]["ID"] not in asked
        and (event["Actor"].get("Attributes") or {}).get("exitCode") != "0"
    ]


def _read(store: EventStore, arriving: queue.Queue[dict[str, Any] | TriageError | None]) -> None:
    """The stream's events into a queue; at its end the reason, or None."""
    ended: TriageError | None = None
    try:
        for event in store.stream():
            arriving.put(event)
    except TriageError as error:
        ended = error
    arriving.put(ended)


def _gathered(arriving: queue.Queue[dict[str, Any] | TriageError | None]) -> tuple[list[dict[str, Any]], object]:
    """What comes within a moment after the first event; and the end of the stream (True or its reason), if it came."""
    batch: list[dict[str, Any]] = []
    until = time.monotonic() + _GATHER_S
    while (left := until - time.monotonic()) > 0:
        try:
            item = arriving.get(timeout=left)
        except queue.Empty:
            break
        if not isinstance(item, dict):
            return batch, item or True
        batch.append(item)
    return batch, None
