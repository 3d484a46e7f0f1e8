"""Postgres's csvlog: 23 columns (12), 24 (13) or 26 (14 and later), with newlines inside quotes."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import polars as pl

from triage.parse import clock, severity

if TYPE_CHECKING:
    from triage.parse.heads import Heads

COLUMNS = (
    "log_time", "user", "db", "pid", "client", "session", "line", "command", "session_start", "vxid", "txid", "level",
    "sqlstate", "message", "detail", "hint", "query", "query_pos", "context", "statement", "statement_pos", "location",
    "app", "backend", "leader_pid", "query_id",
)  # fmt: skip
_ATTRIBUTES = {
    "user": "postgres.user", "db": "postgres.database", "client": "client.address", "command": "postgres.command_tag",
    "detail": "postgres.detail", "hint": "postgres.hint", "query": "postgres.query", "context": "postgres.context",
    "statement": "postgres.statement", "app": "postgres.application_name", "backend": "postgres.backend_type",
    "query_id": "postgres.query_id", "location": "postgres.location", "session": "postgres.session",
}  # fmt: skip


def table(bodies: pl.Series) -> pl.DataFrame:
    """One row per record; a record that is no CSV (cut off) gives what it has."""
    try:
        frame = pl.read_csv(
            "\n".join(bodies).encode("utf-8", "replace"), has_header=False, infer_schema=False,
            schema=dict.fromkeys(COLUMNS[:_width(bodies)], pl.String), truncate_ragged_lines=True,
        )  # fmt: skip
        if frame.height == bodies.len():
            return frame.select(pl.col(c) if c in frame.columns else pl.lit(None, pl.String).alias(c) for c in COLUMNS)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        pass
    rows = [next(csv.reader([body]), []) for body in (body.replace("\n", "\x0b") for body in bodies)]
    filled = [[field.replace("\x0b", "\n") for field in row[: len(COLUMNS)]] for row in rows]
    padded = [row + [None] * (len(COLUMNS) - len(row)) for row in filled]
    return pl.DataFrame(padded, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def _width(bodies: pl.Series) -> int:
    first = next(csv.reader([bodies[0].replace("\n", " ")]), [])
    return min(len(COLUMNS), max(1, len(first)))


def read(own: pl.DataFrame, year: int, heads: Heads) -> None:
    """Read whole csvlog records (`row`, `layout`, `text`)."""
    from triage.parse.heads import conform

    frame = table(own["text"]).with_columns(pl.all().replace("", None))
    parts = frame["log_time"].str.extract_groups(r"^(?P<ts>.{19})(?:\.(?P<frac>[0-9]+))? ?(?P<zone>\S*)").struct.unnest()
    columns = frame.select(
        "level", "message", "sqlstate", "pid",
    ).with_columns(
        row=own["row"], layout=own["layout"], local=clock.local_time(parts["ts"], parts["frac"], "iso", year),
        zone=parts["zone"], number=severity.numbers(frame["level"]),
    )  # fmt: skip
    heads.frames.append(conform(columns))
    for name, key in _ATTRIBUTES.items():
        heads.attribute(own["row"], key, frame[name])
