"""Following many containers: found as they start and stop, asked in turn by a few threads, handed out in batches.

No log stream is kept open: rotation, an engine restart or a full buffer ends such a stream without a word. Each
container is asked for what is behind its cursor (see `logs`), soon again while it is busy, seldom while it is quiet,
and at once when the engine reports that it started or ended. Failures are said once and tried again with growing
pauses; one container that cannot be read does not stop the others.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from triage.collect.batches import no_lines
from triage.collect.docker import Container, Engine, choose, open_log
from triage.collect.logs import Log
from triage.collect.origins import CursorLookup
from triage.errors import TriageError
from triage.schema import Batch, Gap, Resource

DELAY_S = 5.0
_LIST_S = 2.0
_QUIET_S = 3.0  # after this long without a line the last record is complete
_FASTEST_S = 0.25
_STOPPED_S = 30.0
_LONGEST_PAUSE_S = 30.0
_TICK_S = 0.1
_BUSY_LINES = 2000  # more in one go: ask again at once, before rotation takes what is unread
_RATE_SPAN_S = 30.0


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """How collecting one container goes, for a status line."""

    origin: str
    name: str
    service_name: str
    running: bool
    lines: int  # handed out in this run
    lines_per_s: float
    lag_s: float  # age of the oldest moment that may hold lines not yet asked for
    problem: str | None  # why it cannot be read at present


@dataclass(slots=True)
class _Tracked:
    """One container and how reading it stands."""

    container: Container
    log: Log | None = None
    due: float = 0.0
    pause: float = 1.0
    busy: bool = False
    reopen: bool = True  # its state may have changed: inspect it before reading
    read_after_end: bool = False
    asked: float = field(default_factory=time.monotonic)
    newest: float = 0.0  # when lines last came
    open_record: bool = False
    problem: str | None = None
    rate: float = 0.0
    lines: int = 0


class _Stopped(Exception):
    """The run ends while a batch waits to be taken."""


class Follower(Iterator[Batch]):
    """The batches of all chosen containers, until stopped. `status` may be asked from any thread."""

    def __init__(
        self,
        engine: Engine,
        known: CursorLookup,
        *,
        names: Sequence[str] = (),
        project: str | None = None,
        labels: Sequence[str] = (),
        since: int | None = None,
        stop: threading.Event | None = None,
        delay_s: float = DELAY_S,
        workers: int = 4,
    ) -> None:
        self._engine, self._known = engine, known
        self._names, self._project, self._labels = names, project, labels
        self._since = since
        self._stop = stop or threading.Event()
        self._delay = delay_s
        self._wake = threading.Event()
        self._urgent: set[str] = set()
        self._tracked: dict[str, _Tracked] = {}
        self._lock = threading.Lock()
        self._ready: queue.Queue[Batch] = queue.Queue(maxsize=workers * 2)
        self._pool = ThreadPoolExecutor(workers, "triage-log")
        self._workers = workers
        self._took = 0.0  # seconds from asking one to having handed out its lines, of late
        self._finished = threading.Event()
        for target in (self._schedule, self._watch):
            threading.Thread(target=target, name=f"triage-{target.__name__}", daemon=True).start()

    def __iter__(self) -> Follower:
        return self

    def __next__(self) -> Batch:
        while True:
            try:
                return self._ready.get(timeout=_TICK_S)
            except queue.Empty:
                if self._finished.is_set() and self._ready.empty():
                    raise StopIteration from None

    def wait(self, timeout_s: float) -> Batch | None:
        """The next batch, or None when none came in time; StopIteration at the end. For callers with a clock."""
        try:
            return self._ready.get(timeout=timeout_s)
        except queue.Empty:
            if self._finished.is_set() and self._ready.empty():
                raise StopIteration from None
            return None

    def close(self) -> None:
        """Stop asking; batches that are ready can still be taken."""
        self._stop.set()
        self._wake.set()

    def status(self) -> list[ContainerStatus]:
        """One row for each container, by service."""
        now = time.monotonic()
        with self._lock:
            tracked = list(self._tracked.values())
        rows = [
            ContainerStatus(
                t.container.origin, t.container.name, t.container.service_name, t.container.running, t.lines,
                t.rate if now - t.newest < _RATE_SPAN_S else 0.0,
                max(0.0, now - t.asked) if t.container.running or not t.read_after_end else 0.0, t.problem,
            )
            for t in tracked
        ]  # fmt: skip
        return sorted(rows, key=lambda row: (row.service_name, row.name))

    # The scheduler's thread

    def _schedule(self) -> None:
        listed, pause = 0.0, 0.0
        try:
            while not self._stop.is_set():
                now = time.monotonic()
                # Events can come in showers: no more than two listings a second.
                if now >= listed or (self._wake.is_set() and not pause and now >= listed - _LIST_S + 0.5):
                    self._wake.clear()
                    pause = self._listing(pause)
                    listed = now + (pause or _LIST_S)
                if not pause:
                    self._start_due(now)
                self._stop.wait(_TICK_S)
        except _Stopped:
            pass
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._finished.set()

    def _listing(self, pause: float) -> float:
        """List the containers; the pause before the next attempt when the engine does not answer, else 0."""
        try:
            self._refresh()
        except TriageError as error:
            if not pause:
                self._say(f"{error.message}; trying again")
            return min(max(pause * 2, 1.0), _LONGEST_PAUSE_S)
        if pause:
            self._say("the container engine answers again")
            with self._lock:
                for tracked in self._tracked.values():
                    tracked.due = 0.0
        return 0.0

    def _refresh(self) -> None:
        chosen = {c.id: c for c in choose(self._engine.containers(), self._names, self._project, self._labels)}
        with self._lock:
            urgent, self._urgent = self._urgent, set()
            gone = [key for key in self._tracked if key not in chosen and not self._tracked[key].busy]
            removed = [self._tracked.pop(key) for key in gone]
            for key, container in chosen.items():
                tracked = self._tracked.setdefault(key, _Tracked(container))
                if tracked.container.running != container.running or key in urgent:
                    tracked.due, tracked.read_after_end, tracked.reopen = 0.0, False, True
                tracked.container = container
        for tracked in removed:
            if tracked.open_record:
                self._put(no_lines(tracked.container.origin, tracked.container.resource))
            if not tracked.read_after_end:
                self._say_removed(tracked)

    def _start_due(self, now: float) -> None:
        with self._lock:
            due = [t for t in self._tracked.values() if not t.busy and t.due <= now]
            for tracked in due:
                tracked.busy = True
        for tracked in sorted(due, key=lambda t: t.due):
            self._pool.submit(self._read, tracked)

    # The pool's threads

    def _read(self, tracked: _Tracked) -> None:
        started, before = time.monotonic(), tracked.lines
        try:
            if not self._stop.is_set():
                self._read_once(tracked, started)
                tracked.problem, tracked.asked = None, started
                tracked.read_after_end = not tracked.container.running
                self._rest(tracked, tracked.lines - before, started)
        except _Stopped:
            pass
        except TriageError as error:
            self._failed(tracked, error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - a thread that dies silently would lose a container for ever
            self._failed(tracked, f"unexpected failure: {error!r}", None)
        finally:
            tracked.busy = False

    def _read_once(self, tracked: _Tracked, started: float) -> None:
        if tracked.log is None or tracked.reopen:
            tracked.reopen = False
            fresh = open_log(tracked.container, self._known, since=self._since)
            if tracked.log is not None:  # go on behind what was handed out, which may not be committed yet
                fresh.cursor, fresh.since, fresh.expected = tracked.log.cursor, tracked.log.since, tracked.log.expected
            tracked.log = fresh
        log, ended = tracked.log, tracked.log.stopped
        for batch in log.new():
            if batch.lines.height:
                final = batch.final and (ended or log.silent_s > _QUIET_S)
                tracked.newest, tracked.open_record = time.monotonic(), not final
                tracked.lines += batch.lines.height
                self._put(replace(batch, final=final))
            else:
                self._put(replace(batch, final=False))
        log.since = None if log.cursor else log.since
        silent_s = max(log.silent_s, started - tracked.newest)
        if tracked.open_record and (ended or silent_s > _QUIET_S):
            tracked.open_record = False
            self._put(no_lines(tracked.container.origin, tracked.container.resource))

    def _rest(self, tracked: _Tracked, lines: int, started: float) -> None:
        now = time.monotonic()
        self._took += 0.1 * (now - started - self._took)
        span = max(now - started, tracked.pause, _FASTEST_S)
        tracked.rate = 0.5 * tracked.rate + 0.5 * lines / span if lines else tracked.rate * 0.7
        if not tracked.container.running:
            tracked.pause = _STOPPED_S
        elif lines > _BUSY_LINES:
            tracked.pause = _FASTEST_S
        elif lines or tracked.open_record:
            tracked.pause = self._shortest()
        else:
            tracked.pause = min(max(tracked.pause, self._shortest()) * 1.5, self._delay * 0.8)
        tracked.due = now + tracked.pause

    def _shortest(self) -> float:
        """So long that asking all in turn leaves as much time for what becomes of their lines."""
        turn = len(self._tracked) * self._took / self._workers
        return min(max(self._delay / 5, turn), self._delay * 0.8)

    def _failed(self, tracked: _Tracked, message: str, hint: str | None) -> None:
        # After the first failure the log is opened anew: the container may have another driver or be gone.
        text = f"{message} ({hint})" if hint else message
        said, tracked.problem, tracked.reopen = tracked.problem, text, True
        tracked.pause = min(max(tracked.pause, 1.0) * 2, _LONGEST_PAUSE_S)
        tracked.due = time.monotonic() + tracked.pause
        if said != text:
            with suppress(_Stopped):
                self._say(f"{tracked.container.name}: {text}", tracked)

    # What goes out

    def _say(self, note: str, tracked: _Tracked | None = None) -> None:
        resource = tracked.container.resource if tracked else Resource("engine")
        origin = tracked.container.origin if tracked else "docker"
        self._put(replace(no_lines(origin, resource, note), final=False))

    def _say_removed(self, tracked: _Tracked) -> None:
        reason = f"gap: {tracked.container.name}: it was removed before its last lines were read"
        now = datetime.now(UTC)
        gap = Gap(now - timedelta(seconds=time.monotonic() - tracked.asked), now, reason)
        batch = no_lines(tracked.container.origin, tracked.container.resource, reason)
        self._put(replace(batch, final=False, gaps=(gap,)))

    def _put(self, batch: Batch) -> None:
        """Hand out, waiting while the consumer is behind: memory stays bounded."""
        while True:
            try:
                self._ready.put(batch, timeout=_TICK_S)
            except queue.Full:
                if self._stop.is_set():
                    raise _Stopped from None  # nothing behind this batch may go out either; it comes again
            else:
                return

    # The events' thread

    def _watch(self) -> None:
        """Starts and ends at once instead of with the next listing; when events fail the listing is enough."""
        while not self._stop.is_set():
            try:
                for _, container_id in self._engine.events(self._stop):
                    with self._lock:
                        self._urgent.add(container_id)
                    self._wake.set()
            except TriageError:
                pass
            self._stop.wait(2.0)


def follow(
    engine: Engine,
    known: CursorLookup,
    *,
    names: Sequence[str] = (),
    project: str | None = None,
    labels: Sequence[str] = (),
    since: int | None = None,
    stop: threading.Event | None = None,
    delay_s: float = DELAY_S,
    workers: int = 4,
) -> Follower:
    """Start following: batches of the chosen containers, also of those that start later, until `stop` is set."""
    return Follower(
        engine, known, names=names, project=project, labels=labels, since=since, stop=stop, delay_s=delay_s,
        workers=workers,
    )  # fmt: skip
