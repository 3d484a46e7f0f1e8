"""One round of probes: each is run in its container by the engine, bounded in time and size, and its answer stored.

Credentials are the container's own: they go from its environment into that of the probe's process, are in no argument,
and are taken out of whatever is said of a failure.
"""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import polars as pl

from triage.collect.docker import Container, Engine
from triage.collect.engine_errors import Translated
from triage.collect.names import printable
from triage.errors import TriageError, UnavailableError
from triage.schema import SNAPSHOTS
from triage.state.probes import Probe

LIMIT_S = 15  # rabbitmqctl alone takes seconds to start
LIMIT_BYTES = 256 << 10
_AT_ONCE = 4
_READ_ONLY = "-c default_transaction_read_only=on -c statement_timeout=5000 -c lock_timeout=1000 -c application_name=triage"

# After its first query a transaction cannot be made a writing one any more.
_SEAL = "DO $$ BEGIN PERFORM 1; END $$"


def take(
    engine: Engine, containers: Sequence[Container], probes: Sequence[Probe],
    clean: Callable[[str], str] = str, limit_s: float = LIMIT_S,
) -> pl.DataFrame:  # fmt: skip
    """Rows of SNAPSHOTS from every probe in every running container that it fits; a failure is a row with `error`.

    `clean` is applied to every value and error before anything else sees it (redaction).
    """
    pairs = [(c, p) for c in containers if c.running for p in probes if p.fits(c.image)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda pair: _rows(engine, pair[0], pair[1], clean, limit_s), pairs))
    return pl.DataFrame([row for rows in answers for row in rows], schema=SNAPSHOTS)


def _rows(
    engine: Engine, container: Container, probe: Probe, clean: Callable[[str], str], limit_s: float
) -> list[dict[str, object]]:
    now, began = datetime.now(UTC), time.monotonic()
    rows: list[dict[str, str]] = []
    error = None
    try:
        rows = parsed(probe, _run(engine, container, probe, limit_s))
    except TriageError as failure:
        error = clean(failure.message)
    common: dict[str, object] = {
        "timestamp": now, "date": now.date(), "service_name": container.service_name, "container_name": container.name,
        "container_id": container.id, "probe": probe.id, "supports": list(probe.supports),
        "duration_ms": (time.monotonic() - began) * 1000,
    }  # fmt: skip
    if error is not None:
        return [common | {"row": None, "values": [], "error": error}]
    return [
        common | {"row": n, "values": [{"key": k, "value": clean(v)} for k, v in row.items()], "error": None}
        for n, row in enumerate(rows)
    ]


def argv(probe: Probe) -> list[str]:
    """All that is run in the container: no shell, no secret; `psql` within a transaction that cannot write."""
    if probe.query is not None:
        words = ["psql", "-X", "-q", "--csv", "-w", "-v", "ON_ERROR_STOP=1"]
        steps = ["BEGIN READ ONLY", _SEAL, probe.query, "ROLLBACK"]
        return words + [word for step in steps for word in ("-c", step)]
    if probe.program == "redis-cli":
        return ["redis-cli", *probe.command]
    return ["rabbitmqctl", "--quiet", "--formatter", "json", *probe.command]


def environment(probe: Probe, own: Mapping[str, str]) -> dict[str, str]:
    """What the probe's process gets besides the container's own environment."""
    if probe.program == "redis-cli":
        password = own.get("REDISCLI_AUTH") or own.get("REDIS_PASSWORD")
        return {"REDISCLI_AUTH": password} if password else {}
    if probe.program != "psql":
        return {}
    user = own.get("PGUSER") or own.get("POSTGRES_USER") or "postgres"
    given = {
        "PGOPTIONS": _READ_ONLY, "PGCONNECT_TIMEOUT": "5", "PGUSER": user,
        "PGDATABASE": own.get("PGDATABASE") or own.get("POSTGRES_DB") or user,
    }  # fmt: skip
    password = own.get("PGPASSWORD") or own.get("POSTGRES_PASSWORD")
    return given | ({"PGPASSWORD": password} if password else {})


def parsed(probe: Probe, text: str) -> list[dict[str, str]]:
    """The rows of an answer, with the probe's columns and labels; UnavailableError where it has another form."""
    rows: list[dict[str, Any]]
    try:
        if probe.program == "psql":
            rows = list(csv.DictReader(io.StringIO(text)))
        elif probe.program == "rabbitmqctl":
            rows = json.loads(text)
        elif probe.command[0] == "INFO":
            rows = [dict(line.split(":", 1) for line in text.splitlines() if ":" in line)]
        else:
            rows = [{probe.columns[0]: int(text)}]
        return [
            {c: printable(str(row[c])) for c in probe.columns if row.get(c) not in (None, "")} | dict(probe.labels)
            for row in rows
        ]
    except (ValueError, AttributeError, TypeError, csv.Error):
        first = printable(text.strip().partition("\n")[0])[:200]
        raise UnavailableError(f"an answer of another form: {first or 'nothing'}", probe.id) from None


def _run(engine: Engine, container: Container, probe: Probe, limit_s: float) -> str:
    """Standard output of the probe; its thread is left behind where the engine does not answer in time."""
    done: list[str | TriageError] = []

    def ask() -> None:
        try:
            done.append(_answer(engine, container, probe, limit_s))
        except TriageError as error:
            done.append(error)

    thread = threading.Thread(target=ask, name=f"probe-{probe.id}", daemon=True)
    thread.start()
    thread.join(limit_s + 2)
    if not done:
        raise UnavailableError(f"no answer within {limit_s:g} s", container.name)
    if isinstance(done[0], TriageError):
        raise done[0]
    return done[0]


def _answer(engine: Engine, container: Container, probe: Probe, limit_s: float) -> str:
    described = engine.inspect(container)
    pairs = (entry.partition("=") for entry in (described.get("Config") or {}).get("Env") or ())
    given = environment(probe, {name: value for name, _, value in pairs})
    # `timeout` ends the process inside, which the engine's API cannot.
    words = ["timeout", "-s", "KILL", f"{limit_s:g}", *argv(probe)]
    streams: tuple[list[bytes], list[bytes]] = ([], [])
    size, api = 0, engine.client.api
    with Translated(engine.url, container.name):
        made = api.exec_create(container.id, words, environment=given)["Id"]
        for chunks in api.exec_start(made, stream=True, demux=True):
            for kept, chunk in zip(streams, chunks, strict=True):
                kept.append(chunk or b"")
                size += len(chunk or b"")
            if size > LIMIT_BYTES:
                raise UnavailableError(f"the answer is longer than {LIMIT_BYTES >> 10} KiB", container.name)
        code = api.exec_inspect(made)["ExitCode"]
    out, err = (b"".join(part).decode("utf-8", "replace") for part in streams)
    if code == 137:
        raise UnavailableError(f"no answer within {limit_s:g} s", container.name)
    if code or (probe.program == "redis-cli" and out.startswith(("ERR", "NOAUTH", "WRONG", "NOPERM", "(error)"))):
        said = (err.strip() or out.strip()).partition("\n")[0]
        for secret in (v for k, v in given.items() if k in ("PGPASSWORD", "REDISCLI_AUTH")):
            said = said.replace(secret, "…")
        raise UnavailableError(printable(said)[:300] or f"{probe.program} ended with {code}", container.name)
    return out
