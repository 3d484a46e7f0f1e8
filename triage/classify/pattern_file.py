"""From a TOML file to a `Pattern`, or to a `PatternError` that names file, line, key and what to write instead."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import regex as regex_module

from triage.classify.pattern import BENIGN, GROUP, Alternative, Extraction, Hit, Miss, Pattern
from triage.classify.toml_lines import KeyPath, toml_lines
from triage.errors import PatternError
from triage.regexes import by_line
from triage.schema import EXTRACTABLE, SEVERITY_NUMBER, SOURCES

SEVERITIES = ("info", "warning", "error", "critical")
STATUSES = ("experimental", "stable", "deprecated")
TYPES = ("string", "int", "float", "duration_ms")
UNITS = ("us", "ms", "s", "min", "h")
ENGINES = ("rust", "regex")
FIELDS = ("message", "body", "exception_type", "exception_message", "scope_name", "task_name")
COLUMNS = (*EXTRACTABLE, "message", "body", "severity_text", "source", "service_name")

# key -> (kind, required); kinds are the keys of _KINDS below
_TABLES: dict[str, dict[str, tuple[str, bool]]] = {
    "": {"pattern": ("table", True), "match": ("table", True), "extract": ("table", False), "sample": ("table", False)},
    "pattern": {
        "problem": ("text", True), "title": ("table", True), "severity": ("text", True), "status": ("text", True),
        "checked": ("texts", False), "references": ("texts", False), "leads_to": ("texts", False),
        "over": ("texts", False), "specificity": ("whole number", False),
    },
    "match": {
        "sources": ("texts", False), "severity_min": ("text", False), "severity_max": ("text", False),
        "sqlstate": ("texts", False), "keywords": ("texts", False), "any": ("tables", False),
    },
    "match.any": {
        "name": ("text", True), "regex": ("text", False), "field": ("text", False), "engine": ("text", False),
        "exception_type": ("texts", False), "exception_root": ("texts", False), "status_code": ("values", False),
        "sqlstate": ("texts", False), "where": ("table", False),
    },
    "extract": {
        "from": ("text", False), "regex": ("text", False), "field": ("text", False), "all": ("true or false", False),
        "value": ("value", False), "type": ("text", False), "unit": ("text", False),
    },
    "sample": {"hit": ("tables", False), "miss": ("tables", False)},
    "sample.hit": {
        "text": ("text", True), "by": ("text", True), "expect": ("table", True), "source": ("text", False),
        "also": ("texts", False), "primary": ("text", False),
    },
    "sample.miss": {"text": ("text", True), "why": ("text", True), "source": ("text", False)},
}  # fmt: skip
_PROBLEM = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class _Doc:
    """A parsed file with what is needed to say where a mistake is."""

    shown: str
    text: str
    to_run: bool = True  # else what only running it needs, its regexes and the lines of its samples, is not looked at

    @cached_property
    def lines(self) -> Mapping[KeyPath, int]:
        """On which line each key stands; found out only where there is something to say."""
        return toml_lines(self.text)

    def line(self, path: KeyPath) -> int:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def place(self, path: KeyPath) -> int:
        return self.line(path) if self.to_run else 0

    def error(self, path: KeyPath, message: str, hint: str) -> PatternError:
        return PatternError(message, f"{self.shown}:{self.line(path)}", hint)

    def one_of(self, path: KeyPath, value: str, allowed: Iterable[str]) -> str:
        if value in allowed:
            return value
        raise self.error(path, f"`{path[-1]}` is {value!r}, which is not known", nearest(value, allowed))


# What most often makes a file no TOML, by what the parser or the line says.
_TOML_HINTS = (
    ("^Cannot (?:overwrite|declare|mutate)", "a key stands once in its table, and a table once in the file: remove the second"),
    ("[“”‘’]", "these are typographic quotes: write straight ones"),
    ("", "check quotes and brackets on this line; write regexes in '''three single quotes'''"),
)


def nearest(value: str, allowed: Iterable[str]) -> str:
    """A hint: the nearest valid word, or all of them."""
    choices = list(allowed)
    close = difflib.get_close_matches(value, choices, n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else "write one of " + ", ".join(f"`{c}`" for c in choices)


def read_pattern(path: Path, identifier: str, shown: str | None = None, *, to_run: bool = True) -> Pattern:
    """Read one file. `shown` is the path that messages use; `identifier` is the path with dots.

    Without `to_run` its regexes are not compiled, which takes most of the time, and its samples have no lines.
    """
    name = shown or str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin with a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        raise PatternError(f"cannot read the pattern: {error}", name, "the file must be readable UTF-8 text") from None
    return parse_pattern(text, identifier, name, to_run=to_run)


def parse_pattern(text: str, identifier: str, shown: str, *, to_run: bool = True) -> Pattern:
    """`read_pattern` for text that is already in memory."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        number = int(place[1]) if place else len(text.splitlines()) or 1
        reason = re.sub(r" \(at .*\)$", "", str(error))
        hint = next(hint for sign, hint in _TOML_HINTS if re.search(sign, reason + "".join(text.splitlines()[number - 1 : number])))
        raise PatternError(f"not valid TOML: {reason}", f"{shown}:{number}", hint) from None
    doc = _Doc(shown, text, to_run)
    _check_keys(doc, data, "", ())
    head, match = data["pattern"], data["match"]
    alternatives = tuple(_alternative(doc, i, a) for i, a in enumerate(match.get("any", [])))
    pattern = Pattern(
        id=identifier,
        path=shown,
        problem=_problem(doc, head["problem"]),
        title=_title(doc, head["title"]),
        severity=doc.one_of(("pattern", "severity"), head["severity"], SEVERITIES),
        status=doc.one_of(("pattern", "status"), head["status"], STATUSES),
        checked=tuple(head.get("checked", ())),
        references=tuple(head.get("references", ())),
        leads_to=tuple(head.get("leads_to", ())),
        over=tuple(head.get("over", ())),
        specificity=_specificity(doc, head.get("specificity", 50)),
        sources=tuple(doc.one_of(("match", "sources"), s, SOURCES) for s in match.get("sources", ())),
        severity_min=_severity(doc, match, "severity_min"),
        severity_max=_severity(doc, match, "severity_max"),
        sqlstate=_sqlstates(doc, ("match", "sqlstate"), match.get("sqlstate", ())),
        keywords=tuple(match.get("keywords", ())),
        alternatives=alternatives,
        extractions=tuple(
            _extraction(doc, k, v, alternatives) for k, v in data.get("extract", {}).items()
        ),
        hits=tuple(_hit(doc, i, h) for i, h in enumerate(data.get("sample", {}).get("hit", ()))),
        misses=tuple(_miss(doc, i, m) for i, m in enumerate(data.get("sample", {}).get("miss", ()))),
    )
    _check_whole(doc, pattern)
    return pattern


