"""Probes: data files that say what is asked of a program in its container, and can only ask.

A probe names one program of `PROGRAMS`, the containers where it is asked (`images`, `runs`), and either a `query` (one
SELECT, for psql) or a `command` (words for the others).
What could write is refused when the file is read; psql also runs in a read-only transaction with a time limit.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from triage import when
from triage._data import data_dir
from triage.classify.library import PROBES_FOLDER
from triage.classify.toml_lines import toml_lines
from triage.errors import PatternError, UsageError
from triage.settings import nearest
from triage.state.process import Process

# What each program may be asked; the first word of a command, for Celery all of it.
PROGRAMS: dict[str, frozenset[str]] = {
    "psql": frozenset(),
    "redis-cli": frozenset({"DBSIZE", "HLEN", "INFO", "LLEN", "SCARD", "STRLEN", "XLEN", "ZCARD"}),
    "rabbitmqctl": frozenset({"list_channels", "list_connections", "list_consumers", "list_queues", "status"}),
    "celery": frozenset({
        "inspect active", "inspect active_queues", "inspect conf", "inspect ping", "inspect reserved",
        "inspect scheduled", "inspect stats",
    }),
}  # fmt: skip
QUEUE = "{queue}"  # in a command: asked for each queue that the project's Celery workers take from
# Functions beyond SQL's own that a query may call: none of them changes anything, and none ends a session.
FUNCTIONS = frozenset(
    {"current_setting", "pg_backend_pid", "pg_blocking_pids", "pg_database_size", "pg_total_relation_size"}
)
_KEYS: dict[str, tuple[type, bool]] = {
    "title": (dict, True), "program": (str, True), "images": (list, False), "runs": (list, False),
    "supports": (list, True), "permission": (str, True), "columns": (list, True), "query": (str, False),
    "command": (list, False), "labels": (dict, False), "needs": (list, False), "every": (str, False),
}  # fmt: skip
_FORBIDDEN = (
    exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Drop, exp.Create, exp.Alter, exp.Command, exp.Into, exp.Lock,
    exp.Copy, exp.TruncateTable, exp.Set,
)  # fmt: skip
_RELATION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")
_WORD = re.compile(r"[A-Za-z0-9_.:{}-]+")
# Written as calls in Postgres, and known to the SQL parser by their meaning; all others must be in FUNCTIONS.
_PLAIN = (
    exp.AggFunc, exp.Coalesce, exp.Round, exp.Extract, exp.Left, exp.Right, exp.Cast, exp.Any, exp.And, exp.Or,
    exp.Abs, exp.Greatest, exp.Least, exp.Lower, exp.Upper, exp.Length, exp.Substring, exp.Case, exp.If, exp.Array,
    exp.CurrentTimestamp, exp.CurrentDate, exp.DateTrunc, exp.TimestampTrunc, exp.Nullif, exp.Unnest,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Probe:
    """One checked probe: `arguments` is all that its program is given, `columns` what of the answer is kept."""

    id: str
    title: Mapping[str, str]
    program: str
    images: tuple[str, ...]  # last part of the repository
    runs: tuple[str, ...]  # words of the container's command, the program first
    supports: tuple[str, ...]
    permission: str
    columns: tuple[str, ...]
    query: str | None
    command: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()  # relations that need not be there: where one is not, nothing is asked
    every_s: float = 0.0  # on a schedule no more often than this

    def fits(self, process: Process) -> bool:
        """Whether a container runs the program: by its image, or by its command."""
        if process.repository in self.images:
            return True
        program, *words = self.runs or ("",)
        return process.place(program) is not None and set(words) <= set(process.arguments(program))


def load(extra: Sequence[Path] = ()) -> list[Probe]:
    """The shipped probes and those in `probes/` of the user's pattern folders, which override by name."""
    found: dict[str, Probe] = {}
    for root in [data_dir("patterns"), *extra]:
        for path in sorted((root / PROBES_FOLDER).glob("*.toml")):
            found[path.stem] = read(path)
    return list(found.values())


