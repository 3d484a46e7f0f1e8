"""How each program is asked: the words that are run in its container, what they get from its environment, and how its
answer is read. No shell, no secret in an argument; `psql` within a transaction that cannot write.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from triage.errors import UnavailableError
from triage.state.probes import Probe
from triage.state.process import Process

_READ_ONLY = (
    "-c default_transaction_read_only=on -c statement_timeout=5000 -c lock_timeout=1000 -c application_name=triage"
)
# After its first query a transaction cannot be made a writing one any more.
_SEAL = "DO $$ BEGIN PERFORM 1; END $$"
_POSTGRES, _REDIS = ("postgres", "postmaster"), ("redis-server", "valkey-server")
_REPLY_S = 3  # how long Celery's nodes are waited for
SECRETS = ("PGPASSWORD", "REDISCLI_AUTH")
Row = Mapping[str, Any]


def argv(probe: Probe, process: Process, command: Sequence[str]) -> list[str]:
    """All that is run in the container; `command` is the probe's, with its places filled in."""
    if probe.query is not None:
        return _psql(probe.query)
    if probe.program == "redis-cli":
        port = process.option(_REDIS, "--port")
        return ["redis-cli", *(("-p", port) if port and port.isdigit() else ()), *command]
    if probe.program == "celery":
        return [*_celery(process), *command, "--json", f"--timeout={_REPLY_S}"]
    return ["rabbitmqctl", "--quiet", "--formatter", "json", *command]


def lacks(probe: Probe) -> list[str] | None:
    """What is run to learn how many of the relations that a query needs are not there: its failure would be logged."""
    if not probe.needs:
        return None
    named = ", ".join(f"('{name}')" for name in probe.needs)  # checked to be plain names
    return _psql(f"SELECT count(*) AS lacking FROM (VALUES {named}) AS needed(name) WHERE to_regclass(name) IS NULL")


def _psql(query: str) -> list[str]:
    words = ["psql", "-X", "-q", "--csv", "-w", "-v", "ON_ERROR_STOP=1"]
    return words + [word for step in ("BEGIN READ ONLY", _SEAL, query, "ROLLBACK") for word in ("-c", step)]


def environment(probe: Probe, process: Process, given: Mapping[str, str], used: str | None = None) -> dict[str, str]:
    """What the probe's process gets besides the container's own environment.

    `given` are the user's settings, `used` is the database that other programs use, where this container names none.
    """
    own = process.environment
    if probe.program == "redis-cli":
        password = own.get("REDISCLI_AUTH") or own.get("REDIS_PASSWORD") or process.option(_REDIS, "--requirepass")
        return {"REDISCLI_AUTH": password} if password else {}
    if probe.program != "psql":
        return {}
    place = _server(process)
    mine = own.get("PGUSER") or place["PGUSER"]
    user = given.get("postgres_user") or mine
    database = given.get("postgres_database") or own.get("PGDATABASE") or own.get("POSTGRES_DB") or used
    password = own.get("PGPASSWORD") or own.get("POSTGRES_PASSWORD") if user == mine else None
    told = {"PGUSER": user, "PGDATABASE": database, "PGPASSWORD": password}
    return {
        "PGOPTIONS": _READ_ONLY, "PGCONNECT_TIMEOUT": "5", **place, **{name: value for name, value in told.items() if value},
    }  # fmt: skip


def psql_options(process: Process) -> list[str]:
    """How a person reaches the server of a container with psql."""
    letters = {"PGUSER": "-U", "PGDATABASE": "-d", "PGPORT": "-p", "PGHOST": "-h"}
    return [word for name, value in _server(process).items() for word in (letters[name], value)]


def _server(process: Process) -> dict[str, str]:
    """Role, database, port and socket of a Postgres server, as its container was told."""
    own = process.environment
    created = own.get("POSTGRES_USER") or process.option(("initdb",), "-U", "--username") or "postgres"
    # initdb makes `postgres`; the official image also one of the role's name.
    database = own.get("POSTGRES_DB") or (created if own.get("POSTGRES_USER") else "postgres")
    port = own.get("PGPORT") or process.option(_POSTGRES, "-p", "--port", "port")
    host = own.get("PGHOST") or process.option(_POSTGRES, "-k", "unix_socket_directories", "--unix_socket_directories")
    told = {"PGUSER": created, "PGDATABASE": database, "PGPORT": port, "PGHOST": host and host.split(",")[0]}
    return {name: value for name, value in told.items() if value}


def _celery(process: Process) -> list[str]:
    """Celery as the container itself calls it, with its application."""
    at = process.place("celery")
    if at is None:
        raise UnavailableError("its command does not say how Celery is called")
    module = at > 1 and process.words[at - 1] == "-m"
    called = list(process.words[at - 2 : at + 1]) if module else [process.words[at]]
    application = process.option(("celery",), "-A", "--app") or process.environment.get("CELERY_APP")
    return [*called, *(("-A", application) if application else ())]


def queues(process: Process) -> tuple[str, ...]:
    """The queues that a Celery worker was told to take from."""
    given = process.option(("celery",), "-Q", "--queues") or ""
    return tuple(name for name in given.split(",") if name)


def parsed(probe: Probe, text: str) -> list[dict[str, str]]:
    """The rows of an answer, with the probe's columns; UnavailableError where it has another form."""
    try:
        rows = _rows(probe, text)
        return [{c: _text(value) for c in probe.columns if (value := _at(row, c)) not in (None, "")} for row in rows]
    except (ValueError, AttributeError, TypeError, csv.Error):
        first = text.strip().partition("\n")[0][:200]
        raise UnavailableError(f"an answer of another form: {first or 'nothing'}", probe.id) from None


def _rows(probe: Probe, text: str) -> Sequence[Row]:
    if probe.program == "psql":
        return list(csv.DictReader(io.StringIO(text)))
    if probe.program == "redis-cli":
        if probe.command[0] == "INFO":
            return [dict(line.split(":", 1) for line in text.splitlines() if ":" in line)]
        return [{probe.columns[0]: int(text)}]
    if probe.program == "rabbitmqctl":
        answer = json.loads(text)
        return answer if isinstance(answer, list) else [answer]
    nodes: dict[str, Any] = json.loads(text[text.index("{") :])  # the application may print before
    return [
        {"node": node, **row} for node, said in nodes.items() for row in (said if isinstance(said, list) else [said])
    ]


def _at(row: Row, column: str) -> Any:
    """The value of a column; `pool.max-concurrency` is one in the object `pool`."""
    if column in row:
        return row[column]
    head, _, rest = column.partition(".")
    inner = row.get(head)
    return _at(inner, rest) if rest and isinstance(inner, Mapping) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
