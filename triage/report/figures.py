"""The parts of a report that come straight from one named query: counts, lanes, groups, series, origins, events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import polars as pl

from triage.report.parts import (
    ContainerRow,
    ErrorGroup,
    EventColumns,
    Evidence,
    Lane,
    Mark,
    Origin,
    Point,
    Problem,
    Query,
    Record,
    Series,
    ServiceRow,
    Table,
    Totals,
)
from triage.report.sources import Source, buckets, record

EVENTS = 100_000
GROUPS = 25
UNKNOWN = 50
_PERCENTILES = ("p50", "p95")
_TIMES = {
    "requests": "report_request_time_steps",
    "tasks": "report_task_time_steps",
    "queries": "report_statement_time_steps",
}
_SESSIONS = ("sessions", "idle_in_transaction", "blocked", "max_connections")
_PROGRAMS = {
    "blocking": "report_blocking",
    "transactions": "report_transactions",
    "connections": "report_connections",
    "queues": "report_queues",
    "workers": "workers",
    "jobs": "jobs",
    "probe_failures": "probe_failures",
}
UNCLASSIFIED = "error.unclassified"
_BEFORE, _AFTER = 3, 2  # records shown around one


def services(source: Source) -> tuple[Totals, tuple[ServiceRow, ...]]:
    query = source.query("report_services", **source.window)
    rows = source.rows(query)
    summed = {
        name: sum(row[name] for row in rows) for name in ("records", "errors", "problems", "unclassified", "benign")
    }
    totals = Totals(**summed, by_service={row["service_name"]: row["records"] for row in rows}, query=query)
    return totals, tuple(
        ServiceRow(
            row["service_name"],
            row["source"] or "other",
            row["records"],
            row["errors"],
            row["problems"] + row["unclassified"],
            row["first_seen"],
            row["last_seen"],
        )
        for row in rows
    )


def lanes(source: Source, known: Mapping[str, Problem]) -> tuple[tuple[Lane, ...], Query]:
    """A row of the timeline for each problem in a service, by first sight."""
    query = source.query("report_problem_steps", **source.stepped)
    frame = source.run(query)
    lanes = []
    for (problem, service), part in frame.group_by("problem", "service_name", maintain_order=True):
        first = part.sort("first_seen").row(0, named=True)
        lanes.append(
            Lane(
                str(service),
                str(problem),
                severity(str(problem), known),
                first["first_seen"],
                _last(part),
                int(part["records"].sum()),
                buckets(part),
                first["example"] or "",
            )
        )
    lanes.sort(key=lambda lane: (lane.first_seen, lane.service, lane.problem))
    return tuple(lanes), query


def _last(part: pl.DataFrame) -> datetime:
    last: datetime = part.sort("last_seen").item(-1, "last_seen")
    return last


def severity(problem: str, known: Mapping[str, Problem]) -> str:
    return known[problem].severity if problem in known else "error"


def series(source: Source) -> tuple[Series, ...]:
    """Errors, and the percentiles of what has durations; a chart only where there is something to draw."""
    query = source.query("report_error_steps", **source.stepped)
    errors = tuple(Point(row["step"], "errors", row["errors"]) for row in source.rows(query))
    made = [Series("errors", "count", errors, query)] if errors else []
    for name, stored in _TIMES.items():
        query = source.query(stored, **source.stepped)
        rows = source.rows(query)
        points = tuple(Point(row["step"], p, row[p]) for row in rows for p in _PERCENTILES)
        if points:
            made.append(Series(name, "ms", points, query))
    query = source.query("report_memory_steps", **source.stepped)
    used = tuple(Point(row["step"], row["container_name"], row["memory_mb"]) for row in source.rows(query))
    if used:
        made.append(Series("memory", "MB", used, query, verbatim=True))
    return (*made, *_of_programs(source))


def _of_programs(source: Source) -> Iterator[Series]:
    """Charts of what probes told: sessions against the most admitted, and the longest queues."""
    query = source.query("report_session_steps", **source.stepped)
    rows = source.rows(query)
    points = tuple(Point(row["step"], name, row[name]) for row in rows for name in _SESSIONS if row[name] is not None)
    if points:
        yield Series("sessions", "number", points, query)
    query = source.query("report_queue_steps", **source.stepped)
    points = tuple(Point(row["step"], row["queue"], row["messages"]) for row in source.rows(query))
    if points:
        yield Series("queues", "number", points, query, verbatim=True)


def programs(source: Source) -> tuple[Table, ...]:
    """Tables of what programs said of themselves; only those that have rows."""
    made = []
    for name, stored in _PROGRAMS.items():
        query = source.query(stored, **source.window, **({"latest": True} if stored == "jobs" else {}))
        frame = source.run(query)
        if frame.height:
            made.append(Table(name, tuple(frame.columns), tuple(frame.to_dicts()), query))
    return tuple(made)


def marks(source: Source) -> tuple[tuple[Mark, ...], Query]:
    """What happened to containers, for the timeline."""
    query = source.query("container_marks", **source.window)
    return tuple(
        Mark(
            row["timestamp"], row["service_name"], row["kind"],
            " ".join(
                part
                for part in (
                    row["container_name"],
                    None if row["exit_code"] is None else f"({row['exit_code']})",
                    row["image"] if row["kind"] in ("start", "image") else None,
                )
                if part
            ),
        )
        for row in source.rows(query)
    ), query  # fmt: skip


def containers(source: Source) -> tuple[tuple[ContainerRow, ...], Query]:
    """Containers that ended or began in the window."""
    query = source.query("restarts", **source.window)
    return tuple(ContainerRow(**row) for row in source.rows(query)), query


def groups(source: Source, name: str, most: int) -> tuple[tuple[ErrorGroup, ...], Query]:
    query = source.query(name, **source.window, most=most)
    rows = source.rows(query)
    if not rows:
        return (), query
    steps = source.run(
        source.query(
            "report_group_steps",
            **source.stepped,
            fingerprints=[row["fingerprint"] for row in rows],
            errors_only=name == "top_error_groups",
        )
    )
    examples = records(source, [row["record_ids"][0] for row in rows])
    made = tuple(
        ErrorGroup(
            f"{row['fingerprint'] or 0:016x}",
            row["template"] or "",
            row.get("problem"),
            row["exception_type"],
            "error",
            row["records"],
            row["first_seen"],
            row["last_seen"],
            tuple(row["services"]),
            buckets(steps.filter(pl.col("fingerprint") == row["fingerprint"])),
            examples[row["record_ids"][0]],
        )
        for row in rows
    )
    return made, query


def records(source: Source, ids: Sequence[str]) -> dict[str, Record]:
    if not ids:
        return {}
    rows = source.rows(source.query("report_records", record_ids=sorted(set(ids))))
    return {row["record_id"]: record(row) for row in rows}


def context(source: Source, of: Record) -> Evidence:
    """The record with its neighbours in the same container or file."""
    place: dict[str, object] = {"origin": of.origin, "position": of.position, "record_id": of.record_id, "before": _BEFORE, "after": _AFTER}
    reach = source.reach(of.origin)
    query = source.query("report_context", **place, **({} if reach is None else {"reach": reach}))
    rows = source.rows(query)
    if reach is not None and len(rows) < _BEFORE + _AFTER:  # a log that pauses here, or begins, or ends
        query = source.query("report_context", **place)
        rows = source.rows(query)
    return Evidence(
        of,
        tuple(record(row) for row in rows if row["place"] < 0),
        tuple(record(row) for row in rows if row["place"] > 0),
        query,
    )


def origins(source: Source) -> tuple[tuple[Origin, ...], Query]:
    query = source.query("collection", **source.window)
    return tuple(
        Origin(
            row["origin"] or "",
            row["service_name"],
            row["records"],
            row["first_seen"],
            row["last_seen"],
            row["longest_silence_s"],
        )
        for row in source.rows(query)
    ), query


def _latest(source: Source) -> dict[str, datetime]:
    """From when on there are certainly enough records without a problem; nothing where all are shown."""
    steps = source.run(source.query("activity", **source.window)).group_by("step").agg(pl.col("records").sum())
    enough = steps.sort("step", descending=True).filter(pl.col("records").cum_sum() >= 2 * EVENTS)
    return {"latest": enough["step"][0]} if enough.height else {}


def events(source: Source, total: int) -> EventColumns:
    query = source.query("report_events", **source.window, most=EVENTS, **_latest(source))
    frame = source.run(query).with_columns(
        pl.col("severity_text").fill_null(""), pl.col("severity_number").fill_null(0), pl.col("message").fill_null("")
    )
    levels = frame.select("severity_text", "severity_number").unique().sort("severity_number", "severity_text")
    level = {pair: k for k, pair in enumerate(levels.iter_rows())}
    names = sorted(frame["service_name"].drop_nulls().unique())
    problems = ["", *sorted(frame["problem"].drop_nulls().unique())]
    number = {name: k for k, name in enumerate(names)}
    kind = {name: k for k, name in enumerate(problems)}
    bodies = frame.with_row_index("row").filter(pl.col("body").is_not_null()).select("row", "body")
    return EventColumns(
        tuple(frame["timestamp"].dt.epoch("us")),
        tuple(frame["service_name"].replace_strict(number, default=0, return_dtype=pl.Int32)),
        tuple(level[pair] for pair in frame.select("severity_text", "severity_number").iter_rows()),
        tuple(frame["problem"].fill_null("").replace_strict(kind, return_dtype=pl.Int32)),
        tuple(frame["message"]),
        dict(bodies.iter_rows()),
        tuple(frame["record_id"]),
        tuple(names),
        tuple(levels.iter_rows()),
        tuple(problems),
        total,
        query,
    )
