"""The shape of a SQL statement: literals, parameters and lists of them replaced by `?`.

A real parser decides where it can; what it does not understand is masked by expressions. Equal shapes have equal
fingerprints on every machine.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from hashlib import blake2b

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_LONGEST = 20_000  # longer texts are bulk inserts: masking is linear, parsing is not
_STRING = re.compile(r"\$(\w*)\$.*?\$\1\$|(?:\b[EBX])?'(?:[^']|'')*'", re.DOTALL)
_PARAMETER = re.compile(r"\$\d+|%s|%\(\w+\)s|(?<![:\w]):[a-z_]\w*")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?\b", re.IGNORECASE)
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_ROWS = re.compile(r"(\(\?(?:, ?\?)*\))(?:\s*,\s*\(\?(?:, ?\?)*\))+")
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_SPACE = re.compile(r"\s+")
# What may differ between statements of one shape, and what must not be looked into while finding it.
_APART = re.compile(
    r"""(?P<comment>/\*(?!\+).*?\*/|--[^\n]*)
      | (?:(?<![-\#@<>=&|!~*/%^?+])(?P<operator>=|<>|!=|<=|>=|<|>)\s*|\b(?P<like>I?LIKE)\s*)'(?:[^']|'')*'(?!\s*(?:::|'))
      | /\*.*?\*/ | \$(\w*)\$.*?\$\4\$ | '(?:[^']|'')*' | "(?:[^"]|"")*"
      | (?<![\w.$:%\[])(?P<whole>\d+)(?P<part>\.\d+)?(?![\w.])""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements that it passes through


def shape(statement: str) -> str:
    """The statement with its values masked."""
    text = statement.strip().rstrip(";").strip()
    return _shape(_alike(text)) if len(text) <= _LONGEST else _masked(text)


def _alike(text: str) -> str:
    """Values that no parser looks into made equal, so that statements of a shape are parsed once and not each."""
    return text if "\\" in text else _APART.sub(_equal, text)  # an escaped quote is no end of a string


def _equal(found: re.Match[str]) -> str:
    if found["comment"]:
        return " "
    if found["whole"]:
        return "1.5" if found["part"] else "1"
    word = found["operator"] or found["like"]
    return f"{word} 'x'" if word else found[0]


@lru_cache(maxsize=8192)
def _shape(text: str) -> str:
    try:
        parsed = sqlglot.parse_one(_PARAMETER.sub("NULL_PARAMETER", text), read="postgres")
    except (SqlglotError, RecursionError, ValueError):
        parsed = None
    if parsed is not None and not isinstance(parsed, exp.Command):
        try:
            return _masked(_lists(parsed.transform(_literal)).sql(dialect="postgres", comments=False))
        except (SqlglotError, RecursionError, ValueError):
            pass
    return _masked(text)


def fingerprint(shaped: str) -> str:
    """Sixteen hexadecimal digits, the same for the same shape."""
    return blake2b(shaped.lower().encode(), digest_size=8).hexdigest()


def relations(statement: str) -> tuple[str, ...]:
    """The tables a statement names, empty where it cannot be parsed."""
    return _relations(_alike(statement))


@lru_cache(maxsize=8192)
def _relations(text: str) -> tuple[str, ...]:
    try:
        parsed = sqlglot.parse_one(text, read="postgres")
    except (SqlglotError, RecursionError, ValueError):
        return ()
    return tuple(sorted({table.name for table in parsed.find_all(exp.Table) if table.name}))


def _literal(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Literal | exp.Boolean | exp.Placeholder | exp.Parameter | exp.Null):
        return exp.Placeholder()
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return exp.Placeholder()
    if isinstance(node, exp.Column) and node.name == "NULL_PARAMETER":
        return exp.Placeholder()
    return node


def _lists(node: exp.Expression) -> exp.Expression:
    """Lists of values as one value: IN (?, ?, ?) and many rows of VALUES."""
    for found in node.find_all(exp.In):
        values = found.expressions
        if len(values) > 1 and all(isinstance(value, exp.Placeholder) for value in values):
            found.set("expressions", [exp.Placeholder()])
    for rows in node.find_all(exp.Values):
        if len(rows.expressions) > 1:
            rows.set("expressions", rows.expressions[:1])
    return node


def _masked(text: str) -> str:
    text = _COMMENT.sub(" ", text)
    text = _STRING.sub("?", text)
    text = _PARAMETER.sub("?", text)
    text = _NUMBER.sub("?", text)
    text = _SPACE.sub(" ", text).strip()
    text = re.sub(r"(?i)\bIN\s*" + _LIST.pattern, "IN (?)", text)
    return _ROWS.sub(r"\1", text)
