"""An engine's events: starts, ends, memory kills, health … each stored once, over kills of either side.

The engine keeps only its last 256 events, and none over its own restart. Each catching up reads all that it still has;
an event is known by its id (engine, container, action, nanosecond), so that reading it again does no harm. Where the
newest event of last time is no longer among them, something may be missing: the states of the containers then tell the
last start and end of each, and what cannot be concluded either is noted as a gap.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import polars as pl

from triage.collect.docker import Container, Engine, engine_time, nanoseconds
from triage.collect.engine_errors import Translated, refused
from triage.collect.names import printable
from triage.errors import TriageError, UnavailableError
from triage.lake.state import StateTable
from triage.lake.table import Lake
from triage.schema import CONTAINER_EVENTS
from triage.state.selection import Selection

TABLE = "container_events"
ACTIONS = frozenset({
    "create", "start", "die", "oom", "kill", "stop", "restart", "health_status", "rename", "pause", "unpause", "update",
    "destroy",
})  # fmt: skip
_SLACK_NS = 10 * 10**9  # events are stamped before they are filed: their order may cross
# An event comes after what its container's state says, by what the engine did in between: seconds under load.
_BEFORE_NS, _AFTER_NS = 50 * 10**6, 10 * 10**9
_REMEMBERED = timedelta(days=7)
_ATTEMPTS = 3
_NEVER = "0001-"
# What differs from one container of a service to the next without being a change of it.
_VOLATILE = ("Hostname",)
_VOLATILE_LABELS = ("com.docker.compose.container-number", "com.docker.compose.replace", "com.docker.compose.oneoff")
Row = dict[str, Any]


@dataclass
class EventStore:
    """Stores the events of one engine's chosen containers, and notes as gaps of the lake what could not be had."""

    engine: Engine
    lake: Lake
    selection: Selection

    def __post_init__(self) -> None:
        info = self._get("/info")
        self._engine_id = str(info.get("ID") or info.get("Name"))
        self._cursor_name = f"engine:{self._engine_id}:{self.selection.key}"
        self._guard = f"engine:{self._engine_id}"  # one writer at a time, whatever the selection
        self._reload()

    def _reload(self) -> None:
        self._table = StateTable(self.lake, TABLE)
        self._known = self._table.frame(datetime.now(UTC).date() - _REMEMBERED)

    @property
    def since(self) -> int:
        """From where a stream must begin so that nothing is missed behind what is stored, in nanoseconds."""
        return max(0, (self._table.cursor(self._cursor_name) or 0) - _SLACK_NS)

    def catch_up(self) -> int:
        """Store what the engine still knows, and what its containers' states tell of the rest; new rows."""
        until = nanoseconds(str(self._get("/info")["SystemTime"])) or 0
        raw = list(self._events(since=None, until=until))
        cursor = self._table.cursor(self._cursor_name)
        if any(event["timeNano"] == cursor for event in raw):
            return self.store(raw)
        complete_from = min((int(event["timeNano"]) for event in raw), default=until)
        containers = self.selection.of(self.engine.containers())
        described = {c.id: state for c in containers if (state := self._described(c)) is not None}
        rows = self._rows(raw, described)
        found = [
            row for c in containers if c.id in described for row in self._concluded(c, described[c.id], cursor, complete_from, rows)
        ]
        if cursor is not None:
            # Before the events: a gap told twice does no harm, a hole that nobody explains does.
            self.lake.note(list(self._missing(cursor, complete_from, containers, described, [*rows, *found])))
        return self._commit([*found, *rows], raw, floor=complete_from)

    def store(self, raw: Sequence[Mapping[str, Any]]) -> int:
        """Store events as the engine gave them; how many were new."""
        return self._commit(self._rows(raw, {}), raw)

    def stream(self) -> Iterator[dict[str, Any]]:
        """The containers' events since what is stored, and then as they happen."""
        yield from self._events(since=self.since, until=None)

    # Reading

    def _get(self, path: str) -> dict[str, Any]:
        api = self.engine.client.api
        with Translated(self.engine.url):
            answer: dict[str, Any] = api._result(api._get(api._url(path)), json=True)
        return answer

    def _events(self, since: int | None, until: int | None) -> Iterator[dict[str, Any]]:
        params: dict[str, str] = {"since": engine_time(since) if since else "0"}
        params |= {"until": engine_time(until)} if until is not None else {}
        # A bounded answer is taken whole: any event of the engine shows that what it keeps reaches back so far.
        params |= {"filters": json.dumps({"type": ["container"]})} if until is None else {}
        api = self.engine.client.api
        with Translated(self.engine.url):
            response = api._get(api._url("/events"), params=params, stream=True, timeout=(10, 60 if until else None))
            with response:
                if response.status_code >= 400:
                    raise refused(response.status_code, response.content, "events")
                for line in response.iter_lines(chunk_size=None):
                    if line:
                        yield json.loads(line)

    def _described(self, container: Container) -> dict[str, Any] | None:
        try:
            return self.engine.inspect(container)
        except TriageError:  # removed meanwhile
            return None

    # Rows

    def _rows(self, raw: Iterable[Mapping[str, Any]], described: dict[str, dict[str, Any]]) -> list[Row]:
        """The new ones of the chosen containers' events."""
        cursor = self._table.cursor(self._cursor_name)
        floor = 0 if cursor is None else cursor - _SLACK_NS  # older ones may have been stored and forgotten again
        known = set(self._known["event_id"])
        rows: list[Row] = []
        for event in raw:
            action, _, detail = str(event.get("Action") or event.get("status") or "").partition(": ")
            if event.get("Type", "container") != "container" or action not in ACTIONS or int(event["timeNano"]) < floor:
                continue
            given = {str(k): str(v) for k, v in (event["Actor"].get("Attributes") or {}).items()}
            name = printable(given.get("name", event["Actor"]["ID"][:12]))
            container = Container(self.engine, event["Actor"]["ID"], name, printable(given.get("image", "")), True, given)
            row = self._row(container, action, int(event["timeNano"]), "event")
            if row["event_id"] in known or not self.selection.of([container]):
                continue
            known.add(row["event_id"])
            row["exit_code"] = int(given["exitCode"]) if given.get("exitCode", "").isdigit() else None
            row["signal"], row["health"] = given.get("signal"), (printable(detail) or None) if action == "health_status" else None
            if "oldName" in given:
                row["attributes"].append({"key": "old_name", "value": printable(given["oldName"].lstrip("/"))})
            rows.append(row)
        self._complete(rows, described)
        return rows

    def _row(self, container: Container, action: str, time_ns: int, method: str) -> Row:
        text = f"{self._engine_id} {container.id} {action} {time_ns}"
        return {
            "timestamp": _moment(time_ns),
            "service_name": container.service_name, "container_name": container.name, "container_id": container.id,
            "container_image_name": container.image, "host_name": self.engine.host_name, "action": action,
            "method": method, "event_id": blake2b(text.encode(), digest_size=8).hexdigest(), "time_ns": time_ns,
            "attributes": [],
        }  # fmt: skip

    def _complete(self, rows: Sequence[Row], described: dict[str, dict[str, Any]]) -> None:
        """What only the container's description tells, for the newest start and end of each."""
        newest: dict[tuple[str, str], Row] = {}
        for row in rows:
            if row["action"] in ("start", "die"):
                newest[row["container_id"], row["action"]] = row
        for (container_id, action), row in newest.items():
            if container_id not in described:
                container = Container(self.engine, container_id, row["container_name"], "", True)
                if (state := self._described(container)) is None:
                    continue
                described[container_id] = state
            self._from_state(row, action, described[container_id])

    def _from_state(self, row: Row, action: str, described: Mapping[str, Any]) -> None:
        state = described["State"]
        if action == "start":
            row["restart_count"], row["config"] = described.get("RestartCount"), configuration(described)
            row["attributes"].append({"key": "image_id", "value": str(described.get("Image"))})
        elif not state["Running"] and _near(row["time_ns"], nanoseconds(state["FinishedAt"])):
            row["oom_killed"] = bool(state.get("OOMKilled"))

    # What the engine no longer tells

    def _concluded(
        self, container: Container, described: Mapping[str, Any], cursor: int | None, before: int, rows: Sequence[Row]
    ) -> Iterator[Row]:
        """The container's last start and end, where they lie in the time of which the engine knows no more."""
        state = described["State"]
        for action, moment in (("start", state.get("StartedAt")), ("die", state.get("FinishedAt"))):
            time_ns = nanoseconds(moment) if moment and not moment.startswith(_NEVER) else None
            if time_ns is None or time_ns >= before or time_ns <= (cursor or 0):
                continue
            if any(r["container_id"] == container.id and r["action"] == action and _near(r["time_ns"], time_ns) for r in rows):
                continue
            stored = self._known.filter((pl.col("container_id") == container.id) & (pl.col("action") == action))
            if any(_near(known, time_ns) for known in stored["time_ns"]):
                continue
            row = self._row(container, action, time_ns, "inspect")
            self._from_state(row, action, described)
            if action == "die" and not state["Running"]:
                row["exit_code"] = state.get("ExitCode")
            yield row

    def _missing(
        self, cursor: int, until: int, containers: Sequence[Container], described: Mapping[str, Any], rows: Sequence[Row]
    ) -> Iterator[dict[str, Any]]:
        """Notes of restarts that are only counted, and of containers that went away unseen."""
        last = self._known.sort("time_ns").group_by("container_id", maintain_order=True).last()
        for known in last.filter(pl.col("action") != "destroy").iter_rows(named=True):
            own = [row for row in rows if row["container_id"] == known["container_id"]]
            name = known["container_name"]
            if known["container_id"] not in described and not any(row["action"] == "destroy" for row in own):
                if known["container_id"] not in {c.id for c in containers} and self._is_chosen(known):
                    yield _gap(cursor, until, known, f"{name}: removed, and the engine no longer knows when")
                continue
            if known["container_id"] in described:
                stored = self._known.filter(pl.col("container_id") == known["container_id"], pl.col("action") == "start")
                counted = stored.filter(pl.col("restart_count").is_not_null()).sort("time_ns").tail(1)
                if counted.is_empty():
                    continue
                now = int(described[known["container_id"]].get("RestartCount") or 0)
                seen = stored.filter(pl.col("time_ns") > counted["time_ns"][0]).height
                lost = now - counted["restart_count"][0] - seen - sum(row["action"] == "start" for row in own)
                if lost > 0:
                    yield _gap(cursor, until, known, f"{name}: {lost} restarts are known by their number only")

    def _is_chosen(self, known: Mapping[str, Any]) -> bool:
        container = Container(self.engine, known["container_id"], known["container_name"], "", False)
        return self.selection.project is None and not self.selection.labels and bool(self.selection.of([container]))

    # Storing

    def _commit(self, rows: Sequence[Row], raw: Sequence[Mapping[str, Any]], floor: int = 0) -> int:
        newest = max((int(event["timeNano"]) for event in raw), default=floor)
        before = self._table.cursor(self._cursor_name)
        if not rows and (before is None or newest <= before or not floor):
            return 0
        frame = pl.DataFrame(list(rows), schema=CONTAINER_EVENTS).sort("time_ns")
        for attempt in range(_ATTEMPTS):
            guard = self._table.cursor(self._guard) or 0
            cursors = {self._cursor_name: max(newest, self._table.cursor(self._cursor_name) or 0), self._guard: guard + 1}
            try:
                self._table.append(frame, cursors)
                break
            except UnavailableError:  # another collector of this engine was first: what it stored is known now
                if attempt == _ATTEMPTS - 1:
                    raise
                self._reload()
                frame = frame.join(self._known, "event_id", "anti")
        self._known = pl.concat([self._known, frame])
        return frame.height


def configuration(described: Mapping[str, Any]) -> str:
    """Hash of a container's image and settings: another one for the same service is a deployment."""
    config = {key: value for key, value in (described.get("Config") or {}).items() if key not in _VOLATILE}
    labels = {key: value for key, value in (config.get("Labels") or {}).items() if key not in _VOLATILE_LABELS}
    config["Labels"], host = labels, dict(described.get("HostConfig") or {})
    host.pop("ContainerIDFile", None)
    text = json.dumps([described.get("Image"), config, host], sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _near(event_ns: int, state_ns: int | None) -> bool:
    return state_ns is not None and -_BEFORE_NS <= event_ns - state_ns <= _AFTER_NS


def _gap(start: int, end: int, known: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {
        "timestamp": datetime.now(UTC), "origin": f"docker:{known['container_id']}", "service_name": known["service_name"],
        "kind": "gap", "start": _moment(start), "end": _moment(max(start, end)), "lines": None, "message": reason,
    }  # fmt: skip


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // 10**9, UTC).replace(microsecond=time_ns // 1000 % 10**6)
