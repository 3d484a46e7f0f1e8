"""Named queries: one SELECT per `.sql` file, whose header says what it is, takes and returns.

    -- title: Errors per minute and service
    -- param: since timestamptz = 1970-01-01
    -- param: most int = 20
    -- returns: minute, service_name, errors

A parameter without a default must be given. Values are bound (`$since`), never formatted into the text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from triage.errors import UsageError

_HEADER = re.compile(r"^--\s*(?P<key>title|param|returns)\s*:\s*(?P<value>.*)$")
_PARAM = re.compile(r"^(?P<name>[a-z_][a-z0-9_]*)\s+(?P<type>[a-z]+(?:\[\])?)(?:\s*=\s*(?P<default>.*))?$")
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    default: str | None = None  # as written; None where a value must be given

    @property
    def required(self) -> bool:
        return self.default is None


@dataclass(frozen=True, slots=True)
class NamedQuery:
    name: str
    title: str
    parameters: tuple[Parameter, ...]
    returns: tuple[str, ...]
    sql: str  # the file's whole text
    path: Path

    def bind(self, values: Mapping[str, object]) -> dict[str, object]:
        """The value of every parameter, defaults filled in, texts converted to the declared types."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in values:
            if name not in known:
                raise UsageError(f"query '{self.name}' has no parameter '{name}'", str(self.path), _nearest(name, known))
        bound: dict[str, object] = {}
        for parameter in self.parameters:
            if parameter.name in values:
                bound[parameter.name] = convert(values[parameter.name], parameter, self.name)
            elif parameter.default is None:
                hint = f"add -p {parameter.name}=… ({parameter.type})"
                raise UsageError(f"query '{self.name}' needs a value for '{parameter.name}'", str(self.path), hint)
            else:
                bound[parameter.name] = convert(parameter.default, parameter, self.name)
        return bound


def load(path: Path) -> NamedQuery:
    """Reads and checks one file."""
    text = path.read_text(encoding="utf-8")
    title, parameters, returns = "", [], tuple[str, ...]()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line.strip())
        if header is None:
            continue
        value = header["value"].strip()
        if header["key"] == "title":
            title = value
        elif header["key"] == "returns":
            returns = tuple(column.strip() for column in value.split(",") if column.strip())
        else:
            parameters.append(_parameter(value, f"{path}:{number}"))
    if not title:
        raise UsageError("a named query needs a title", str(path), "begin the file with '-- title: …'")
    return NamedQuery(path.stem, title, tuple(parameters), returns, text, path)


def load_folder(folder: Path) -> dict[str, NamedQuery]:
    """All queries of a folder, by name."""
    if not folder.is_dir():
        raise UsageError(f"no folder of queries at {folder}", hint="give a folder of .sql files")
    return {path.stem: load(path) for path in sorted(folder.glob("*.sql"))}


def shipped() -> dict[str, NamedQuery]:
    return load_folder(Path(__file__).parent / "sql")


def convert(value: object, parameter: Parameter, query: str) -> object:
    """A text as the declared type; a value that has a type already stays as it is."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str):
        return value
    if value.lower() == "null":
        return None
    try:
        return _CONVERSIONS[parameter.type](value)
    except ValueError:
        message = f"'{value}' is no {parameter.type} for parameter '{parameter.name}' of query '{query}'"
        raise UsageError(message, hint=_EXAMPLES.get(parameter.type)) from None


def _timestamp(text: str) -> datetime:
    value = datetime.fromisoformat(text.strip())
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE


def _texts(text: str) -> list[str]:
    return [part.strip() for part in text.strip("[]").split(",") if part.strip()]


_CONVERSIONS: dict[str, Callable[[str], object]] = {
    "timestamptz": _timestamp,
    "date": date.fromisoformat,
    "int": int,
    "bigint": int,
    "double": float,
    "boolean": _boolean,
    "varchar": str,
    "varchar[]": _texts,
    "ubigint[]": lambda text: [int(part) for part in _texts(text)],
}
_EXAMPLES = {
    "timestamptz": "write it like 2026-02-03T10:00:00Z",
    "date": "write it like 2026-02-03",
    "int": "write a whole number",
    "double": "write a number",
    "boolean": "write true or false",
}


def _parameter(text: str, where: str) -> Parameter:
    found = _PARAM.match(text)
    if found is None:
        raise UsageError(f"cannot read the parameter '{text}'", where, "write '-- param: name type = default'")
    if found["type"] not in _CONVERSIONS:
        raise UsageError(f"unknown type '{found['type']}'", where, _nearest(found["type"], _CONVERSIONS))
    default = found["default"]
    return Parameter(found["name"], found["type"], default.strip().strip("'") if default is not None else None)


def _nearest(word: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(sorted(known))}"


def unknown(name: str, known: Mapping[str, NamedQuery]) -> UsageError:
    """What to say about a name that no query has."""
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'?" if near else "see triage sql --list"
    return UsageError(f"no query is named '{name}'", hint=hint)
