"""Which of the records that passed a pattern's gates do match it, and by which alternative.

Cheap conditions come first: a regex runs only on rows whose class and words fit, and look-around is boxed in time.
Where nothing is left nothing runs, since compiling a regex costs more than all the rest of a small batch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import polars as pl
import regex as regex_module

from triage.classify.columns import Columns
from triage.classify.extract import CHOSEN, column
from triage.classify.gates import where_column
from triage.classify.pattern import Alternative, Pattern
from triage.regexes import by_line

SECONDS_A_TEXT = 0.1  # of look-around regexes: on one text,
SECONDS_A_RUN = 5.0  # and on all texts of a run, for one pattern;
SECONDS_MORE_A_TEXT = 0.001  # a collector that runs for months may spend more, if it has seen as much more

_ROOT = "attributes.exception.root_type"


@dataclass(slots=True)
class Budget:
    """What look-around regexes have cost in this run. `disabled` names the patterns that exceeded it, and why."""

    disabled: dict[str, str] = field(default_factory=dict)
    _spent: dict[str, float] = field(default_factory=dict)  # beyond what each text may cost

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
        cost = time.perf_counter() - begun - SECONDS_MORE_A_TEXT
        spent = self._spent[pattern] = max(0.0, self._spent.get(pattern, 0.0) + cost)
        if spent > SECONDS_A_RUN:
            self.disabled[pattern] = f"its records together took over {SECONDS_A_RUN} s"
        return result


@dataclass(frozen=True, slots=True)
class _Test:
    """One alternative, its conditions in the order of their cost."""

    alternative: Alternative
    plain: pl.Expr  # words and classes
    regex: str | None
    look_around: regex_module.Pattern[str] | None


class Conditions:
    """The tests of one pattern. `columns` are those of the records that they read."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._tests = [_test(a) for a in pattern.alternatives]
        self.columns = sorted({name for a in pattern.alternatives for name in _columns_of(a)})

    def hits(self, pairs: pl.DataFrame, columns: Columns, budget: Budget) -> pl.DataFrame:
        """The pairs that match, with the columns, `chosen`, and `groups_<n>` of look-around alternatives."""
        few = pairs.hstack(columns.rows(self.columns, pairs["row"]))
        chosen = few.select(pl.when("decided").then(pl.lit(0, pl.UInt8)).alias(CHOSEN)).to_series()
        free, places = ~few["decided"], pl.int_range(few.height, dtype=pl.UInt32, eager=True)
        groups: dict[int, pl.Series] = {}
        fits = few.select(t.plain.alias(str(i)) for i, t in enumerate(self._tests, 1)).get_columns()
        for position, (test, fit) in enumerate(zip(self._tests, fits, strict=True), 1):
            if test.look_around is not None:
                # Where the SQLSTATE decided, look-around still gives its groups.
                at, groups[position] = self._looked(test, places.filter(fit & (free | few["decided"])), few, budget)
            elif not fit.any():
                continue
            else:
                at = places.filter(fit & free)
                if len(at) and test.regex is not None:
                    at = at.filter(few[test.alternative.field][at].cast(pl.String).str.contains(test.regex))
            at = at.filter(free[at])
            if len(at):
                chosen = chosen.scatter(at, position)
                free = free.scatter(at, False)
        if len(groups):
            few = few.with_columns(values.alias(f"groups_{position}") for position, values in groups.items())
        return few.with_columns(chosen).filter(~free)

    def _looked(
        self, test: _Test, at: pl.Series, few: pl.DataFrame, budget: Budget
    ) -> tuple[pl.Series, pl.Series]:
        """The places where a look-around regex matches, and its groups there (null elsewhere)."""
        assert test.look_around is not None
        asked = few[test.alternative.field].cast(pl.String).gather(at)
        results = [budget.search(self.pattern.id, test.look_around, text) for text in asked]
        kind = pl.Struct(dict.fromkeys(("", *test.alternative.groups), pl.String))
        found = pl.DataFrame({"at": at, "groups": pl.Series(results, dtype=kind)}).filter(pl.col("groups").is_not_null())
        places = pl.DataFrame({"at": pl.int_range(few.height, dtype=pl.UInt32, eager=True)})
        return found["at"], places.join(found, on="at", how="left", maintain_order="left")["groups"]


def _test(alternative: Alternative) -> _Test:
    rust = alternative.engine == "rust"
    return _Test(
        alternative,
        _plain(alternative),
        by_line(alternative.regex) if alternative.regex and rust else None,
        regex_module.compile(alternative.regex, regex_module.MULTILINE) if alternative.regex and not rust else None,
    )


def _plain(alternative: Alternative) -> pl.Expr:
    """The conditions that read a short column each."""
    holds = pl.lit(True) if alternative.by_class else pl.col("word")
    for name, types in (("exception_type", alternative.exception_type), (_ROOT, alternative.exception_root)):
        if types:
            value = pl.col(name)
            holds = holds & pl.any_horizontal([(value == t) | value.str.ends_with(f".{t}") for t in types])
    if alternative.status_code:
        code = pl.col("status_code").cast(pl.String)
        holds = holds & pl.any_horizontal(
            [code.str.starts_with(c[0]) & (code.str.len_bytes() == 3) if c.endswith("xx") else code == c
             for c in alternative.status_code]
        )  # fmt: skip
    if alternative.sqlstate:
        holds = holds & pl.any_horizontal([pl.col("sqlstate").str.starts_with(s) for s in alternative.sqlstate])
    for key, values in alternative.where:
        holds = holds & column(where_column(key)).is_in(values)
    # A column keeps the expression from giving one row for all.
    return holds & pl.col("row").is_not_null()


def _columns_of(alternative: Alternative) -> set[str]:
    """The columns that the conditions of an alternative read."""
    names = {where_column(key) for key, _ in alternative.where}
    names |= {alternative.field} if alternative.regex else set()
    names |= {"exception_type"} if alternative.exception_type else set()
    names |= {_ROOT} if alternative.exception_root else set()
    names |= {"status_code"} if alternative.status_code else set()
    names |= {"sqlstate"} if alternative.sqlstate else set()
    return names
