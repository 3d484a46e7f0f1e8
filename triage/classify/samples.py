"""Runs the samples inside pattern files: what `triage patterns test` and tests/test_patterns.py do.

Parsing is a function handed in (text, source or None) -> records, since classify does not know the parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from triage.classify.library import Library
from triage.classify.pattern import BENIGN, Hit, Miss, Pattern
from triage.classify.pattern_file import nearest
from triage.schema import EXTRACTABLE

Parse = Callable[[str, str | None], pl.DataFrame]
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Tried:
    """One sample's records as parsed and as classified, and what matched them: (pattern, alternative), winners first."""

    records: pl.DataFrame
    named: pl.DataFrame
    matches: tuple[tuple[str, str], ...]


@dataclass
class Trial:
    """Samples against the whole library: each parsed alone, all matched as one batch, which costs a twentieth."""

    library: Library
    parse: Parse
    patterns: Iterable[Pattern]
    _tried: dict[tuple[str, int], Tried] = field(default_factory=dict)

    def __post_init__(self) -> None:
        samples: list[tuple[str, Hit | Miss]] = []
        for pattern in self.patterns:
            samples += [(pattern.path, hit) for hit in pattern.hits]
            samples += [(pattern.path, miss) for miss in pattern.misses]
        parts = [self.parse(sample.text, sample.source) for _, sample in samples]
        if not parts:
            return
        records = pl.concat(parts, how="diagonal_relaxed")
        named, found = self.library.classify(records), self.library.match(records)
        matches: dict[int, list[tuple[str, str]]] = {}
        for row, name, alternative in found.select("row", "pattern", "alternative").iter_rows():
            matches.setdefault(row, []).append((name, alternative))
        start = 0
        for (path, sample), part in zip(samples, parts, strict=True):
            own = [match for row in range(start, start + part.height) for match in matches.get(row, ())]
            self._tried[path, sample.line] = Tried(part, named.slice(start, part.height), tuple(own))
            start += part.height

    def of(self, pattern: Pattern, sample: Hit | Miss) -> Tried:
        return self._tried[pattern.path, sample.line]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to prove about one pattern. `run` returns what is wrong, or nothing."""

    pattern: str
    name: str
    where: str
    run: Callable[[Trial], list[str]]

    @property
    def id(self) -> str:
        return f"{self.pattern}-{self.name}"


def checks(patterns: Iterable[Pattern]) -> Iterator[Check]:
    """Every check of these patterns."""
    for pattern in patterns:
        yield Check(pattern.id, "whole", pattern.path, lambda trial, p=pattern: _whole(p, trial.library))  # type: ignore[misc]
        for number, hit in enumerate(pattern.hits, 1):
            where = f"{pattern.path}:{hit.line}"
            yield Check(pattern.id, f"hit{number}-{hit.by}", where, lambda trial, p=pattern, h=hit: _hit(p, h, trial))  # type: ignore[misc]
        for number, miss in enumerate(pattern.misses, 1):
            where = f"{pattern.path}:{miss.line}"
            yield Check(pattern.id, f"miss{number}", where, lambda trial, p=pattern, m=miss: _miss(p, m, trial))  # type: ignore[misc]


def _whole(pattern: Pattern, library: Library) -> list[str]:
    """What concerns the file and not one sample."""
    wrong = []
    shown = {hit.by for hit in pattern.hits}
    wrong += [f"the alternative `{name}` has no [[sample.hit]]" for name in pattern.alternative_names if name not in shown]
    if len(pattern.misses) < 2:
        wrong.append("fewer than two [[sample.miss]]")
    elif pattern.keywords and not any(k in m.text for k in pattern.keywords for m in pattern.misses):
        wrong.append("no [[sample.miss]] is near: none contains a keyword")
    known = {p.id for p in library.patterns}
    wrong += [f"`over` names {name!r}, which is no pattern{_close(name, known)}" for name in pattern.over if name not in known]
    problems = library.problems
    wrong += [f"`leads_to` names {name!r}, which is no problem{_close(name, problems)}" for name in pattern.leads_to if name not in problems]
    if pattern.problem != BENIGN:
        runbooks = library.problem(pattern.problem).runbooks
        missing = [f"runbooks/{pattern.problem}.{lang}.md" for lang in LANGUAGES if lang not in runbooks]
        wrong += [f"missing {name}" for name in missing]
    return wrong


def _close(name: str, known: Iterable[str]) -> str:
    hint = nearest(name, known)
    return f": {hint}" if hint.startswith("did you mean") else ""


def _hit(pattern: Pattern, hit: Hit, trial: Trial) -> list[str]:
    tried = trial.of(pattern, hit)
    records, named, matched = tried.records, tried.named, dict(tried.matches)
    if records.height != 1:
        parts = "; ".join(repr(m)[:80] for m in records["message"])
        return [f"the sample is {records.height} records, not one: {parts}"]
    if pattern.id not in matched:
        found = {c: records[c][0] for c in ("source", "severity_text", "message", "exception_type", "sqlstate")}
        gates = trial.library.explain(records)[0].tried
        how = "tried, but no alternative holds" if any(t.pattern == pattern.id for t in gates) else "stopped by a gate"
        return [f"does not match ({how}); the record is {found}"]
    wrong = []
    if matched[pattern.id] != hit.by:
        wrong.append(f"fires by `{matched[pattern.id]}`, not `{hit.by}`")
    others = set(matched) - {pattern.id}
    wrong += [f"{name} matches too and is not in `also`" for name in sorted(others - set(hit.also))]
    wrong += [f"`also` names {name}, which does not match" for name in sorted(set(hit.also) - others)]
    winner, primary = named["pattern"][0], hit.primary or pattern.id
    if winner != primary:
        wrong.append(f"{winner} is primary, not {primary}")
    by_words = [a for a in pattern.alternatives if a.name == hit.by and not a.by_class]
    if by_words and not any(k in hit.text or k in (records["message"][0] or "") for k in pattern.keywords):
        wrong.append("no keyword occurs in it")
    return wrong + _differences(pattern, hit, named)


def _differences(pattern: Pattern, hit: Hit, named: pl.DataFrame) -> list[str]:
    attributes = {e["key"]: e["value"] for e in named["attributes"].to_list()[0] or []}

    def value(name: str) -> Any:
        return named[name][0] if name in named.columns and (name in EXTRACTABLE or name not in attributes) else attributes.get(name)

    wrong = []
    for name in sorted(pattern.field_names | set(hit.expect)):
        got, wanted = value(name), hit.expect.get(name)
        if not _same(got, wanted):
            wrong.append(f"`{name}` is {got!r}, expected {wanted!r}")
    return wrong


def _same(got: Any, wanted: Any) -> bool:
    if isinstance(wanted, int | float) and not isinstance(wanted, bool) and got is not None:
        try:
            return abs(float(got) - wanted) <= 1e-9 * max(1.0, abs(wanted))
        except ValueError:
            return False
    return bool(got == wanted)


def _miss(pattern: Pattern, miss: Miss, trial: Trial) -> list[str]:
    fired = [name for identifier, name in trial.of(pattern, miss).matches if identifier == pattern.id]
    return [f"fires by `{name}`, although {miss.why}" for name in fired]
