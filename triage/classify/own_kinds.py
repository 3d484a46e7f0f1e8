r"""Kinds of secrets that a user adds in `triage.toml`: a name and a regex of Rust's dialect, which runs in linear time.

    [redact.kinds]
    staff_number = '''\bSTF-\d{6}\b'''
    tenant       = '''tenant=(?P<secret>[0-9a-f]{12})'''

The group `secret` is replaced, or without one all that matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from triage.errors import UsageError

MARK = re.compile(r"\[redacted:[a-z_]+:[0-9a-f]{6}\]")
_NAME = re.compile(r"[a-z][a-z_]{0,30}")
_GROUP = "(?P<secret>"
_BRACKETS = "".join(map(chr, range(0xFDD0, 0xFDF0)))  # characters that no text may interchange


@dataclass(frozen=True, slots=True)
class OwnKind:
    """One kind: `whole` also matches what is redacted already, so that nothing is redacted twice."""

    name: str
    regex: str

    @property
    def whole(self) -> str:
        return rf"{MARK.pattern}|(?:{self.regex})"


def read(kinds: Mapping[str, object], where: str) -> tuple[OwnKind, ...]:
    """The kinds of a settings file; UsageError names the one that cannot be used."""
    return tuple(_checked(name, regex, where) for name, regex in kinds.items())


def _checked(name: str, regex: object, where: str) -> OwnKind:
    key = f"`redact.kinds.{name}`"
    if not _NAME.fullmatch(name):
        raise UsageError(f"{key} is no name of a kind", where, "small letters and underscores, 31 at most")
    if not isinstance(regex, str):
        raise UsageError(f"{key} must be a regex in quotes", where)
    try:
        empty = pl.Series([""]).str.contains(regex).item()
    except pl.exceptions.ComputeError as error:
        why = next((line.removeprefix("error: ") for line in str(error).splitlines() if line.startswith("error: ")), "it is no regex")
        hint = "Rust's dialect, in linear time: no look-around, no back-references; a group (?P<secret>…) says which part counts"
        raise UsageError(f"{key} cannot be used: {why}", where, hint) from None
    if empty:
        raise UsageError(f"{key} matches where there is nothing", where, "every part of it may be absent: ask for a character")
    return OwnKind(name, regex)


def redacted(texts: pl.Series, kinds: Sequence[OwnKind], mark: Callable[[str, str], str]) -> pl.Series:
    """The texts with what the kinds match replaced by `mark(kind, secret)`."""
    for kind in kinds:
        rows = texts.str.contains(kind.regex).fill_null(False).arg_true()
        if len(rows):
            few = texts.gather(rows)
            texts = texts.clone().scatter(rows, pl.Series([_replaced(text, kind, mark) for text in _bracketed(few, kind)], dtype=pl.String))
    return texts


def _bracketed(texts: pl.Series, kind: OwnKind) -> list[list[str]]:
    """Each text cut at its matches: what is between them at the even places, they at the odd ones."""
    free = [c for c in _BRACKETS if not texts.str.contains(c, literal=True).any()]
    if not free:  # somebody knows this module
        free = [_BRACKETS[0]]
        texts = texts.str.replace_all(free[0], "\ufffd", literal=True)
    cut = free[0]
    return texts.str.replace_all(kind.whole, f"{cut}${{0}}{cut}").str.split(cut).to_list()


def _replaced(parts: list[str], kind: OwnKind, mark: Callable[[str, str], str]) -> str:
    for place in range(1, len(parts), 2):
        if not MARK.fullmatch(parts[place]):
            secret = _secret(parts[place], kind)
            parts[place] = parts[place] if MARK.fullmatch(secret) else parts[place].replace(secret, mark(kind.name, secret))
    return "".join(parts)


def _secret(match: str, kind: OwnKind) -> str:
    """The group `secret` of a match; all of it where the group took no part, or needs what stands around the match."""
    if _GROUP not in kind.regex:
        return match
    found = pl.Series([match]).str.extract_groups(kind.regex).struct.field("secret").item()
    return found or match
