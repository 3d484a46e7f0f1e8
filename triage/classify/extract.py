"""Fields out of matched records: named groups and the entries of [extract], as expressions over the few matches."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from triage.classify.pattern import Extraction, Pattern
from triage.regexes import by_line
from triage.schema import EXTRACTABLE, LOGS

CHOSEN = "chosen"  # which alternative decided: 0 is the implied `sqlstate`, then by position from 1

_NUMBER = r"(\d+(?:\.\d+)?)"
_SPAN = (
    rf"^\s*(?:{_NUMBER}\s*d(?:ays?)?\s*)?(?:{_NUMBER}\s*h(?:(?:ou)?rs?)?\s*)?(?:{_NUMBER}\s*m(?:in(?:ute)?s?)?\s*)?"
    rf"(?:{_NUMBER}\s*s(?:ec(?:ond)?s?)?\s*)?(?:{_NUMBER}\s*m(?:illi)?s(?:ec(?:ond)?s?)?\s*)?(?:{_NUMBER}\s*[uµ]s)?\s*$"
)
_CLOCK = rf"^\s*(?:(\d+):)?(\d+):{_NUMBER}\s*$"
_UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0}
_TYPE_OF = {pl.Float64: "float", pl.Int16: "int"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one pattern: `values` is null where the record does not state it."""

    name: str
    values: pl.Expr
    constant: bool = False  # fills only what nothing else states

    @property
    def is_column(self) -> bool:
        return self.name in EXTRACTABLE


def column(name: str) -> pl.Expr:
    """A column or `attributes.<name>`, as text."""
    return pl.col(name).cast(pl.String)


def group(pattern: Pattern, name: str) -> pl.Expr:
    """A named group of the alternative that decided, or of whichever matches if the SQLSTATE decided."""
    found = []
    for position, alternative in enumerate(pattern.alternatives, 1):
        if name in alternative.groups:
            if alternative.engine == "rust":
                taken = column(alternative.field).str.extract_groups(by_line(alternative.regex or "")).struct.field(name)
            else:
                taken = pl.col(f"groups_{position}").struct.field(name)
            found.append(pl.when(pl.col(CHOSEN).is_in([0, position])).then(taken))
    return pl.coalesce(found)


def fields(pattern: Pattern) -> tuple[Field, ...]:
    """All fields of a pattern as expressions over its matched records (with the column `chosen`)."""
    groups = {g for a in pattern.alternatives for g in a.groups}
    named = [e.name for e in pattern.extractions]
    found = [
        Field(g, _typed(group(pattern, g), g, None, "ms"))
        for g in sorted(groups)
        if not g.startswith("_") and g not in named
    ]
    found += [
        Field(e.name, _typed(_taken(pattern, e, groups), e.name, e.type, e.unit), e.value is not None)
        for e in pattern.extractions
    ]
    return tuple(found)


def _taken(pattern: Pattern, entry: Extraction, groups: set[str]) -> pl.Expr:
    if entry.value is not None:
        return pl.lit(entry.value)
    if entry.source is not None:
        return group(pattern, entry.source) if entry.source in groups else column(entry.source)
    text, regex = column(entry.field), by_line(entry.regex or "")
    # `extract_groups` names unnamed groups by number, so the first group is the one asked for.
    number = 1 if _has_group(entry.regex or "") else 0
    if not entry.all:
        return text.str.extract(regex, number)
    every = text.str.extract_all(regex).list.eval(pl.element().str.extract(regex, number))
    quoted = every.list.eval(pl.element().str.replace_all(r'(["\\])', r"\$1").str.replace_all("\n", r"\n", literal=True))
    return pl.when(every.list.len() > 0).then('["' + quoted.list.join('","') + '"]')


def _has_group(regex: str) -> bool:
    """Whether there is a capturing group."""
    position = 0
    while (position := regex.find("(", position)) >= 0:
        escaped = (len(regex[:position]) - len(regex[:position].rstrip("\\"))) % 2
        if not escaped and (regex[position + 1 : position + 2] != "?" or regex[position + 2 : position + 3] in "P<"):
            return True
        position += 1
    return False


def _typed(text: pl.Expr, name: str, kind: str | None, unit: str) -> pl.Expr:
    """The text in the type of its column, or in the type asked for and then as text for an attribute."""
    target = LOGS[name] if name in EXTRACTABLE else pl.String
    kind = kind or _TYPE_OF.get(target, "string")  # type: ignore[arg-type]
    if kind == "string":
        return pl.when(text != "").then(text).cast(target, strict=False)
    if kind == "int":
        value = text.str.strip_chars().cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    elif kind == "float":
        value = text.str.strip_chars().cast(pl.Float64, strict=False)
    else:
        value = _duration(text, unit)
    return value.cast(target, strict=False)


def _duration(text: pl.Expr, unit: str) -> pl.Expr:
    """`250 ms`, `1.5s`, `2 min`, `6m0s`, `01:02:03`, or a bare number in `unit`, as milliseconds."""
    bare = text.str.strip_chars().cast(pl.Float64, strict=False) * _UNIT_MS[unit]
    factors = (86_400_000.0, 3_600_000.0, 60_000.0, 1000.0, 1.0, 0.001)
    parts = [text.str.extract(_SPAN, i).cast(pl.Float64, strict=False) * f for i, f in enumerate(factors, 1)]
    span = pl.when(pl.any_horizontal(p.is_not_null() for p in parts)).then(pl.sum_horizontal(parts))
    pieces = [text.str.extract(_CLOCK, i).cast(pl.Float64, strict=False) for i in (1, 2, 3)]
    clock = pieces[0].fill_null(0.0) * 3_600_000.0 + pieces[1] * 60_000.0 + pieces[2] * 1000.0
    return pl.coalesce(bare, span, clock)
