"""One round of probes: each is run in its container by the engine, bounded in time and size, and its answer made rows.

Credentials are the container's own: they go from its environment or command into the environment of the probe's process,
are in no argument, and are taken out of whatever is said of a failure.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from triage.collect.docker import Container, Engine
from triage.collect.engine_errors import Translated
from triage.collect.names import printable
from triage.errors import TriageError, UnavailableError
from triage.schema import SNAPSHOTS
from triage.state import programs
from triage.state.probes import QUEUE, Probe
from triage.state.process import Process, described

LIMIT_S = 20  # rabbitmqctl and celery alone take seconds to start
LIMIT_BYTES = 256 << 10
_AT_ONCE = 4
_DEFAULT_QUEUE = "celery"
# Names of nodes and queues, celery@host.example above all, are no addresses of people.
_NAMES = frozenset({("celery", "node"), ("rabbitmqctl", "name")})
_DSN = re.compile(r"postgres(?:ql)?(?:\+\w+)?://[^/\s]+/([\w-]+)")


@dataclass(frozen=True, slots=True)
class Manner:
    """How a round is asked."""

    clean: Callable[[str], str] = str  # applied to every value and error before anything else sees it (redaction)
    settings: Mapping[str, str] = field(default_factory=dict)  # `[probes]` of triage.toml
    limit_s: float = LIMIT_S
    reason: str = "asked"


@dataclass(frozen=True, slots=True)
class Question:
    """One probe in one container, with its places filled in."""

    container: Container
    process: Process
    probe: Probe
    command: tuple[str, ...]
    labels: Mapping[str, str]
    database: str | None = None  # that the project's programs use, where one of them says


def take(
    engine: Engine, containers: Sequence[Container], probes: Sequence[Probe], manner: Manner | None = None
) -> pl.DataFrame:
    """Rows of SNAPSHOTS from every probe in every running container that it fits; a failure is a row with `error`."""
    how = manner or Manner()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        processes = dict(pool.map(lambda c: (c, _process(engine, c)), [c for c in containers if c.running]))
        running = {container: process for container, process in processes.items() if process is not None}
        answers = list(pool.map(lambda one: _rows(engine, one, how), questions(running, probes)))
    return pl.DataFrame([row for rows in answers for row in rows], schema=SNAPSHOTS)


def questions(running: Mapping[Container, Process], probes: Sequence[Probe]) -> Iterator[Question]:
    """What is to be asked where. Celery's nodes all answer one question: replicas of a service are not asked again."""
    asked: set[tuple[str, str | None, str]] = set()
    for container, process in running.items():
        for probe in probes:
            if not probe.fits(process):
                continue
            if probe.program == "celery":
                key = (probe.id, container.project, container.service_name)
                if key in asked:
                    continue
                asked.add(key)
            if QUEUE not in " ".join(probe.command):
                yield Question(container, process, probe, probe.command, probe.labels, _database(container, running))
                continue
            for name in _queues(container, running):
                filled = tuple(word.replace(QUEUE, name) for word in probe.command)
                yield Question(container, process, probe, filled, {**probe.labels, "queue": name})


def _queues(beside: Container, running: Mapping[Container, Process]) -> list[str]:
    """The queues of the Celery workers in the same project, and the one that Celery takes by default."""
    workers = [
        programs.queues(process) for container, process in running.items() if container.project == beside.project
    ]
    return list(dict.fromkeys([_DEFAULT_QUEUE, *(name for names in workers for name in names)]))


def _database(beside: Container, running: Mapping[Container, Process]) -> str | None:
    """The database that most of the project's programs are told to use, by the addresses in their environment."""
    named = [
        found[1]
        for container, process in running.items()
        if container.project == beside.project
        for value in process.environment.values()
        if (found := _DSN.match(value))
    ]
    return max(sorted(set(named)), key=named.count, default=None)


def _process(engine: Engine, container: Container) -> Process | None:
    try:
        return described(engine.inspect(container))
    except TriageError:  # removed meanwhile
        return None