def _check_keys(doc: _Doc, table: Mapping[str, Any], name: str, path: KeyPath) -> None:
    """Unknown, missing and mistyped keys of a table and the tables below it."""
    known = _TABLES[name]
    shown = f"[{name}]" if name else "the file"
    for key, value in table.items():
        if key not in known:
            raise doc.error((*path, key), f"unknown key `{key}` in {shown}", nearest(key, known))
        kind = known[key][0]
        if not _is(kind, value):
            raise doc.error((*path, key), f"`{key}` in {shown} must be {_KINDS[kind]}", f"write {_EXAMPLES[kind]}")
    for key, (_, required) in known.items():
        if required and key not in table:
            what = f"table [{key}]" if not name else f"key `{key}` in {shown}"
            raise doc.error(path, f"missing {what}", "patterns/README.md shows a whole file")
    for key, value in table.items():
        below = f"{name}.{key}" if name else key
        if known[key][0] == "tables":
            for i, item in enumerate(value):
                _check_keys(doc, item, below, (*path, key, i))
        elif key == "extract":
            for field, entry in value.items():
                if not isinstance(entry, dict):
                    hint = f'write {field} = {{ from = "a named group" }}'
                    raise doc.error((key, field), f"`{field}` in [extract] must be a table", hint)
                _check_keys(doc, entry, key, (key, field))
        elif below in _TABLES:
            _check_keys(doc, value, below, (*path, key))


