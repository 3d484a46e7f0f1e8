"""The columns of a batch as conditions and fields read them: an attribute is a column too, called `attributes.<key>`.

Searching a map costs more than everything else that a pattern does, so all attributes that any pattern reads are taken
out in one pass, and made into a column when the first pattern asks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import polars as pl

PREFIX = "attributes."


class Columns:
    """Records, and the attributes of `keys` as columns of text."""

    def __init__(self, records: pl.DataFrame, keys: Collection[str]) -> None:
        self.records = records
        self._keys = sorted(keys)
        self._entries: dict[str, pl.DataFrame] | None = None
        self._made: dict[str, pl.Series] = {}

    def entries(self, key: str) -> pl.DataFrame:
        """The rows that have an attribute, and its values: `row`, `value`."""
        if self._entries is None:
            self._entries = self._taken_out()
        return self._entries.get(key, pl.DataFrame(schema={"row": pl.UInt32, "value": pl.String}))

    def column(self, name: str) -> pl.Series:
        """A whole column; nulls where the records lack it."""
        if name in self.records.columns:
            return self.records[name]
        if name not in self._made:
            column = pl.Series(name, [None], dtype=pl.String).new_from_index(0, self.records.height)
            found = self.entries(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else pl.DataFrame()
            self._made[name] = column.scatter(found["row"], found["value"]) if found.height else column
        return self._made[name]

    def rows(self, names: Iterable[str], rows: pl.Series) -> pl.DataFrame:
        """Some rows of some columns."""
        columns = [self.column(name).alias(name) for name in names]
        return pl.DataFrame(columns)[rows] if columns else pl.DataFrame(height=len(rows))

    def _taken_out(self) -> dict[str, pl.DataFrame]:
        if not self._keys or "attributes" not in self.records.columns:
            return {}
        attributes = self.records["attributes"]
        flat = attributes.explode(empty_as_null=False, keep_nulls=False)
        at = flat.struct.field("key").is_in(self._keys).arg_true().cast(pl.UInt32)
        ends = attributes.list.len().fill_null(0).cast(pl.UInt32).cum_sum()
        rows = ends.search_sorted(at, side="right").cast(pl.UInt32)
        wanted = pl.DataFrame({"row": rows, "entry": flat.gather(at)}).unnest("entry")
        parts = wanted.unique(["row", "key"], keep="first", maintain_order=True).partition_by("key", as_dict=True)
        return {str(key): part.select("row", "value") for (key,), part in parts.items()}
