"""Running named queries for the report, remembering each with the SQL and parameters it was run with."""

from __future__ import annotations

import math
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from triage.report.parts import Axis, Buckets, Query, Record

if TYPE_CHECKING:
    from triage.query.session import Session

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_MOST_STEPS = 200
_NEAR = 100  # records
_KEYS = ("task_name", "task_id", "job_id", "request_id", "user_id", "exception_type")


class Source:
    """A session, and the window and step that nearly every query of a report takes."""

    def __init__(self, session: Session, start: datetime, end: datetime) -> None:
        self.session = session
        self.start, self.end = start, end
        self.axis = axis(start, end)
        self.window = {"since": start, "until": end}
        self.stepped = {**self.window, "step_s": self.axis.step_s}

    @cached_property
    def _reaches(self) -> dict[str, int]:
        origins = self.session.named("origin_places", **self.window)
        return {row["origin"]: _NEAR * (row["last"] - row["first"]) // row["records"] for row in origins.iter_rows(named=True)}

    def reach(self, origin: str) -> int | None:
        """How far from a record of a log, in its positions, its neighbours usually are."""
        return max(1, self._reaches[origin]) if origin in self._reaches else None

    def query(self, name: str, **params: object) -> Query:
        stored = self.session.queries()[name]
        return Query(name, stored.sql, stored.bind(params))  # defaults too: what is shown must run by itself

    def run(self, query: Query) -> pl.DataFrame:
        return self.session.named(query.name, **query.params)

    def rows(self, query: Query) -> list[dict[str, Any]]:
        return self.run(query).to_dicts()


def axis(start: datetime, end: datetime) -> Axis:
    """The finest step of a clock's own (5 s, 1 min …) that needs at most 200 of them, from the window's start on."""
    span = max(1.0, (end - start).total_seconds())
    step = next((s for s in _STEPS_S if span / s <= _MOST_STEPS), _STEPS_S[-1])
    return Axis(start, step, math.ceil(span / step))


def buckets(frame: pl.DataFrame, count: str = "records") -> Buckets:
    """The counts of a frame with `step` and a count, over everything else in it."""
    summed = frame.group_by("step").agg(pl.col(count).sum()).sort("step")
    return Buckets(tuple((int(step), int(n)) for step, n in summed.iter_rows()))


def record(row: dict[str, Any]) -> Record:
    return Record(
        row["record_id"],
        row["timestamp"],
        row["service_name"],
        row["severity_text"] or "",
        row["severity_number"] or 0,
        row["message"] or "",
        row["body"] or row["message"] or "",
        row["problem"],
        row["origin"],
        row["position"] or 0,
        row["line_count"] or 1,
        {name: str(row[name]) for name in _KEYS if row.get(name)},
    )
