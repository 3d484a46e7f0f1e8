"""Texts that a regex matches, at least one for each of its branches: to see whether keywords let them through."""

from __future__ import annotations

import re._constants as code  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterator
from typing import Any

Branch = tuple[tuple[int, ...], int]  # where in the tree, and which of its alternatives


def texts(regex: str) -> Iterator[tuple[str, str]]:
    """For every branch two texts that take it: one without what may be left out, and one with."""
    tree = parser.parse(regex.replace(r"\z", r"\Z"), re_flags())
    branches = list(_branches(tree, ()))
    for branch in branches or [None]:
        taken = {} if branch is None else {**_way_to(branch[0], set(branches)), branch[0]: branch[1]}
        yield _text(tree, taken, False, ()), _text(tree, taken, True, ())


def re_flags() -> int:
    """Line ends, as the library compiles its regexes."""
    return int(code.SRE_FLAG_MULTILINE)


def _branches(tree: Any, path: tuple[int, ...]) -> Iterator[Branch]:
    for at, (kind, value) in enumerate(tree):
        here = (*path, at)
        if kind is code.BRANCH:
            for number, inner in enumerate(value[1]):
                yield here, number
                yield from _branches(inner, (*here, number))
        elif kind is code.SUBPATTERN:
            yield from _branches(value[3], here)
        elif kind in (code.MAX_REPEAT, code.MIN_REPEAT):
            yield from _branches(value[2], here)


def _way_to(path: tuple[int, ...], known: set[Branch]) -> dict[tuple[int, ...], int]:
    return {path[:at]: path[at] for at in range(1, len(path)) if (path[:at], path[at]) in known}


def _text(tree: Any, taken: dict[tuple[int, ...], int], full: bool, path: tuple[int, ...]) -> str:
    out = []
    for at, (kind, value) in enumerate(tree):
        here = (*path, at)
        if kind is code.LITERAL:
            out.append(chr(value))
        elif kind is code.IN:
            out.append(_member(value))
        elif kind in (code.ANY, code.NOT_LITERAL):
            out.append("x")
        elif kind is code.BRANCH:
            number = taken.get(here, 0)
            out.append(_text(value[1][number], taken, full, (*here, number)))
        elif kind is code.SUBPATTERN:
            out.append(_text(value[3], taken, full, here))
        elif kind in (code.MAX_REPEAT, code.MIN_REPEAT):
            needed = full or any(way[: len(here)] == here for way in taken)
            inner = _text(value[2], taken, full, here)
            numbers = value[2][0][0] is code.IN and inner == "1" and (code.LITERAL, ord(".")) in value[2][0][1]
            out.append("1.1" if numbers else inner * max(value[0], int(needed)))
    return "".join(out)


def _member(members: Any) -> str:
    kind, value = members[0]
    if kind is code.LITERAL:
        return chr(value)
    if kind is code.RANGE:
        return chr(value[0])
    return {code.CATEGORY_DIGIT: "1", code.CATEGORY_SPACE: " "}.get(value, "x")
