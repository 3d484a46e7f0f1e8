"""The SQLSTATE that a translated server message means, where the server prints none."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import polars as pl

_WARNING, _FATAL = 13, 21
_LENGTH = 240  # of a message that is looked at: a code's fragment stands near its beginning


@cache
def _fragments() -> dict[str, dict[str, str]]:
    """For `always` and `fatal` the code of each fragment."""
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {name: {fragment: code for code, fragments in table.items() for fragment in fragments} for name, table in tables.items()}


def add(records: pl.DataFrame) -> pl.DataFrame:
    """Complete `sqlstate` of the server's complaints."""
    for name, least in (("always", _WARNING), ("fatal", _FATAL)):
        codes = _fragments()[name]
        may = (pl.col("source") == "postgres") & pl.col("sqlstate").is_null() & (pl.col("number") >= least)
        # One pass for all languages; English, nearly all that there is, has none of the fragments.
        some = records.filter(may).select("i", text=pl.col("message").str.head(_LENGTH))
        some = some.filter(pl.col("text").str.contains_any(list(codes)))
        if some.is_empty():
            continue
        first = some["text"].str.extract_many(list(codes)).list.first()
        found = some.select("i", code=first.replace_strict(codes, return_dtype=pl.String))
        records = records.join(found, on="i", how="left", maintain_order="left")
        records = records.with_columns(sqlstate=pl.coalesce("sqlstate", "code")).drop("code")
    return records
