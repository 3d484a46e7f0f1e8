"""What `triage doctor` says: can all logs be collected before they are deleted, and do the programs log what is needed?

Each finding has a fix that can be copied. Nothing is changed here: programs are asked by probes, logs are read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from triage.collect import docker
from triage.collect.docker import Container, Engine
from triage.errors import TriageError
from triage.parse import ParseOptions, parse
from triage.state import judgements, programs
from triage.state.judgements import Finding
from triage.state.probes import Probe
from triage.state.process import Process, described
from triage.state.snapshot import Manner, take

_READABLE = ("json-file", "local", "journald")
_PER_LINE = {"json-file": 70, "local": 30}  # what the driver adds to each line in its files
_LOCAL_DEFAULT = (20 << 20, 5)  # of the driver `local`: max-size and max-file
_MEASURED = timedelta(hours=1)  # at least so much of the log
_READ_S, _READ_BYTES = 3.0, 64 << 20
_LEAST_S = 60.0  # a burst in the first seconds of a container is no rate
_LOOKED_AT = 2000  # newest lines, for clocks and levels
_ENOUGH_H = 24.0
_TOO_SHORT_H = 2.0
_CLOCK_S = 2.0
_QUARTER = 900  # zones differ by quarters of an hour
_ASKED = ("postgres_settings", "celery_conf")
_LOGGING = 'logging: {driver: local, options: {max-size: "50m", max-file: "5"}}  # in the compose file'


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a container logged lately."""

    lines: int
    bytes: int
    seconds: float
    records: pl.DataFrame  # of the newest lines, with their own clocks taken for UTC

    @property
    def per_hour(self) -> float:
        return 3600 * self.bytes / self.seconds if self.seconds > 0 else 0.0


def check(engine: Engine, project: str | None, probes: Sequence[Probe], manner: Manner) -> Iterator[Finding]:
    """Findings about the engine, each container, and the programs in them."""
    yield Finding("ok", engine.url, "the container engine answers")
    yield from _engine_clock(engine)
    containers = engine.find(project=project)
    processes: dict[str, Process] = {}
    for container in containers:
        try:
            answer = engine.inspect(container)
            processes[container.name] = described(answer)
            yield from _container(container, answer, processes[container.name])
        except TriageError as error:
            yield Finding("problem", container.name, error.message, error.hint)
    answers = take(engine, containers, [probe for probe in probes if probe.id in _ASKED], manner)
    for (name, probe), rows in answers.group_by("container_name", "probe", maintain_order=True):
        yield from _program(str(name), str(probe), rows, processes[str(name)])


def _program(name: str, probe: str, rows: pl.DataFrame, process: Process) -> Iterator[Finding]:
    if error := next(iter(rows["error"].drop_nulls()), None):
        yield Finding(
            "problem",
            name,
            f"the program in it does not answer: {error}",
            "triage snapshot --format json shows how each probe fares",
        )
        return
    values = [{pair["key"]: pair["value"] for pair in row} for row in rows["values"]]
    if probe == "postgres_settings":
        told = {row["name"]: row.get("setting", "") for row in values}
        yield from judgements.postgres(name, told, programs.psql_options(process))
    else:
        yield from judgements.celery(name, process, values)


def _engine_clock(engine: Engine) -> Iterator[Finding]:
    asked = time.time_ns()
    api = engine.client.api
    told = docker.nanoseconds(str(api._result(api._get(api._url("/info")), json=True).get("SystemTime") or ""))
    answered = time.time_ns()
    ahead = ((told or asked) - (asked + answered) / 2) / 1e9
    # The answer was written somewhere between asking and hearing.
    if abs(ahead) <= (answered - asked) / 2e9 + 0.5:
        yield Finding("ok", engine.url, "its clock and this machine's agree")
    else:
        word = "ahead of" if ahead > 0 else "behind"
        level = "problem" if abs(ahead) >= _CLOCK_S else "note"
        yield Finding(
            level,
            engine.url,
            f"its clock is {abs(ahead):.1f} s {word} this machine's",
            "timedatectl set-ntp true  # on both",
        )


def _container(container: Container, answer: Mapping[str, Any], process: Process) -> Iterator[Finding]:
    host, config = answer.get("HostConfig") or {}, answer.get("Config") or {}
    driver, options = (
        str((host.get("LogConfig") or {}).get("Type") or ""),
        (host.get("LogConfig") or {}).get("Config") or {},
    )
    if driver not in _READABLE:
        yield Finding(
            "problem",
            container.name,
            f"log driver `{driver}`: the engine keeps nothing that can be collected",
            _LOGGING,
        )
    else:
        measured = _measure(container)
        yield _remaining(container.name, driver, options, measured)
        yield from _clock(container.name, measured.records)
    if not host.get("Memory"):
        yield Finding(
            "note",
            container.name,
            "it has no memory limit: a leak takes the host with it",
            "mem_limit: 512m  # in the compose file",
        )
    if not config.get("Healthcheck"):
        yield Finding("note", container.name, "it has no health check", judgements.health_check(process))
    if (host.get("RestartPolicy") or {}).get("Name") in (None, "", "no"):
        yield Finding(
            "note",
            container.name,
            "it is not started again after a failure",
            "restart: unless-stopped  # in the compose file",
        )


