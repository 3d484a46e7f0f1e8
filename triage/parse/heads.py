"""From head lines to columns: one row per head line, read by the named groups of its layout."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from triage.parse import clock, habits, logfmt, postgres_prefix, severity
from triage.parse.layout import Layout

# What every reader of heads returns, one row per head line.
HEADS: dict[str, pl.DataType | type[pl.DataType]] = {
    "row": pl.UInt32, "layout": pl.Int16, "local": pl.Datetime("us"), "zone": pl.String, "yearless": pl.Boolean,
    "level": pl.String, "number": pl.UInt8, "logger": pl.String, "pid": pl.String, "thread": pl.String,
    "message": pl.String, "host": pl.String, "service": pl.String, "status": pl.String, "sqlstate": pl.String,
    "task_id": pl.String, "task_name": pl.String, "request_id": pl.String, "job_id": pl.String, "user_id": pl.String,
    "trace_id": pl.String, "span_id": pl.String, "duration_ms": pl.Float64, "exception": pl.String,
    "exception_type": pl.String, "exception_message": pl.String, "source": pl.String,
}  # fmt: skip
# Groups of layouts that become attributes.
ATTRIBUTES = {
    "method": "http.request.method", "path": "url.path", "client": "client.address", "db": "postgres.database",
    "user": "postgres.user", "app": "postgres.application_name", "size": "http.response.body.size",
    "referer": "http.request.header.referer", "user_agent": "user_agent.original", "role": "redis.role",
    "connection": "nginx.connection", "function": "code.function", "code": "mysql.code", "session": "postgres.session",
    "command": "postgres.command_tag", "backend": "postgres.backend_type", "vhost": "server.address", "line": "code.line",
    "place": "code.place", "where": "code.place",
}  # fmt: skip
REQUEST = r"^(?:-|req[0-9A-Za-z_\-]+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F\-]{4,22}|[0-9a-f]{16,32})$"
UNITS = {"s": 1000.0, "msecs": 1.0, "ms": 1.0, "micros": 0.001, "µs": 0.001, "us": 0.001, "ns": 1e-6}  # of `took`, in ms
ATTRIBUTE_FRAME = {"row": pl.UInt32, "key": pl.String, "value": pl.String}


@dataclass
class Heads:
    """Columns of all head lines so far, and their attributes in long form."""

    frames: list[pl.DataFrame] = field(default_factory=list)
    attributes: list[pl.DataFrame] = field(default_factory=list)

    def attribute(self, rows: pl.Series, key: str, values: pl.Series) -> None:
        """Remember one attribute for the rows where it has a value."""
        keep = values.is_not_null() & (values != "")
        if keep.any():
            frame = pl.DataFrame({"row": rows.filter(keep).cast(pl.UInt32), "value": values.filter(keep).cast(pl.String)})
            self.attributes.append(frame.select("row", pl.lit(key).alias("key"), "value"))

    def table(self) -> pl.DataFrame:
        """All heads in the order of their lines."""
        frames = [frame for frame in self.frames if frame.height]
        if not frames:
            return pl.DataFrame(schema=HEADS)
        return frames[0] if len(frames) == 1 else pl.concat(frames, rechunk=True).sort("row")


def conform(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with exactly the columns of HEADS."""
    return frame.select(
        (pl.col(name).cast(kind, strict=False) if name in frame.columns else pl.lit(None, kind)).alias(name)
        for name, kind in HEADS.items()
    )


def read_heads(text: pl.Series, which: pl.Series, layouts: tuple[Layout, ...], year: int) -> Heads:
    """Read every line that `which` gives a layout."""
    heads = Heads()
    lines = pl.DataFrame({"row": pl.int_range(text.len(), eager=True, dtype=pl.UInt32), "text": text, "layout": which})
    for number in which.drop_nulls().unique().sort():
        own = lines.filter(pl.col("layout") == number) if which.null_count() or which.n_unique() > 1 else lines
        layout = layouts[number]
        if "json" in layout.tags:
            continue  # read once the record is whole: a pretty-printed object spans lines
        if "csvlog" in layout.tags:
            continue
        if "logfmt" in layout.tags:
            logfmt.read(own, year, heads)
            continue
        _read(own, layout, year, heads)
    return heads


