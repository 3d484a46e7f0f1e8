"""Names the problem of every record: gates on whole columns, then regexes on the few records that pass them.

Contract: matched + benign + unclassified = all records; the order of pattern files plays no part; a record of severity
ERROR or above that no pattern knows has the problem `error.unclassified`; words alone decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from triage.classify.columns import PREFIX, Columns
from triage.classify.conditions import Budget, Conditions
from triage.classify.extract import CHOSEN, Field, fields
from triage.classify.gates import Gates
from triage.classify.pattern import BENIGN, SQLSTATE_ALTERNATIVE, Pattern
from triage.schema import ATTRIBUTES, ERROR_NUMBER, EXTRACTABLE, LOGS

UNCLASSIFIED = "error.unclassified"

_FOUND = {"row": pl.UInt32, "pattern": pl.UInt32, CHOSEN: pl.UInt8}


@dataclass(frozen=True, slots=True)
class _Values:
    """What one field of one pattern gives for some rows."""

    rank: int
    field: Field
    rows: pl.Series
    values: pl.Series


@dataclass(frozen=True, slots=True)
class Examination:
    """All steps of naming some records."""

    pairs: pl.DataFrame  # (row, pattern) that passed the gates
    matches: pl.DataFrame  # as `Matcher.described` gives them
    fields: dict[tuple[int, int], list[str]]  # by row and rank, what the pattern extracted
    stands: dict[tuple[int, str], int]  # by row and field, the rank of the pattern whose value it has


class Matcher:
    """Patterns in the order of their rank, made ready to run."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.patterns = tuple(patterns)
        self.gates = Gates(self.patterns)
        self._budget = Budget()
        self._fields = [fields(p) for p in self.patterns]
        self._conditions = [Conditions(p) for p in self.patterns]
        tested = [set(c.columns) for c in self._conditions]
        self._columns = [sorted(_columns_of(p) - tested[rank]) for rank, p in enumerate(self.patterns)]
        read = {name for names in [*tested, *self._columns] for name in names}
        read |= {PREFIX + key for key in self.gates.attributes}
        self._keys = {name.removeprefix(PREFIX) for name in read if name.startswith(PREFIX)}

    @property
    def disabled(self) -> Mapping[str, str]:
        """Patterns that exceeded their time budget in this run, and why."""
        return self._budget.disabled

    def classify(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records with `problem`, `problems`, `pattern` and the extracted fields set."""
        records = _complete(records)
        found, values = self._run(*self._opened(records))
        return _filled(self._named(records, found), values)

    def match(self, records: pl.DataFrame) -> pl.DataFrame:
        """Every match: `row`, `pattern` (id), `alternative`, `problem`; the winner of a row comes first."""
        records = _complete(records)
        found, _ = self._run(*self._opened(records))
        return self.described(found).drop("rank")

    def examine(self, records: pl.DataFrame) -> Examination:
        """What `classify` does with these records, kept for explanations."""
        records = _complete(records)
        columns, pairs = self._opened(records)
        found, values = self._run(columns, pairs)
        told: dict[tuple[int, int], list[str]] = {}
        stands: dict[tuple[int, str], int] = {}
        for entry in sorted(values, key=lambda v: (v.field.constant, v.rank)):
            name = entry.field.name
            there = _stated(records, entry.field).gather(entry.rows)
            for row, parsed in zip(entry.rows, there, strict=True):
                told.setdefault((row, entry.rank), []).append(name)
                if not (entry.field.constant and parsed):
                    stands.setdefault((row, name), entry.rank)
        return Examination(pairs, self.described(found), told, stands)

    def described(self, found: pl.DataFrame) -> pl.DataFrame:
        names = [
            {"pattern": rank, CHOSEN: chosen, "alternative": name}
            for rank, p in enumerate(self.patterns)
            for chosen, name in enumerate((SQLSTATE_ALTERNATIVE, *(a.name for a in p.alternatives)))
        ]
        schema = {"pattern": pl.UInt32, CHOSEN: pl.UInt8, "alternative": pl.String}
        told = found.join(pl.DataFrame(names, schema=schema), on=["pattern", CHOSEN], how="left").sort("row", "pattern")
        ranks = told["pattern"]
        return told.select(
            "row",
            ranks.alias("rank"),
            _strings([p.id for p in self.patterns]).gather(ranks).alias("pattern"),
            "alternative",
            _strings([p.problem for p in self.patterns]).gather(ranks).alias("problem"),
        )

    def _opened(self, records: pl.DataFrame) -> tuple[Columns, pl.DataFrame]:
        columns = Columns(records, self._keys)
        return columns, self.gates.pairs(columns)

    def _run(self, columns: Columns, pairs: pl.DataFrame) -> tuple[pl.DataFrame, list[_Values]]:
        found = [pl.DataFrame(schema=_FOUND)]
        values: list[_Values] = []
        for (rank,), part in pairs.partition_by("pattern", as_dict=True, maintain_order=True).items():
            if self.patterns[rank].id not in self.disabled:
                hits = self._hits(rank, part, columns)
                found.append(hits.select(*_FOUND))
                values += self._extracted(rank, hits)
        return pl.concat(found), values

    def _hits(self, rank: int, pairs: pl.DataFrame, columns: Columns) -> pl.DataFrame:
        """The pairs of one pattern that do match, with the columns that its fields need."""
        hits = self._conditions[rank].hits(pairs, columns, self._budget)
        return hits.hstack(columns.rows(self._columns[rank], hits["row"])) if hits.height else hits

    def _extracted(self, rank: int, hits: pl.DataFrame) -> list[_Values]:
        wanted = self._fields[rank]
        if not wanted or hits.is_empty():
            return []
        taken = hits.select(f.values.alias(str(i)) for i, f in enumerate(wanted))
        found = []
        for i, entry in enumerate(wanted):
            values = taken[str(i)]
            if len(values) < hits.height:  # only constants: a literal has one row
                values = values.new_from_index(0, hits.height)
            there = values.is_not_null()
            if there.any():
                found.append(_Values(rank, entry, hits["row"].filter(there), values.filter(there)))
        return found

    def _named(self, records: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
        problem = _strings([None if p.problem == BENIGN else p.problem for p in self.patterns])
        lead = (
            found.sort("row", "pattern")
            .with_columns(name=problem.gather(found.sort("row", "pattern")["pattern"]))
            .group_by("row", maintain_order=True)
            .agg(pl.col("pattern").first(), pl.col("name").first(),
                 pl.col("name").drop_nulls().unique(maintain_order=True).alias("names"))
            .with_columns(names=pl.when(pl.col("name").is_not_null()).then(pl.col("names")).otherwise(pl.lit([])))
        )  # fmt: skip
        count, rows = records.height, lead["row"]
        named = {
            "problem": put(_nothing(pl.String, count), rows, lead["name"]),
            "problems": put(_nothing(pl.List(pl.String), count), rows, lead["names"].cast(pl.List(pl.String))),
            "pattern": put(_nothing(pl.String, count), rows, _strings([p.id for p in self.patterns]).gather(lead["pattern"])),
        }
        unknown = (pl.col("severity_number") >= ERROR_NUMBER) & pl.col("pattern").is_null()
        return records.with_columns(pl.Series(k, v) for k, v in named.items()).with_columns(
            problem=pl.when(unknown).then(pl.lit(UNCLASSIFIED)).otherwise(pl.col("problem")),
            problems=pl.when(unknown).then(pl.lit([UNCLASSIFIED])).otherwise(pl.col("problems")),
        )


def _stated(records: pl.DataFrame, wanted: Field) -> pl.Series:
    """Whether the parser gave a field."""
    if wanted.is_column:
        return records[wanted.name].is_not_null()
    keys = pl.element().struct.field("key")
    return records.select(pl.col("attributes").list.eval(keys).list.contains(wanted.name).fill_null(False)).to_series()


def put(column: pl.Series, rows: pl.Series, values: pl.Series) -> pl.Series:
    """The column with some rows replaced; for every type, lists too, which `Series.scatter` refuses."""
    if not len(rows):
        return column
    if column.null_count() == len(column):
        index = pl.Series([None], dtype=pl.UInt32).new_from_index(0, len(column))
        return values.alias(column.name).cast(column.dtype).gather(index.scatter(rows, pl.int_range(len(rows), eager=True, dtype=pl.UInt32)))
    index = pl.int_range(len(column), eager=True, dtype=pl.UInt32)
    index = index.scatter(rows, pl.int_range(len(column), len(column) + len(rows), eager=True, dtype=pl.UInt32))
    # To gather from a column in pieces takes fifteen times as long.
    return pl.concat([column, values.alias(column.name).cast(column.dtype)], rechunk=True).gather(index)


def _filled(records: pl.DataFrame, values: list[_Values]) -> pl.DataFrame:
    """Set what the patterns extracted."""
    by_column: dict[str, list[_Values]] = {}
    for entry in values:
        by_column.setdefault(entry.field.name if entry.field.is_column else "attributes", []).append(entry)
    columns = []
    for name, entries in by_column.items():
        old = records[name]
        columns.append(_with_attributes(old, entries) if name == "attributes" else _with_values(old, entries))
    return records.with_columns(columns)


def _with_values(old: pl.Series, values: list[_Values]) -> pl.Series:
    """The column with more values; of one row, the winner's value stands, then the parser's, then constants."""
    new = pl.concat(
        pl.DataFrame({"row": v.rows, "value": v.values}).with_columns(
            order=pl.lit(v.rank, pl.Int64), constant=pl.lit(v.field.constant)
        )
        for v in values
    )
    new = new.sort("row", "constant", "order").unique("row", keep="first", maintain_order=True)
    kept = new.filter(~new["constant"] | old.gather(new["row"]).is_null())
    return put(old, kept["row"], kept["value"])


def _with_attributes(attributes: pl.Series, values: list[_Values]) -> pl.Series:
    """The attributes with more entries; of one key, the winner's value stands, then the parser's, then constants."""
    new = pl.concat(
        pl.DataFrame({"row": v.rows, "value": v.values.cast(pl.String)}).with_columns(
            key=pl.lit(v.field.name), order=pl.lit(v.rank + (1_000_001 if v.field.constant else 0), pl.Int64)
        )
        for v in values
    ).select("row", "key", "value", "order")
    rows = new["row"].unique().sort()
    old = (
        pl.DataFrame({"row": rows, "entry": attributes.gather(rows)})
        .explode("entry", empty_as_null=False, keep_nulls=False)
        .unnest("entry")
        .select("row", "key", "value", order=pl.lit(1_000_000, pl.Int64))
    )
    merged = (
        pl.concat([old, new])
        .sort("row", "key", "order")
        .unique(["row", "key"], keep="first", maintain_order=True)
        .group_by("row", maintain_order=True)
        .agg(pl.struct("key", "value").alias("entries"))
    )
    return put(attributes, merged["row"], merged["entries"].cast(ATTRIBUTES))


def _columns_of(pattern: Pattern) -> set[str]:
    """The record columns that a pattern's fields read."""
    names = {e.field for e in pattern.extractions if e.regex}
    names |= {e.source for e in pattern.extractions if e.source and (e.source in LOGS or e.source.startswith("attributes."))}
    names |= {a.field for a in pattern.alternatives if a.groups and a.engine == "rust"}
    return names


def _complete(records: pl.DataFrame) -> pl.DataFrame:
    """The records with every column that a pattern may read or fill."""
    needed = {*EXTRACTABLE, "source", "severity_text", "severity_number", "service_name", "message", "body", "attributes"}
    missing = [n for n in LOGS if n in needed and n not in records.columns]
    return records.with_columns(pl.lit(None, LOGS[n]).alias(n) for n in missing)


def _strings(values: Sequence[str | None]) -> pl.Series:
    return pl.Series(values, dtype=pl.String)


def _nothing(dtype: pl.DataType | type[pl.DataType], count: int) -> pl.Series:
    return pl.Series([None], dtype=dtype).new_from_index(0, count)