_KINDS = {
    "text": "a text", "texts": "a list of texts", "table": "a table", "tables": "a list of tables",
    "whole number": "a whole number", "true or false": "true or false", "values": "a list of texts or numbers",
    "value": "a text or a number",
}  # fmt: skip
_EXAMPLES = {
    "text": "'…' in quotes", "texts": '["…", "…"], none of them empty', "table": '{ key = "…" } or a [table]',
    "tables": "the table's name in [[double brackets]]", "whole number": "a number without quotes",
    "true or false": "true or false without quotes", "values": '[429, "5xx"]', "value": '"…" or a number',
}  # fmt: skip


def _is(kind: str, value: Any) -> bool:
    if kind == "text":
        return isinstance(value, str) and value != ""
    if kind == "texts":
        return isinstance(value, list) and bool(value) and all(isinstance(v, str) and v for v in value)
    if kind == "values":
        return isinstance(value, list) and bool(value) and all(isinstance(v, str | int) for v in value)
    if kind == "tables":
        return isinstance(value, list) and all(isinstance(v, dict) for v in value)
    if kind == "value":
        return isinstance(value, str | int | float)
    types: dict[str, type] = {"table": dict, "whole number": int, "true or false": bool}
    return isinstance(value, types[kind])


def _problem(doc: _Doc, value: str) -> str:
    if value == BENIGN or _PROBLEM.match(value):
        return value
    hint = "write group.name in lower case, such as `db.deadlock`; problems.toml lists the known ones"
    raise doc.error(("pattern", "problem"), f"`problem` is {value!r}, which is no problem id", hint)


def _title(doc: _Doc, title: Mapping[str, Any]) -> dict[str, str]:
    for language in ("en", "zh"):
        if not isinstance(title.get(language), str):
            hint = 'write title = { en = "…", zh = "…" }'
            raise doc.error(("pattern", "title"), f"`title` lacks the language `{language}`", hint)
    return dict(title)


def _specificity(doc: _Doc, value: int) -> int:
    if 0 <= value <= 100:
        return value
    raise doc.error(("pattern", "specificity"), f"`specificity` is {value}", "write a number from 0 to 100")


def _severity(doc: _Doc, match: Mapping[str, Any], key: str) -> int | None:
    if key not in match:
        return None
    return SEVERITY_NUMBER[doc.one_of(("match", key), match[key].upper(), SEVERITY_NUMBER)]


def _sqlstates(doc: _Doc, path: KeyPath, values: Iterable[str]) -> tuple[str, ...]:
    for value in values:
        if not re.fullmatch(r"[0-9A-Z]{2}(?:[0-9A-Z]{3})?", value):
            hint = 'write five capitals or digits ("40P01"), or two for a class ("23")'
            raise doc.error(path, f"{value!r} is no SQLSTATE", hint)
    return tuple(values)


def _field(doc: _Doc, path: KeyPath, value: str) -> str:
    if value.startswith("attributes.") and len(value) > len("attributes."):
        return value
    return doc.one_of(path, value, (*FIELDS, "attributes.<name>"))


def _regex(doc: _Doc, path: KeyPath, value: str, engine: str) -> str:
    """The regex if its engine takes it and it is no catch-all."""
    if not doc.to_run:
        return value
    try:
        if engine == "regex":
            empty = regex_module.search(value, "", regex_module.MULTILINE) is not None
        else:
            empty = bool(pl.Series([""]).str.contains(by_line(value))[0])
    except (pl.exceptions.ComputeError, regex_module.error) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("error:")), lines[-1]).removeprefix("error: ")
        around = "look-around" in reason or "backreferences" in reason
        hint = 'if it truly needs this, add engine = "regex"' if around else "regex dialect: docs.rs/regex, Syntax"
        raise doc.error(path, f"`regex` does not compile: {reason}", hint) from None
    if empty:
        hint = "anchor it to the program's own words, for example '''^deadlock detected'''"
        raise doc.error(path, "`regex` matches the empty text, so it matches every record", hint)
    return value


