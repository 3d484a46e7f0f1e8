"""Which of the records that passed a pattern's gates do match it, and by which alternative.

Cheap conditions come first and each further one runs only on what is left: regexes on rows whose class and words fit,
attributes for rows whose regex holds, look-around last, boxed in time. Where nothing is left nothing runs, since even
compiling a regex for an empty column costs more than all the rest of a small batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
import regex as regex_module

from triage.classify.extract import CHOSEN, attribute, column
from triage.classify.gates import where_column
from triage.classify.pattern import Alternative, Pattern

SECONDS_A_TEXT = 0.1  # of look-around regexes: on one text,
SECONDS_A_RUN = 5.0  # and on all texts of a run, for one pattern


@dataclass(slots=True)
class Budget:
    """What look-around regexes have cost in this run. `disabled` names the patterns that exceeded it, and why."""

    disabled: dict[str, str] = field(default_factory=dict)
    _spent: dict[str, float] = field(default_factory=dict)

    def search(self, pattern: str, compiled: regex_module.Pattern[str], text: str | None) -> dict[str, str | None] | None:
        """The groups if the regex is found (with one more entry, so never empty); None otherwise."""
        if text is None or pattern in self.disabled:
            return None
        result, begun = None, time.perf_counter()
        try:
            found = compiled.search(text, timeout=SECONDS_A_TEXT)
            result = {"": "", **found.groupdict()} if found else None
        except TimeoutError:
            self.disabled[pattern] = f"one record took over {SECONDS_A_TEXT} s"
        spent = self._spent[pattern] = self._spent.get(pattern, 0.0) + time.perf_counter() - begun
        if spent > SECONDS_A_RUN:
            self.disabled[pattern] = f"all records together took over {SECONDS_A_RUN} s"
        return result


@dataclass(frozen=True, slots=True)
class _Test:
    """One alternative, its conditions in the order of their cost; None where it has none of a kind."""

    alternative: Alternative
    plain: pl.Expr  # words and classes
    regex: str | None  # on a plain column
    late: pl.Expr | None  # what reads attributes
    look_around: regex_module.Pattern[str] | None


class Conditions:
    """The tests of one pattern. `columns` are those of the records that they read, attributes apart."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._tests = [_test(a) for a in pattern.alternatives]
        self.columns = sorted({name for a in pattern.alternatives for name in _columns_of(a)})

    def hits(self, pairs: pl.DataFrame, records: pl.DataFrame, budget: Budget) -> pl.DataFrame:
        """The pairs that match: `row`, `pattern`, `chosen` and `groups_<n>` of look-around alternatives."""
        few = pairs.with_columns(records[name].gather(pairs["row"]) for name in self.columns)
        chosen = few.select(pl.when("decided").then(pl.lit(0, pl.UInt8)).alias(CHOSEN)).to_series()
        groups: dict[int, pl.Series] = {}
        if self._tests:
            fits = few.select(t.plain.fill_null(False).alias(str(i)) for i, t in enumerate(self._tests, 1))
            for position, test in enumerate(self._tests, 1):
                # Where the SQLSTATE decided, look-around still gives its groups.
                free = chosen.is_null() if test.look_around is None else chosen.is_null() | (chosen == 0)
                at = self._left(test, (fits[str(position)] & free).arg_true(), few, records)
                if test.look_around is not None:
                    at, groups[position] = self._looked(test, at, few, records, budget)
                    at = at.filter(chosen.gather(at).is_null())
                if len(at):
                    chosen = chosen.scatter(at, pl.repeat(position, len(at), dtype=pl.UInt8, eager=True))
        named = [values.alias(f"groups_{position}") for position, values in groups.items()]
        return few.select("row", "pattern").with_columns(chosen, *named).filter(pl.col(CHOSEN).is_not_null())

    def _left(self, test: _Test, at: pl.Series, few: pl.DataFrame, records: pl.DataFrame) -> pl.Series:
        """The places, of those that fit so far, where regex and attributes hold too."""
        if len(at) and test.regex is not None:
            texts = few[test.alternative.field].cast(pl.String).gather(at)
            at = at.filter(texts.str.contains(test.regex).fill_null(False))
        if len(at) and test.late is not None:
            rows = few["row"].gather(at)
            at = at.filter(records["attributes"].gather(rows).to_frame().select(test.late.fill_null(False)).to_series())
        return at

    def _looked(
        self, test: _Test, at: pl.Series, few: pl.DataFrame, records: pl.DataFrame, budget: Budget
    ) -> tuple[pl.Series, pl.Series]:
        """The places where a look-around regex matches, and its groups there (null elsewhere)."""
        assert test.look_around is not None
        name = test.alternative.field
        asked = records[name.split(".")[0]].gather(few["row"].gather(at)).to_frame().select(column(name)).to_series()
        results = [budget.search(self.pattern.id, test.look_around, text) for text in asked]
        kind = pl.Struct(dict.fromkeys(("", *test.alternative.groups), pl.String))
        at = at.cast(pl.UInt32)
        found = pl.DataFrame({"at": at, "groups": pl.Series(results, dtype=kind)}).filter(pl.col("groups").is_not_null())
        places = pl.DataFrame({"at": pl.int_range(few.height, dtype=pl.UInt32, eager=True)})
        return found["at"], places.join(found, on="at", how="left", maintain_order="left")["groups"]


