"""Secrets that stand a line or two behind what tells of them: YAML's blocks, fields of forms, parameters of a statement.

Lines are those of a log, so what is looked for may have a prefix, and behind it the end of a JSON wrapper.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from triage.classify import secret_names
from triage.classify.places import Text, matches
from triage.classify.secret_rules import FIELD, FIELD_STARTS
from triage.classify.secret_values import is_value

_END = r"(?:(?:\\+n)?\\*\"[,}].*|(?:\x1b\[[0-9;]*m)+)?\s*$"
# Where a message begins in a line of JSON, and that a line is none.
_IN_JSON = r"(?i:^\s*\{.{0,4096}?\"(?:log|message|msg|body|event|text)\"\s*:\s*\")"
_NAMED = rf"[\w.-]{{0,64}}?{FIELD}"
_BEHIND_PARAMETERS = 4  # lines between a statement and its parameters, at most


@dataclass(frozen=True, slots=True)
class _Opening:
    """A line that says what comes: `away` lines on, the group `s` of the first `value` is a secret.

    What the line says begins with one of the literals `starts`; `in_json` is `value` for a line of JSON.
    """

    line: re.Pattern[str]
    starts: tuple[str, ...]
    away: int
    value: re.Pattern[str]
    in_json: re.Pattern[str]

    def opens(self, text: Text) -> bool:
        return any(matches(text.text, self.line, text.places(self.starts)))

    def secret(self, text: str) -> re.Match[str] | None:
        """Where the secret is in the line that holds it."""
        return (self.in_json if text.lstrip().startswith("{") else self.value).search(text)


def _opening(line: str, starts: str, away: int, value: str, in_json: str | None = None) -> _Opening:
    return _Opening(re.compile(line), tuple(starts.split("|")), away, re.compile(value), re.compile(in_json or value))


_OPENINGS = (
    # password: |            - name: DB_PASSWORD        ["password"]=>            …; name="password"
    #   …                      value: …                  string(13) "…"
    _opening(rf"(?i){FIELD}\\*[\"']?:\s*[|>][+-]?{_END}", FIELD_STARTS, 1, rf"(?:(?<=[\s|]\s)|(?<=^\s))(?P<s>[^\s\"'\\]{{4,4096}})(?={_END})", rf"{_IN_JSON}\s+(?P<s>[^\s\"'\\]{{4,4096}})(?={_END})"),
    _opening(rf"(?i)(?<![A-Za-z0-9])(?:name|key)\\*[\"']?\s*:\s*\\*[\"']?{_NAMED}\\*[\"']?,?{_END}", "name|key", 1, r"(?i)(?<![A-Za-z0-9])value\\*[\"']?\s*:\s*\\*[\"']?(?P<s>[^\s\"'\\,]{1,4096})"),
    _opening(rf"(?i)\[\\*[\"']?{_NAMED}\\*[\"']?\]\s?=>{_END}", "[", 1, r"string\(\d+\)\s\\*\"(?P<s>[^\"\\]{1,4096})"),
    _opening(rf"(?i)form-data;.{{0,200}}?name=\\*\"{_NAMED}\\*\"(?:\\+r)?{_END}", "form-data;", 2, rf"(?:^|(?<=[\s|]))(?P<s>[^\s\"|\\]{{1,4096}})(?:\\+r)?(?={_END})", rf"{_IN_JSON}(?P<s>[^\s\"|\\]{{1,4096}})(?:\\+r)?(?={_END})"),
)  # fmt: skip
# All of them as one coarse regex of Rust's engine, for text in any case.
_GATE = rf"(?i){FIELD}[^\s:=]{{0,3}}(?:\s?:\s*[|>][+-]?|\\*[\"'],?|,|\]\s?=>)?(?:\\+r)?(?:(?:\\+n)?\\*\"[,}}].*|(?:\x1b\[[0-9;]*m)+)?\s*$"
_STATEMENT = re.compile(
    r"(?i)\((?P<names>[\w\s\",.`\[\]\\]{3,2000})\)\s*values\s*\((?P<holes>(?:\s*(?:%s|%\(\w+\)s|\?|:\w+|\$\d+(?:::[\w.\[\]()]+?(?: [\w.\[\]()]+?)*)?)(?:\s*,)?){1,200}\s*)\)"
)
_COLUMN_GATE = rf"(?i){secret_names.COARSE_SURE}[\w\s\",.`\[\]\\]*\)\s*values\s*\(\s*(?:%|\?|:|\$)"
_TUPLE = re.compile(r"(?i)parameters:\s*(?:\[\s*)?\((?P<values>(?:[^()'\\]+|\\+(?!['\\])|\\*'[^'\\]*(?:\\.[^'\\]*){0,999}'){0,9999})\)")
_NUMBERED = re.compile(r"(?i)parameters:\s*\$1 = ")


def values(texts: pl.Series, worded: pl.Series) -> Iterator[tuple[int, int, int]]:
    """(row, start, end) of each secret that an earlier line tells of, one of the rows with a word for secrets."""
    few = texts.gather(worded)
    for row in worded.filter(few.str.contains(_GATE)):
        text = Text(texts[row])
        for opening in _OPENINGS:
            at = row + opening.away
            if at < len(texts) and opening.opens(text):
                found = opening.secret(texts[at] or "")
                if found and is_value(found["s"]):
                    yield at, *found.span("s")
    for row in worded.filter(few.str.contains(_COLUMN_GATE)):
        statement = _STATEMENT.search(texts[row])
        if statement:
            yield from _parameters(texts, row, statement["names"])


def _parameters(texts: pl.Series, row: int, names: str) -> Iterator[tuple[int, int, int]]:
    """The parameters of a statement, as SQLAlchemy and Postgres print them behind it."""
    for at in range(row, min(row + _BEHIND_PARAMETERS, len(texts))):
        text = texts[at] or ""
        if told := _TUPLE.search(text):
            made = secret_names.POSITIONAL.match(f"({names})=({told['values']})")
            shift = told.start("values") - len(names) - 4
            for start, end, _ in secret_names.positions(made) if made else ():
                yield at, shift + start, shift + end
            return
        if _NUMBERED.search(text):
            for number in secret_names.secret_columns(names):
                if found := re.search(rf"\${number + 1} = '(?P<s>(?:[^']|'')*)'", text):
                    yield at, *found.span("s")
            return