def _rows(engine: Engine, one: Question, how: Manner) -> list[dict[str, object]]:
    now, began = datetime.now(UTC), time.monotonic()
    answered: list[dict[str, str]] = []
    error = None
    try:
        if (text := _run(engine, one, how)) is None:
            return []
        answered = programs.parsed(one.probe, text)
    except TriageError as failure:
        error = how.clean(printable(failure.message))
    container, probe = one.container, one.probe
    common: dict[str, object] = {
        "timestamp": now, "date": now.date(), "service_name": container.service_name, "container_name": container.name,
        "container_id": container.id, "probe": probe.id, "supports": list(probe.supports), "reason": how.reason,
        "duration_ms": (time.monotonic() - began) * 1000,
    }  # fmt: skip
    if error is not None or not answered:
        labels = [{"key": k, "value": v} for k, v in one.labels.items()]
        return [common | {"row": None, "values": labels, "error": error}]
    return [
        common | {"row": n, "error": None}
        | {"values": [{"key": k, "value": _cleaned(probe, k, v, how)} for k, v in {**row, **one.labels}.items()]}
        for n, row in enumerate(answered)
    ]  # fmt: skip


def _cleaned(probe: Probe, column: str, value: str, how: Manner) -> str:
    safe = printable(value)
    return safe if (probe.program, column) in _NAMES else how.clean(safe)


def _run(engine: Engine, one: Question, how: Manner) -> str | None:
    """Standard output of the probe, None where it does not apply; a thread is left behind where the engine hangs."""
    done: list[str | TriageError | None] = []

    def ask() -> None:
        try:
            done.append(_answer(engine, one, how))
        except TriageError as error:
            done.append(error)

    thread = threading.Thread(target=ask, name=f"probe-{one.probe.id}", daemon=True)
    thread.start()
    thread.join(how.limit_s + 2)
    if not done:
        raise UnavailableError(f"no answer within {how.limit_s:g} s", one.container.name)
    if isinstance(done[0], TriageError):
        raise done[0]
    return done[0]


def _answer(engine: Engine, one: Question, how: Manner) -> str | None:
    given = programs.environment(one.probe, one.process, how.settings, one.database)
    lacks = programs.lacks(one.probe)
    if lacks and _output(engine, one, how, lacks, given).split()[-1:] != ["0"]:
        return None
    return _output(engine, one, how, programs.argv(one.probe, one.process, one.command), given)


def _output(engine: Engine, one: Question, how: Manner, argv: Sequence[str], given: Mapping[str, str]) -> str:
    # `timeout` ends the process inside, which the engine's API cannot.
    words = ["timeout", "-s", "KILL", f"{how.limit_s:g}", *argv]
    code, out, err = _executed(engine, one.container, words, given)
    if code == 137:
        raise UnavailableError(f"no answer within {how.limit_s:g} s", one.container.name)
    if code or (one.probe.program == "redis-cli" and out.startswith(("ERR", "NOAUTH", "WRONG", "NOPERM", "(error)"))):
        said = (err.strip() or out.strip()).partition("\n")[0]
        for secret in (value for name, value in given.items() if name in programs.SECRETS):
            said = said.replace(secret, "…")
        raise UnavailableError(said[:300] or f"{one.probe.program} ended with {code}", one.container.name)
    return out


def _executed(
    engine: Engine, container: Container, words: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command in a container."""
    streams: tuple[list[bytes], list[bytes]] = ([], [])
    size, api = 0, engine.client.api
    with Translated(engine.url, container.name):
        made: dict[str, Any] = api.exec_create(container.id, list(words), environment=dict(environment))
        for chunks in api.exec_start(made["Id"], stream=True, demux=True):
            for kept, chunk in zip(streams, chunks, strict=True):
                kept.append(chunk or b"")
                size += len(chunk or b"")
            if size > LIMIT_BYTES:
                raise UnavailableError(f"the answer is longer than {LIMIT_BYTES >> 10} KiB", container.name)
        code = int(api.exec_inspect(made["Id"])["ExitCode"])
    out, err = (b"".join(part).decode("utf-8", "replace") for part in streams)
    return code, out, err
