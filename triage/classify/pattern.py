"""What a pattern is, once its file has been read and found right: plain frozen data, no behaviour but its order.

`read_pattern` in `pattern_file.py` makes these from TOML; `matcher.py` runs them. Format: patterns/README.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from triage.errors import PatternError

Engine = Literal["rust", "regex"]
Value = str | int | float | bool

BENIGN = "benign"  # the "problem" of a pattern that recognises an echo of something reported elsewhere
SQLSTATE_ALTERNATIVE = "sqlstate"  # the alternative that [match] sqlstate implies
GROUP = re.compile(r"\(\?P?<([A-Za-z_]\w*)>")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to recognise the failure: every condition that is not empty must hold."""

    name: str
    regex: str | None = None
    field: str = "message"
    engine: Engine = "rust"
    exception_type: tuple[str, ...] = ()
    exception_root: tuple[str, ...] = ()
    status_code: tuple[str, ...] = ()
    sqlstate: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def by_class(self) -> bool:
        """Whether a value that the program itself gives takes part, so that no keyword is needed."""
        return bool(self.exception_type or self.exception_root or self.status_code or self.sqlstate or self.where)

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(GROUP.findall(self.regex)) if self.regex else ()


@dataclass(frozen=True, slots=True)
class Extraction:
    """Where one field's value comes from: exactly one of `source`, `regex`, `value` is set."""

    name: str
    source: str | None = None
    regex: str | None = None
    field: str = "body"
    all: bool = False
    value: str | None = None
    type: str | None = None
    unit: str = "ms"


@dataclass(frozen=True, slots=True)
class Hit:
    """A record that the pattern must recognise, by the named alternative, with these fields."""

    text: str
    by: str
    expect: Mapping[str, Value]
    source: str | None
    also: tuple[str, ...]
    primary: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Miss:
    """Text in which the pattern must see nothing, and why somebody might think otherwise."""

    text: str
    why: str
    source: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """One failure of one program: how to recognise it, what it means, what to take out, and its proof."""

    id: str
    path: str
    problem: str
    title: Mapping[str, str]
    severity: str
    status: str
    checked: tuple[str, ...]
    references: tuple[str, ...]
    leads_to: tuple[str, ...]
    over: tuple[str, ...]
    specificity: int
    sources: tuple[str, ...]
    severity_min: int | None
    severity_max: int | None
    sqlstate: tuple[str, ...]
    keywords: tuple[str, ...]
    alternatives: tuple[Alternative, ...]
    extractions: tuple[Extraction, ...]
    hits: tuple[Hit, ...] = field(repr=False)
    misses: tuple[Miss, ...] = field(repr=False)

    @property
    def alternative_names(self) -> tuple[str, ...]:
        implied = (SQLSTATE_ALTERNATIVE,) if self.sqlstate else ()
        return implied + tuple(a.name for a in self.alternatives)

    @property
    def field_names(self) -> frozenset[str]:
        """Every field that this pattern can fill."""
        groups = {g for a in self.alternatives for g in a.groups if not g.startswith("_")}
        return frozenset(groups | {e.name for e in self.extractions})


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """What decides between two patterns, the greater first; of equal ones the id does.

    Whatever a pattern stands over, directly or not, is below it in both: no order of files or names can undo `over`.
    """

    specificity: int  # its own, or that of the most specific pattern that it stands over
    depth: int  # how many patterns stand over each other in the longest chain below it


def standings(patterns: Iterable[Pattern]) -> dict[str, Standing]:
    """The standing of each pattern by id."""
    by_id = {p.id: p for p in patterns}
    found: dict[str, Standing] = {}
    for start in sorted(by_id):
        _stand(start, by_id, found, ())
    return found


def in_order(patterns: Iterable[Pattern]) -> tuple[Pattern, ...]:
    """The patterns, those that win first: the greater standing, then the id, whatever order they come in."""
    known = tuple(patterns)
    standing = standings(known)
    return tuple(sorted(known, key=lambda p: (-standing[p.id].specificity, -standing[p.id].depth, p.id)))


def _stand(name: str, by_id: Mapping[str, Pattern], found: dict[str, Standing], path: tuple[str, ...]) -> Standing:
    if name in path:
        circle = " > ".join((*path[path.index(name) :], name))
        raise PatternError(f"patterns stand over each other in a circle: {circle}", by_id[name].path, "remove one `over`")
    if name not in found:
        below = [_stand(other, by_id, found, (*path, name)) for other in by_id[name].over if other in by_id]
        specificity = max([by_id[name].specificity, *(one.specificity for one in below)])
        found[name] = Standing(specificity, 1 + max((one.depth for one in below), default=-1))
    return found[name]