def read(path: Path) -> Probe:
    """A probe of one file; PatternError with file and line for what is malformed or could write."""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PatternError(f"cannot read the probe: {error}", str(path), "a probe is a TOML file in UTF-8") from None
    lines = toml_lines(text)

    def wrong(key: str, message: str, hint: str) -> PatternError:
        return PatternError(message, f"{path}:{lines.get(('probe', key), 1)}", hint)

    values = data.get("probe")
    if not isinstance(values, dict) or len(data) != 1:
        raise PatternError("a probe file has one table, [probe]", f"{path}:1", "see the shipped ones in patterns/probes")
    _check_keys(values, wrong)
    program, command, query = values["program"], tuple(values.get("command", ())), values.get("query")
    if program not in PROGRAMS:
        raise wrong("program", f"a probe may not run `{program}`", nearest(program, PROGRAMS))
    if (program == "psql") != (query is not None) or (query is None) != bool(command):
        raise wrong("program", "psql wants `query`, the other programs want `command`", "give one of them")
    if query is not None and (reason := writes(query)):
        raise wrong("query", f"a probe only reads: {reason}", "one SELECT over the server's statistics or your tables")
    if not values.get("images") and not values.get("runs"):
        raise wrong("program", "`images` or `runs` must say in which containers it is asked", "see the shipped ones")
    for name in values.get("needs", ()):
        if query is None or not _RELATION.fullmatch(name):
            raise wrong("needs", f"not a relation that a query asks: {name!r}", "a table or view, perhaps with its schema")
    if command:
        asked = " ".join(command) if program == "celery" else command[0]
        if asked not in PROGRAMS[program]:
            raise wrong("command", f"a probe only reads: `{program} {asked}` is not allowed",
                        f"allowed are: {', '.join(sorted(PROGRAMS[program]))}")  # fmt: skip
        for word in command:
            if not _WORD.fullmatch(word) or word.startswith("-"):
                raise wrong("command", f"not a plain word: {word!r}", "no options, spaces or shell characters")
    return Probe(
        path.stem, values["title"], program, tuple(values.get("images", ())), tuple(values.get("runs", ())),
        tuple(values["supports"]), values["permission"], tuple(values["columns"]), query, command,
        values.get("labels", {}), tuple(values.get("needs", ())), _seconds(values.get("every"), wrong),
    )  # fmt: skip


def _seconds(text: str | None, wrong: Callable[[str, str, str], PatternError]) -> float:
    try:
        return when.span(text).total_seconds() if text else 0.0
    except UsageError as error:
        raise wrong("every", error.message, error.hint or "") from None


def writes(query: str) -> str | None:
    """Why a query might do more than read, or None."""
    if "\\" in query:
        return "a backslash is psql's own command"
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what it cannot parse is refused, and needs no warning
    try:
        statements = sqlglot.parse(query, dialect="postgres")
    except sqlglot.errors.SqlglotError:
        return "the query cannot be understood"
    statement = statements[0]
    if len(statements) != 1 or not isinstance(statement, exp.Select | exp.SetOperation):
        return "it must be one SELECT"
    if ";" in query:
        return "it must be one statement without a semicolon"
    for node in statement.walk():
        if isinstance(node, _FORBIDDEN):
            return f"{type(node).__name__.upper()} is not allowed"
        if isinstance(node, exp.Func) and not isinstance(node, _PLAIN):
            name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
            if name.lower() not in FUNCTIONS:
                return f"the function {name.lower()} is not among those known to change nothing"
    return None


def _check_keys(values: Mapping[str, Any], wrong: Callable[[str, str, str], PatternError]) -> None:
    for key, value in values.items():
        if key not in _KEYS:
            raise wrong(key, f"unknown key `{key}`", nearest(key, _KEYS))
        kind = _KEYS[key][0]
        texts = isinstance(value, list) and all(isinstance(v, str) for v in value)
        if not isinstance(value, kind) or (kind is list and not (texts and (value or key == "supports"))):
            raise wrong(key, f"`{key}` must be a {'list of texts' if kind is list else kind.__name__}", "see the others")
    for key, (_, required) in _KEYS.items():
        if required and key not in values:
            raise wrong(key, f"`{key}` is missing", "see the shipped ones in patterns/probes")
