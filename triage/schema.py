"""The vocabulary that all stages share: the columns of the lake, of the lines before it, and of severities.

Column names follow the OpenTelemetry log data model in snake_case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

TIMESTAMP = pl.Datetime("us", "UTC")
ATTRIBUTES = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))  # an Arrow map, as polars holds it

# What a collector hands to the parser: one row per physical line, in the order of delivery.
LINES: dict[str, pl.DataType | type[pl.DataType]] = {
    "text": pl.String,  # decoded, without newline, without the engine's own timestamp
    "position": pl.Int64,  # byte offset in the (decompressed) file, or the engine's nanoseconds since 1970
    "seq": pl.Int32,  # occurrence number among lines of equal position in this origin; 0 for files
    "observed_timestamp": TIMESTAMP,  # the engine's receive time, null where unknown
    "log_iostream": pl.String,  # stdout, stderr or null
    "service_name": pl.String,  # overrides the batch's resource where the line itself names its service
    "container_name": pl.String,
}

# The lake's `logs` table, in order.
LOGS: dict[str, pl.DataType | type[pl.DataType]] = {
    "timestamp": TIMESTAMP,
    "observed_timestamp": TIMESTAMP,
    "date": pl.Date,
    "service_name": pl.String,
    "source": pl.String,
    "container_name": pl.String,
    "container_id": pl.String,
    "container_image_name": pl.String,
    "host_name": pl.String,
    "log_iostream": pl.String,
    "severity_text": pl.String,
    "severity_number": pl.UInt8,
    "scope_name": pl.String,
    "process_id": pl.String,
    "thread_name": pl.String,
    "body": pl.String,
    "message": pl.String,
    "exception_type": pl.String,
    "exception_message": pl.String,
    "problem": pl.String,
    "problems": pl.List(pl.String),
    "pattern": pl.String,
    "template": pl.String,
    "fingerprint": pl.UInt64,
    "duration_ms": pl.Float64,
    "status_code": pl.Int16,
    "sqlstate": pl.String,
    "task_id": pl.String,
    "task_name": pl.String,
    "request_id": pl.String,
    "job_id": pl.String,
    "user_id": pl.String,
    "trace_id": pl.String,
    "span_id": pl.String,
    "attributes": ATTRIBUTES,
    "record_id": pl.String,
    "origin": pl.String,
    "position": pl.Int64,
    "line_count": pl.Int32,
}

# Attributes that questions ask for by the million: stored as columns, too, so that no map is taken apart for them.
APART = {
    "attribute_method": "http.request.method",
    "attribute_path": "url.path",
    "attribute_state": "celery.state",
    "attribute_runtime_s": "celery.runtime_s",
    "attribute_entry": "beat.entry",
}
# What questions would work out of a text each time; see `lake.derived`.
DERIVED = ("request_route", "statement_kind", "statement_shape")

# The state tables beside the logs, each in the lake under its name: what an engine, its containers and probes said.
CONTAINER_EVENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "timestamp": TIMESTAMP,
    "date": pl.Date,
    "service_name": pl.String,
    "container_name": pl.String,
    "container_id": pl.String,
    "container_image_name": pl.String,
    "host_name": pl.String,  # of the engine
    "action": pl.String,  # create, start, die, oom, kill, stop, restart, health_status, rename, pause, unpause, update, destroy
    "exit_code": pl.Int32,  # of die
    "signal": pl.String,  # of kill, a number
    "health": pl.String,  # of health_status: healthy, unhealthy
    "oom_killed": pl.Boolean,  # of die, where the container's state was still that of this end
    "restart_count": pl.Int32,  # the engine's own restarts until then, where known
    "config": pl.String,  # of start: hash of image and configuration, other after a deployment
    "method": pl.String,  # event: the engine reported it; inspect: concluded from the container's state
    "attributes": ATTRIBUTES,
    "event_id": pl.String,  # hash of engine, container, action and time
    "time_ns": pl.Int64,  # nanoseconds since 1970
}
CONTAINER_STATS: dict[str, pl.DataType | type[pl.DataType]] = {
    "timestamp": TIMESTAMP,
    "date": pl.Date,
    "service_name": pl.String,
    "container_name": pl.String,
    "container_id": pl.String,
    "host_name": pl.String,
    "memory_bytes": pl.Int64,  # as `docker stats` shows it: without the page cache that can be dropped
    "memory_limit_bytes": pl.Int64,  # null where the container has none of its own
    "memory_failures": pl.Int64,  # times that the limit was hit, since the start; null where the engine does not say
    "cpu_seconds": pl.Float64,  # used since the start
    "cpu_percent": pl.Float64,  # of one core, since the sample before; null at the first
    "pids": pl.Int32,
    "block_read_bytes": pl.Int64,  # these four since the start
    "block_write_bytes": pl.Int64,
    "network_receive_bytes": pl.Int64,
    "network_transmit_bytes": pl.Int64,
}
SNAPSHOTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "timestamp": TIMESTAMP,
    "date": pl.Date,
    "service_name": pl.String,
    "container_name": pl.String,
    "container_id": pl.String,
    "probe": pl.String,  # its id
    "supports": pl.List(pl.String),  # problem ids that it is evidence for
    "row": pl.Int32,  # which row of the probe's answer, from 0; null where it failed or had nothing to tell
    "values": ATTRIBUTES,
    "error": pl.String,  # why there is no answer
    "duration_ms": pl.Float64,  # of the probe
    "reason": pl.String,  # asked: triage snapshot; schedule; or the problem whose onset it was
}
STATE: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "container_events": CONTAINER_EVENTS,
    "container_stats": CONTAINER_STATS,
    "snapshots": SNAPSHOTS,
}

# Columns that a pattern's [extract] table may fill directly; any other name goes to `attributes`.
EXTRACTABLE = (
    "duration_ms", "status_code", "sqlstate", "task_id", "task_name", "request_id", "job_id", "user_id",
    "trace_id", "span_id", "exception_type", "exception_message", "scope_name", "process_id", "thread_name",
)  # fmt: skip

SOURCES = ("app", "celery", "beat", "postgres", "redis", "rabbitmq", "nginx", "kernel", "other")

# OpenTelemetry severity numbers, by the words that programs print (upper case).
SEVERITY_NUMBER: dict[str, int] = {
    "TRACE": 1, "DEBUG5": 2, "DEBUG4": 3, "DEBUG3": 4, "DEBUG2": 5, "DEBUG1": 6, "DEBUG": 5, "VERBOSE": 7,
    "INFO": 9, "LOG": 9, "STATEMENT": 9, "SUCCESS": 9, "NOTICE": 10, "WARN": 13, "WARNING": 13,
    "ERROR": 17, "ERR": 17, "EXCEPTION": 17, "CRITICAL": 21, "CRIT": 21, "FATAL": 21, "ALERT": 22, "PANIC": 24,
    "EMERGENCY": 24, "EMERG": 24,
}  # fmt: skip
ERROR_NUMBER = 17  # and above


@dataclass(frozen=True, slots=True)
class Resource:
    """Where a batch comes from: values that hold for all its lines unless a line says otherwise."""

    service_name: str
    container_name: str | None = None
    container_id: str | None = None
    container_image_name: str | None = None
    host_name: str | None = None
    source: str | None = None  # one of SOURCES when given by option or known from image or name


@dataclass(frozen=True, slots=True)
class Gap:
    """Lines that existed and could not be collected, between two points in time (either may be unknown)."""

    start: datetime | None
    end: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive lines of one origin, in delivery order, and how to remember that they were stored.

    `lines` has the columns of LINES. `cursors_after(n)` gives what to commit together with the records of the
    first n lines (0 < n <= height): app transaction ids and their versions (int64). `final` is true when the
    origin has ended or has been quiet for some seconds, so that its last record may be taken as complete.
    Lines of a record that may still grow are not committed: the pipeline puts them in front of the next batch.
    """

    origin: str
    resource: Resource
    lines: pl.DataFrame
    cursors_after: Callable[[int], Mapping[str, int]]
    final: bool = True
    undecodable: int = 0  # lines whose bytes were not valid in their encoding
    notes: tuple[str, ...] = ()  # what the user should hear: truncation, a driver that cannot be read
    gaps: tuple[Gap, ...] = ()
