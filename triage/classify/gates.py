"""Which records could be an instance of which pattern: cheap tests on whole columns, before any regex runs.

All keywords of all patterns are looked for in one Aho-Corasick pass, and values that programs give (SQLSTATE, status,
exception type, attributes) are looked up per distinct value, so the cost hardly depends on the number of patterns.
The result has a row for each pair worth a closer look: `row`, `pattern` (its rank), `word` (a keyword occurs),
`decided` (the record states an SQLSTATE that the pattern lists).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import polars as pl

from triage.classify.columns import PREFIX, Columns
from triage.classify.pattern import Alternative, Pattern
from triage.schema import SOURCES

_PAIRS = {"row": pl.UInt32, "pattern": pl.UInt32, "word": pl.Boolean, "decided": pl.Boolean}
_SOURCE_BIT = {name: 1 << i for i, name in enumerate(SOURCES)}
_ANY_SOURCE = (1 << 30) - 1
_UNKNOWN_SOURCE = 1 << 29
_LONGEST_REGEX = 60_000  # characters of keywords; far more would not compile


def type_is(value: str, wanted: str) -> bool:
    """`psycopg2.OperationalError` is an `OperationalError` and a `psycopg2.OperationalError`."""
    return value == wanted or value.endswith(f".{wanted}")


def status_is(value: str, wanted: str) -> bool:
    return value == wanted or (wanted.endswith("xx") and len(value) == 3 and value[0] == wanted[0])


def sqlstate_is(value: str, wanted: str) -> bool:
    return value == wanted or (len(wanted) == 2 and value.startswith(wanted))


class Gates:
    """The index over the patterns, which are given in the order of their rank."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        keywords = [(k, rank) for rank, p in enumerate(patterns) for k in p.keywords]
        self.keywords = sorted({k for k, _ in keywords})
        self._any = "|".join(pl.Series(self.keywords, dtype=pl.String).str.escape_regex())
        self._by_keyword = _frame("keyword", keywords)
        self._classes: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self._deciding: list[tuple[str, int]] = []
        for rank, pattern in enumerate(patterns):
            self._deciding += [(state, rank) for state in pattern.sqlstate]
            for alternative in pattern.alternatives:
                column, values = _leading_class(alternative)
                self._classes[column] += [(v, rank) for v in values]
        self._classes.pop("", None)
        self.attributes = sorted(c.removeprefix(PREFIX) for c in self._classes if c.startswith(PREFIX))
        self._gate = pl.DataFrame(  # a row for each pattern, by rank
            {
                "sources": [sum(_SOURCE_BIT[s] for s in p.sources) or _ANY_SOURCE for p in patterns],
                "least": [p.severity_min or 0 for p in patterns],
                "most": [p.severity_max or 255 for p in patterns],
                "bound": [p.severity_min is not None or p.severity_max is not None for p in patterns],
                "states": [bool(p.sqlstate) for p in patterns],
            },
            schema={"sources": pl.Int64, "least": pl.UInt8, "most": pl.UInt8,
                    "bound": pl.Boolean, "states": pl.Boolean},
        )  # fmt: skip

    def pairs(self, columns: Columns) -> pl.DataFrame:
        """Every (record, pattern) that passes the gates, sorted by pattern and row."""
        records = columns.records
        found = [self._worded(records), self._decided(records)]
        for column, values in self._classes.items():
            if not column.startswith(PREFIX):
                found.append(_by_value(_column(records, column), values, _TESTS.get(column, str.__eq__)))
        found += self._attributed(columns)
        pairs = pl.concat(found).group_by("row", "pattern").agg(pl.col("word").any(), pl.col("decided").any())
        return self._gated(pairs, records)

    def _worded(self, records: pl.DataFrame) -> pl.DataFrame:
        if not self.keywords:
            return pl.DataFrame(schema=_PAIRS)
        words = [self._words(records["body"])]
        # A message is a piece of its body, except where the layout escapes it (JSON, csvlog).
        escaped = _rows(records["body"].str.contains_any(["\\", '""']))
        if len(escaped):
            inner = self._words(records["message"].gather(escaped))
            words.append(inner.with_columns(row=escaped.gather(inner["row"])))
        pairs = pl.concat(words).join(self._by_keyword, on="keyword")
        return pairs.select("row", "pattern", word=pl.lit(True), decided=pl.lit(False)).unique()

    def _words(self, texts: pl.Series) -> pl.DataFrame:
        """Which keywords occur where: first whether any does, which clears most texts at a third of the cost."""
        few = len(self._any) < _LONGEST_REGEX
        rows = _rows(texts.str.contains(self._any) if few else texts.str.contains_any(self.keywords))
        words = texts.gather(rows).str.extract_many(self.keywords, overlapping=True).list.unique()
        found = pl.DataFrame({"row": rows, "keyword": words}, schema={"row": pl.UInt32, "keyword": pl.List(pl.String)})
        return found.explode("keyword", empty_as_null=False, keep_nulls=False)

    def _decided(self, records: pl.DataFrame) -> pl.DataFrame:
        found = _by_value(_column(records, "sqlstate"), self._deciding, sqlstate_is)
        return found.with_columns(decided=pl.lit(True))

    def _attributed(self, columns: Columns) -> list[pl.DataFrame]:
        found = []
        for key in self.attributes:
            entries, name = columns.entries(key), f"{PREFIX}{key}"
            pairs = _by_value(entries["value"], self._classes[name], _TESTS.get(name, str.__eq__))
            found.append(pairs.with_columns(row=entries["row"].gather(pairs["row"])))
        return found

    def _gated(self, pairs: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
        at, gate = pairs["row"], self._gate[pairs["pattern"]]
        bits = _column(records, "source").gather(at).replace_strict(
            _SOURCE_BIT, default=_UNKNOWN_SOURCE, return_dtype=pl.Int64
        )
        here = (bits & gate["sources"]) != 0
        pairs, at, gate = pairs.filter(here), at.filter(here), gate.filter(here)
        severity = records["severity_number"].gather(at)
        severe = severity.is_between(gate["least"], gate["most"]).fill_null(~gate["bound"])
        stated = _column(records, "sqlstate").gather(at).is_not_null()
        return pairs.filter(severe & (pairs["decided"] | ~gate["states"] | ~stated)).sort("pattern", "row")


_TESTS: dict[str, Callable[[str, str], bool]] = {
    "exception_type": type_is,
    "attributes.exception.root_type": type_is,
    "status_code": status_is,
    "sqlstate": sqlstate_is,
}


def _leading_class(alternative: Alternative) -> tuple[str, Iterable[str]]:
    """The condition of an alternative by which to look it up: one is enough, the matcher tests them all."""
    if alternative.sqlstate:
        return "sqlstate", alternative.sqlstate
    if alternative.exception_type:
        return "exception_type", alternative.exception_type
    if alternative.exception_root:
        return "attributes.exception.root_type", alternative.exception_root
    if alternative.where:
        return where_column(alternative.where[0][0]), alternative.where[0][1]
    return ("status_code", alternative.status_code) if alternative.status_code else ("", ())


def where_column(key: str) -> str:
    """A key of `where` is a column of that name, else an attribute."""
    return key if key in _WHERE_COLUMNS else f"{PREFIX}{key}"


_WHERE_COLUMNS = ("scope_name", "task_name", "thread_name", "severity_text", "service_name", "message")


def _frame(key: str, pairs: Sequence[tuple[str, int]]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema={key: pl.String, "pattern": pl.UInt32}, orient="row").unique()


def _column(records: pl.DataFrame, name: str) -> pl.Series:
    if name in records.columns:
        return records[name].cast(pl.String)
    return pl.Series(name, [None], dtype=pl.String).new_from_index(0, records.height)


def _rows(mask: pl.Series) -> pl.Series:
    return mask.fill_null(False).arg_true().cast(pl.UInt32)


def _by_value(
    column: pl.Series, wanted: Sequence[tuple[str, int]], test: Callable[[str, str], bool]
) -> pl.DataFrame:
    """Pairs for the patterns that want a value of this column; asks once for each distinct value."""
    values = column.drop_nulls().unique().to_list()
    pairs = [(value, rank) for value in values for want, rank in wanted if test(value, want)]
    if not pairs:
        return pl.DataFrame(schema=_PAIRS)
    places = pl.DataFrame({"value": column}).with_row_index("row").join(_frame("value", pairs), on="value")
    return places.select(pl.col("row").cast(pl.UInt32), "pattern", word=pl.lit(False), decided=pl.lit(False))