def _measure(container: Container) -> _Measured:
    """Lines and bytes since the day began (UTC) or for an hour; of a very busy log as much as can be read in seconds."""
    now = datetime.now(UTC)
    since = min(now.replace(hour=0, minute=0, second=0, microsecond=0), now - _MEASURED)
    began, lines, size, newest, oldest = time.monotonic(), 0, 0, 0, None
    kept = pl.DataFrame()
    for batch in docker.read(container, lambda name: None, since=since):
        if not batch.lines.height:
            continue
        lines += batch.lines.height
        size += int(batch.lines["text"].str.len_bytes().sum())
        newest = int(batch.lines["position"].max())  # type: ignore[arg-type]
        oldest = oldest or int(batch.lines["position"].min())  # type: ignore[arg-type]
        kept = batch.lines.tail(_LOOKED_AT)
        if size > _READ_BYTES or time.monotonic() - began > _READ_S:
            now = datetime.fromtimestamp(newest / 1e9, UTC)
            break
    records = parse(kept, container.resource, ParseOptions(tz="UTC")) if kept.height else pl.DataFrame()
    # A young container has no whole day behind it, and of a rotated log the beginning is gone.
    first = since if oldest is None else datetime.fromtimestamp(oldest / 1e9, UTC)
    return _Measured(lines, size, max((now - first).total_seconds(), _LEAST_S), records)


def _remaining(name: str, driver: str, options: Mapping[str, str], measured: _Measured) -> Finding:
    """How far back the log reaches at today's rate."""
    rate = measured.per_hour + 3600 * _PER_LINE.get(driver, 0) * measured.lines / max(measured.seconds, 1.0)
    told = f"log driver `{driver}`, {_size(rate)} an hour today"
    if driver == "journald":
        return Finding(
            "note",
            name,
            f"{told}: how much is kept is the host's setting",
            "SystemMaxUse=2G  # in /etc/systemd/journald.conf",
        )
    size, files = _bytes(str(options.get("max-size") or "")), int(options.get("max-file") or 1)
    if driver == "local":
        size, files = size or _LOCAL_DEFAULT[0], int(options.get("max-file") or _LOCAL_DEFAULT[1])
    if not size:
        return Finding("note", name, f"{told}: it grows without limit until the disk is full", _LOGGING)
    # At a rotation the oldest file goes: one less is sure to be there.
    sure = size * max(files - 1, 1) if files > 1 else size / 2
    hours = sure / rate if rate > 0 else float("inf")
    kept = f"{told}: {files} × {_size(size)} " + (
        "hold all of it" if hours > 24 * 365 else f"reach back {_hours(hours)}"
    )
    level = "problem" if hours < _TOO_SHORT_H or size * files < 1 << 20 else "note" if hours < _ENOUGH_H else "ok"
    return Finding(level, name, kept, None if level == "ok" else _LOGGING)


def _clock(name: str, records: pl.DataFrame) -> Iterator[Finding]:
    """What the program's own clock says beside the engine's."""
    if records.is_empty():
        return
    ahead = (
        records.filter(pl.col("timestamp") != pl.col("observed_timestamp"))  # equal where a record states no time
        .select((pl.col("timestamp") - pl.col("observed_timestamp")).dt.total_milliseconds() / 1000)
        .to_series()
        .drop_nulls()
    )
    if ahead.is_empty():
        return
    middle = float(ahead.median())  # type: ignore[arg-type]
    quarters = round(middle / _QUARTER)
    if quarters and abs(middle - quarters * _QUARTER) < 60:
        zone = f"{'+' if quarters > 0 else '-'}{abs(quarters) // 4:02d}:{abs(quarters) % 4 * 15:02d}"
        yield Finding(
            "note",
            name,
            f"its lines carry local times of UTC{zone} without the zone",
            f"TZ: UTC  # in the compose file; of files: triage ingest --tz {zone}",
        )
    elif middle > _CLOCK_S or middle < -30:  # lines may be held back for a while, but not come before they were written
        yield Finding(
            "problem",
            name,
            f"the times in its lines are {abs(middle):.0f} s {'ahead of' if middle > 0 else 'behind'} the engine's clock",
            "timedatectl set-ntp true  # on its host; else its output is buffered: PYTHONUNBUFFERED=1",
        )


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([kmg]?)b?", text.lower())
    return int(found[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[found[2]] if found else 0


def _size(size: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} bytes"


def _hours(hours: float) -> str:
    return (
        f"{hours / 24:.0f} days" if hours >= 72 else f"{hours:.0f} hours" if hours >= 3 else f"{hours * 60:.0f} minutes"
    )