def _test(alternative: Alternative) -> _Test:
    on_attribute = alternative.field.startswith("attributes.")
    rust = alternative.engine == "rust" and alternative.regex is not None
    late = []
    if alternative.exception_root:
        late.append(_type_is(attribute("exception.root_type"), alternative.exception_root))
    late += [column(where_column(k)).is_in(v) for k, v in alternative.where if where_column(k) != k]
    if rust and on_attribute:
        late.append(column(alternative.field).str.contains(f"(?m){alternative.regex}"))
    return _Test(
        alternative,
        _plain(alternative),
        f"(?m){alternative.regex}" if rust and not on_attribute else None,
        pl.all_horizontal(late) if late else None,
        regex_module.compile(alternative.regex, regex_module.MULTILINE) if alternative.regex and not rust else None,
    )


def _plain(alternative: Alternative) -> pl.Expr:
    """The conditions that read a short column each."""
    holds = pl.lit(True) if alternative.by_class else pl.col("word")
    if alternative.exception_type:
        holds = holds & _type_is(pl.col("exception_type"), alternative.exception_type)
    if alternative.status_code:
        code = pl.col("status_code").cast(pl.String)
        holds = holds & pl.any_horizontal(
            [code.str.starts_with(c[0]) & (code.str.len_bytes() == 3) if c.endswith("xx") else code == c
             for c in alternative.status_code]
        )  # fmt: skip
    if alternative.sqlstate:
        holds = holds & pl.any_horizontal([pl.col("sqlstate").str.starts_with(s) for s in alternative.sqlstate])
    for key, values in alternative.where:
        if where_column(key) == key:
            holds = holds & pl.col(key).cast(pl.String).is_in(values)
    # A column keeps the expression from giving one row for all.
    return holds & pl.col("row").is_not_null()


def _type_is(value: pl.Expr, types: Sequence[str]) -> pl.Expr:
    return pl.any_horizontal([(value == t) | value.str.ends_with(f".{t}") for t in types])


def _columns_of(alternative: Alternative) -> set[str]:
    """The columns that the conditions of an alternative read, attributes and look-around texts apart."""
    names = {where_column(key) for key, _ in alternative.where}
    names |= {alternative.field} if alternative.regex and alternative.engine == "rust" else set()
    names |= {"exception_type"} if alternative.exception_type else set()
    names |= {"status_code"} if alternative.status_code else set()
    names |= {"sqlstate"} if alternative.sqlstate else set()
    return {name for name in names if not name.startswith("attributes.")}