def _read(own: pl.DataFrame, layout: Layout, year: int, heads: Heads) -> None:
    """Apply one layout's regex and turn its groups into columns and attributes."""
    groups = own["text"].str.extract_groups(layout.pattern).struct.unnest()
    names = set(groups.columns)
    columns: dict[str, pl.Series] = {"row": own["row"], "layout": own["layout"]}
    message = own["text"]
    if "head" in names:
        message = pl.select(message.str.strip_prefix(groups["head"])).to_series()
    columns["message"] = message
    if "postgres" in layout.tags:
        columns["message"], columns["sqlstate"] = postgres_prefix.verbose(message)
    for name in ("level", "logger", "pid", "thread", "zone", "status", "sqlstate", "host", "service", "task_id", "task_name"):
        if name in names:
            columns[name] = groups[name]
    if "logger" in columns:
        columns["logger"] = columns["logger"].str.strip_chars_end(":] -").replace("", None)
    if "pid2" in names:
        columns["pid"] = columns["pid"].zip_with(columns["pid"].is_not_null(), groups["pid2"])
    if "thread" in names and "req" not in names and "fields" not in layout.tags:
        # A filter's request id stands where other programs print the thread.
        ids = groups["thread"].str.contains(REQUEST)
        columns["request_id"] = groups["thread"].zip_with(ids, groups["thread"].clear(own.height)).replace("-", None)
        columns["thread"] = groups["thread"].zip_with(~ids, groups["thread"].clear(own.height))
    if "req" in names:
        columns["request_id"] = groups["req"].replace("-", None)
    if "ts" in names and layout.clock != "none":
        columns["local"] = clock.local_time(groups["ts"], groups["frac"] if "frac" in names else None, layout.clock, year)
        columns["yearless"] = pl.Series([layout.clock in clock.YEARLESS]).new_from_index(0, own.height)
    if "epoch" in names:
        moment = clock.local_time(groups["epoch"], None, "epoch", year)
        known = groups["epoch"].is_not_null()
        columns["local"] = moment if "local" not in columns else moment.zip_with(known, columns["local"])
        columns["zone"] = pl.select(pl.when(known).then(pl.lit("UTC")).otherwise(columns.get("zone"))).to_series()
    if layout.clock == "epoch":
        columns["zone"] = pl.Series(["UTC"]).new_from_index(0, own.height)
    if "took" in names:
        unit = groups["unit"].replace_strict(UNITS, default=1.0, return_dtype=pl.Float64) if "unit" in names else pl.lit(1.0)
        columns["duration_ms"] = pl.select((groups["took"].cast(pl.Float64, strict=False) * unit).round(6)).to_series()
    if "waits" in names:  # seconds, in turn
        waits = groups["waits"].str.split(" ").cast(pl.List(pl.Float64))
        columns["duration_ms"] = pl.select(pl.when(waits.list.min() >= 0).then((waits.list.sum() * 1000).round(3))).to_series()
    if "level" in columns:
        columns["number"] = severity.numbers(columns["level"])
    for name in names & ATTRIBUTES.keys():
        if name == "user" and layout.source != "postgres":
            heads.attribute(own["row"], "user.name", groups[name].replace("-", None))
        else:
            heads.attribute(own["row"], ATTRIBUTES[name], groups[name].replace("-", None))
    frame = pl.DataFrame([columns[name].alias(name) for name in columns])
    if "fields" in layout.tags:
        frame = habits.read(frame, groups, heads)
        frame = frame.with_columns(number=severity.numbers(frame["level"]))
    if "pairs" in layout.tags:
        frame = logfmt.console(frame, heads)
    if "prefix" in layout.tags:
        frame = postgres_prefix.read(frame, groups["prefix"], heads)
    heads.frames.append(conform(frame))
