"""The columns beside those of the schema: what questions ask for by the million, and would else take apart each time.

Files from before a column was kept have none of it; then the query's own expression in `query/sql/derived` gives it.
"""

from __future__ import annotations

import polars as pl

from triage.schema import APART

_TEXTS = ["postgres.query", "postgres.statement"]
# An id between two slashes: a number, a UUID, a long hexadecimal number, or a name with a number (`job-17`).
_ID = r"/(?:[0-9]+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{8,}|[A-Za-z]+[-_][0-9][0-9A-Za-z_-]*)/"
_LITERAL = r"'(?:[^']|'')*'|\$[0-9]+|(?-u:\b)[0-9]+(?:\.[0-9]+)?(?-u:\b)"
_PLANNED = r"(?s)Query Text:[\t\n\f\r ]*(.*?)(?:\n[\t\n\f\r ]+[^\t\n\f\r ].*\(cost=|$)"
_BEFORE = r"(?s)^.*?duration: [0-9.]+ ms[\t\n\f\r ]+(?:statement|(?:parse|bind|execute) [^:]*):[\t\n\f\r ]*"


def with_derived(records: pl.DataFrame) -> pl.DataFrame:
    """The records with the attributes of APART as columns, and the columns of DERIVED."""
    beside = _attributes(records, {**APART, **{name: name for name in _TEXTS}})
    texts = [beside.pop(name) for name in _TEXTS]
    return records.hstack([*beside.values(), _routes(beside["attribute_path"]), *_statements(records, texts)])


def _attributes(records: pl.DataFrame, wanted: dict[str, str]) -> dict[str, pl.Series]:
    """Attributes as columns, by the columns' names."""
    entries = records.select(_row=pl.int_range(pl.len()), entry="attributes").explode("entry").unnest("entry")
    entries = entries.filter(pl.col("key").is_in(list(wanted.values())))
    own = {column: entries.filter(pl.col("key") == name) for column, name in wanted.items()}
    return {column: found["value"].gather(_places(found["_row"], records.height)).alias(column) for column, found in own.items()}


def _routes(paths: pl.Series) -> pl.Series:
    """Paths without their ids and their query, so that requests of one kind count together; null for a call to somebody else."""
    rows = paths.is_not_null().arg_true()
    rows = rows.filter(~paths.gather(rows).str.contains("^[a-z]+://"))
    plain = paths.gather(rows).str.splitn("?", 2).struct.field("field_0")
    routes = (plain + "/").str.replace_all(_ID, "/{id}/").str.strip_suffix("/")
    return routes.gather(_places(rows, len(paths))).alias("request_route")


def _statements(records: pl.DataFrame, texts: list[pl.Series]) -> list[pl.Series]:
    """What the database logged with a duration: `plan` or `statement`, and the text with its literals masked."""
    rows = records["duration_ms"].is_not_null().arg_true()
    rows = rows.filter(records["source"].gather(rows) == "postgres")
    rows = rows.filter(records["body"].gather(rows).str.contains(r"duration: [0-9.]+ ms"))
    each = pl.DataFrame([column.gather(rows) for column in (records["body"], *texts)])
    told = each.select(_kind(), _text()).with_columns(_masked(pl.col("statement_shape")))
    places = _places(rows, records.height)
    return [column.gather(places) for column in told]


def _places(rows: pl.Series, height: int) -> pl.Series:
    """For each of all rows its place among some of them, null where it is none."""
    nowhere = pl.Series([None], dtype=pl.UInt32).new_from_index(0, height)
    return nowhere.scatter(rows, pl.int_range(len(rows), dtype=pl.UInt32, eager=True))


def _kind() -> pl.Expr:
    planned = pl.col("body").str.contains(r"(?-u:\b)plan:[\t\n\f\r ]")
    return pl.when(planned).then(pl.lit("plan")).otherwise(pl.lit("statement")).alias("statement_kind")


def _text() -> pl.Expr:
    # To cut off what is before the text takes a fraction of what it takes to extract the text.
    plan, told = pl.col("body").str.extract(_PLANNED, 1), pl.col("body").str.replace(_BEFORE, "")
    found = pl.when(plan != "").then(plan).when((told != pl.col("body")) & (told != "")).then(told)
    return pl.coalesce(*_TEXTS, found).alias("statement_shape")


def _masked(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(_LITERAL, "?").str.replace_all(r"[\t\n\f\r ]{2,}|[\t\n\f\r]", " ")
