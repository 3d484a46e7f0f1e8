"""On which line a TOML file defines each key, which the standard library's parser does not tell.

Only for error messages: it reads files that `tomllib` has already accepted, so it need not judge.
"""

from __future__ import annotations

import re
from collections import Counter

KeyPath = tuple[str | int, ...]

_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(\.?)""")
_HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_QUOTES = re.compile(r"'''|\"\"\"")


def toml_lines(text: str) -> dict[KeyPath, int]:
    """Key path (with indexes for arrays of tables) to line number, counted from 1."""
    lines: dict[KeyPath, int] = {(): 1}
    table: KeyPath = ()
    counts: Counter[KeyPath] = Counter()
    inside: str | None = None
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        was_inside, inside = inside, _string_after(line, inside)
        if was_inside is not None or depth > 0:
            depth = 0 if was_inside is not None else depth + _nesting(line)
            continue
        header = _HEADER.match(line)
        if header and "=" not in line.split("#")[0].split("]")[0]:
            table = _resolve(_keys(header[2]), counts)
            if header[1] == "[[":
                index = counts[table]
                counts[table] += 1
                table = (*table, index)
            lines.setdefault(table, number)
        elif "=" in line and not line.lstrip().startswith("#"):
            path = (*table, *_keys(line))
            lines.setdefault(path, number)
            depth = max(0, _nesting(line)) if inside is None else 0
    return lines


def _string_after(line: str, inside: str | None) -> str | None:
    """The multi-line quotes that are still open after this line, if any."""
    for quote in _QUOTES.findall(line):
        if inside is None:
            inside = quote
        elif inside == quote:
            inside = None
    return inside


def _nesting(line: str) -> int:
    """How many brackets the line opens and leaves open, outside strings."""
    bare = re.sub(r"'''.*?'''|\"\"\".*?\"\"\"|'[^']*'|\"(?:[^\"\\]|\\.)*\"|#.*", "", line)
    return sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")


def _keys(text: str) -> tuple[str, ...]:
    """The dotted key at the start of `text`."""
    parts: list[str] = []
    position = 0
    while found := _PART.match(text, position):
        parts.append(next(g for g in found.groups()[:3] if g is not None))
        position = found.end()
        if not found[4]:
            break
    return tuple(parts)


def _resolve(keys: tuple[str, ...], counts: Counter[KeyPath]) -> KeyPath:
    """The path of a table header, with the index of the array element that it belongs to."""
    path: KeyPath = ()
    for key in keys[:-1]:
        path = (*path, key)
        if counts[path]:
            path = (*path, counts[path] - 1)
    return (*path, *keys[-1:])