def _alternative(doc: _Doc, index: int, data: Mapping[str, Any]) -> Alternative:
    path: KeyPath = ("match", "any", index)
    engine = doc.one_of((*path, "engine"), data.get("engine", "rust"), ENGINES)
    where = []
    for key, value in data.get("where", {}).items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(v, str | int) for v in values):
            raise doc.error((*path, "where"), f"`where` gives no text for `{key}`", 'write { "celery.state" = ["failed"] }')
        where.append((key, tuple(str(v) for v in values)))
    codes = tuple(str(c) for c in data.get("status_code", ()))
    for code in codes:
        if not re.fullmatch(r"[1-9](?:\d\d|xx)", code):
            raise doc.error((*path, "status_code"), f"{code!r} is no status code", 'write 429, or "5xx" for a class')
    alternative = Alternative(
        name=data["name"],
        regex=_regex(doc, (*path, "regex"), data["regex"], engine) if "regex" in data else None,
        field=_field(doc, (*path, "field"), data.get("field", "message")),
        engine="regex" if engine == "regex" else "rust",
        exception_type=tuple(data.get("exception_type", ())),
        exception_root=tuple(data.get("exception_root", ())),
        status_code=codes,
        sqlstate=_sqlstates(doc, (*path, "sqlstate"), data.get("sqlstate", ())),
        where=tuple(where),
    )
    if alternative.regex is None and not alternative.by_class:
        raise doc.error(path, f"the alternative `{alternative.name}` has no condition", "give it a `regex`")
    return alternative


def _extraction(doc: _Doc, name: str, data: Mapping[str, Any], alternatives: Iterable[Alternative]) -> Extraction:
    path: KeyPath = ("extract", name)
    given = [k for k in ("from", "regex", "value") if k in data]
    if len(given) != 1:
        raise doc.error(path, f"`{name}` in [extract] needs exactly one of `from`, `regex`, `value`", "keep one of them")
    groups = {g for a in alternatives for g in a.groups}
    source = data.get("from")
    if source is not None and source not in groups and not source.startswith("attributes."):
        doc.one_of((*path, "from"), source, (*sorted(groups), *COLUMNS))
    return Extraction(
        name=name,
        source=source,
        regex=_regex(doc, (*path, "regex"), data["regex"], "rust") if "regex" in data else None,
        field=_field(doc, (*path, "field"), data.get("field", "body")),
        all=data.get("all", False),
        value=str(data["value"]) if "value" in data else None,
        type=doc.one_of((*path, "type"), data["type"], TYPES) if "type" in data else None,
        unit=doc.one_of((*path, "unit"), data.get("unit", "ms"), UNITS),
    )


def _hit(doc: _Doc, index: int, data: Mapping[str, Any]) -> Hit:
    path: KeyPath = ("sample", "hit", index)
    source = doc.one_of((*path, "source"), data["source"], SOURCES) if "source" in data else None
    also = tuple(data.get("also", ()))
    text, primary = data["text"].strip("\n"), data.get("primary")
    return Hit(text, data["by"], data["expect"], source, also, primary, doc.place((*path, "text")))


def _miss(doc: _Doc, index: int, data: Mapping[str, Any]) -> Miss:
    path: KeyPath = ("sample", "miss", index)
    source = doc.one_of((*path, "source"), data["source"], SOURCES) if "source" in data else None
    return Miss(data["text"].strip("\n"), data["why"], source, doc.place((*path, "text")))


def _check_whole(doc: _Doc, pattern: Pattern) -> None:
    """What no single key can tell."""
    if not pattern.alternatives and not pattern.sqlstate:
        raise doc.error(("match",), "[match] has no alternative", "add a [[match.any]] with a name and a regex")
    names = pattern.alternative_names
    for name in names:
        if names.count(name) > 1:
            index = max(i for i, a in enumerate(pattern.alternatives) if a.name == name)
            raise doc.error(("match", "any", index, "name"), f"two alternatives are named `{name}`", "rename one")
    words = [a for a in pattern.alternatives if not a.by_class]
    if words and not pattern.keywords:
        hint = "add keywords = [\"…\"]: literal texts of which one is in every record that it matches"
        raise doc.error(("match",), f"`{words[0].name}` rests on words alone and [match] has no `keywords`", hint)
    for index, hit in enumerate(pattern.hits):
        if hit.by not in names:
            raise doc.error(
                ("sample", "hit", index, "by"), f"`by` is {hit.by!r}, which is no alternative", nearest(hit.by, names)
            )
        if hit.primary is not None and hit.primary not in hit.also:
            hint = f'add "{hit.primary}" to `also`'
            raise doc.error(("sample", "hit", index, "primary"), f"`primary` {hit.primary!r} is not in `also`", hint)


__all__ = ["GROUP", "nearest", "parse_pattern", "read_pattern"]
