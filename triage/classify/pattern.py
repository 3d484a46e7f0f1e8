"""What a pattern is, once its file has been read and found right: plain frozen data, no behaviour but its order.

`read_pattern` in `pattern_file.py` makes these from TOML; `matcher.py` runs them. Format: patterns/README.md.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping, Sequence
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


def in_order(patterns: Iterable[Pattern]) -> tuple[Pattern, ...]:
    """The patterns, those that win first: `over` before `specificity` before id, whatever order they come in."""
    by_id = {p.id: p for p in patterns}
    above = {p.id: [o for o in p.over if o in by_id] for p in by_id.values()}
    weight: dict[str, int] = {}
    for start in sorted(by_id):
        _weigh(start, by_id, above, weight, ())
    waiting = dict.fromkeys(by_id, 0)
    for losers in above.values():
        for loser in losers:
            waiting[loser] += 1
    ready = [(-weight[i], i) for i, n in waiting.items() if n == 0]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, winner = heapq.heappop(ready)
        ordered.append(by_id[winner])
        for loser in above[winner]:
            waiting[loser] -= 1
            if waiting[loser] == 0:
                heapq.heappush(ready, (-weight[loser], loser))
    return tuple(ordered)


def _weigh(
    name: str, by_id: Mapping[str, Pattern], above: Mapping[str, Sequence[str]], weight: dict[str, int], path: tuple[str, ...]
) -> int:
    """The specificity of a pattern: at least that of every pattern that it stands over."""
    if name in path:
        circle = " > ".join((*path[path.index(name) :], name))
        raise PatternError(f"patterns stand over each other in a circle: {circle}", by_id[name].path, "remove one `over`")
    if name not in weight:
        below = [_weigh(o, by_id, above, weight, (*path, name)) for o in above[name]]
        weight[name] = max([by_id[name].specificity, *below])
    return weight[name]
