"""JSON records to columns: the objects of a batch are read by one native pass, then keys are mapped to columns."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from triage.parse import clock, severity
from triage.parse.json_lines import KEYS, POSTGRES_KEYS, STAMPED_PREFIX, WRAPPED_POSTGRES
from triage.parse.text import apply_where

if TYPE_CHECKING:
    from triage.parse.heads import Heads

_LISTED = r'^\[\{"exc_type": ?"(?P<type>[^"]+)", ?"exc_value": ?"(?P<value>(?:[^"\\]|\\.)*)"'
_CLF = r"^([0-9]{1,2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8}) ([+-][0-9]{4})$"
MAX_KEYS = 400  # beyond it keys are data (ids), and columns for them would cost more than a Python loop
_TIME = r"^(?P<ts>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](?P<frac>\d+))? ?(?P<zone>Z|[+-]\d\d:?\d\d|UTC|GMT|[A-Z]{3,4})?$"


_NODE_LEVELS = {"10": "TRACE", "20": "DEBUG", "30": "INFO", "40": "WARN", "50": "ERROR", "60": "FATAL"}


def _first_of_export(text: str) -> str:
    """The first record of an OTLP export as one flat object; text that is none stays as it is."""
    try:
        resource = json.loads(text)["resourceLogs"][0]
        record = resource["scopeLogs"][0]["logRecords"][0]
        pairs = [*resource.get("resource", {}).get("attributes", ()), *record.pop("attributes", ())]
        if isinstance(record.get("body"), dict):
            record["body"] = next(iter(record["body"].values()), None)
        flat = {pair["key"]: next(iter(pair["value"].values()), None) for pair in pairs}
        return json.dumps({**flat, **record, "scope": resource["scopeLogs"][0].get("scope")})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return text


def objects(text: pl.Series) -> pl.DataFrame:
    """One row per text, one String column per (dotted) key; a text that is no object gives a row of nulls."""
    if text.is_empty():
        return pl.DataFrame()
    try:
        joined = str(text.str.join("\n").item()).encode()
        frame = pl.read_ndjson(io.BytesIO(joined), infer_schema_length=None)
        if not all(_plain(kind) for kind in frame.schema.values()):
            # One fraction makes floats of a whole column: read as text, a value does not depend on its neighbours.
            schema = {name: _texts(kind) for name, kind in frame.schema.items()}
            frame = pl.read_ndjson(io.BytesIO(joined), schema=schema)
        if frame.height == text.len() and frame.width <= MAX_KEYS:
            return _flat(frame)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        pass
    if text.len() > 64:
        # One bad line must not send its thousands of neighbours through Python.
        half = text.len() // 2
        parts = [objects(text.slice(0, half)), objects(text.slice(half))]
        return pl.concat([part if part.width else _nothing(part.height or half) for part in parts], how="diagonal")
    return pl.DataFrame([dict(_items(_loads(one))) | {"\0": ""} for one in text], infer_schema_length=None).drop("\0")


def _plain(kind: pl.DataType) -> bool:
    if isinstance(kind, pl.Struct):
        return all(_plain(field.dtype) for field in kind.fields)  # type: ignore[arg-type]
    return kind.is_integer() or kind in (pl.String, pl.Boolean, pl.Null)


def _texts(kind: pl.DataType) -> pl.DataType:
    if isinstance(kind, pl.Struct) and kind.fields:
        return pl.Struct({field.name: _texts(field.dtype) for field in kind.fields})  # type: ignore[arg-type]
    return pl.String()


def _nothing(height: int) -> pl.DataFrame:
    return pl.DataFrame({"message": pl.Series([None], dtype=pl.String).new_from_index(0, height)})


def _loads(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _items(value: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    for key, one in value.items():
        if isinstance(one, dict) and one and depth < 6:
            yield from _items(one, f"{prefix}{key}.", depth + 1)
        elif one is not None:
            whole = isinstance(one, float) and one.is_integer() and abs(one) < 1e15
            plain = one if isinstance(one, str) else json.dumps(int(one) if whole else one, ensure_ascii=False)
            yield prefix + key, plain.encode("utf-8", "replace").decode()


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Structs opened to dotted names, everything as text."""
    for _ in range(8):
        structs = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Struct)]
        if not structs or frame.width > MAX_KEYS:
            break
        for name in structs:
            inner = frame[name].struct.unnest()
            inner = inner.rename({key: f"{name}.{key}" for key in inner.columns})
            clash = [key for key in inner.columns if key in frame.columns]
            frame = frame.drop(name).hstack(inner.drop(clash))
    return frame.select(_as_text(pl.col(name), kind).alias(name) for name, kind in frame.schema.items())


def _as_text(column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    if kind == pl.String:
        return column
    if isinstance(kind, pl.List):
        if isinstance(kind.inner, pl.Struct | pl.List):
            return pl.struct(column.alias("v")).struct.json_encode().str.slice(5).str.strip_suffix("}").replace("null", None)
        return pl.format("[{}]", column.cast(pl.List(pl.String)).list.join(", "))
    if isinstance(kind, pl.Struct):
        return column.struct.json_encode()
    return column.cast(pl.String, strict=False)


def pick(frame: pl.DataFrame, keys: tuple[str, ...], used: set[str]) -> pl.Series:
    """The first of some keys that has a value, row by row."""
    present = [key for key in keys if key in frame.columns]
    used.update(present)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    return frame.select(pl.coalesce(present).cast(pl.String)).to_series() if present else nothing


def read(own: pl.DataFrame, year: int, heads: Heads) -> None:
    """Read whole JSON records (`row`, `layout`, `text`)."""
    from triage.parse.heads import conform

    text = own["text"].str.replace_all("\n", " ", literal=True)
    exported = text.str.starts_with('{"resourceLogs"')
    if exported.any():
        text = apply_where(text, exported, lambda some: pl.Series([_first_of_export(one) for one in some], dtype=pl.String))
    frame = objects(text)
    if not frame.width:  # empty objects only
        frame = _nothing(text.len())
    used: set[str] = set()
    inner = next((keys for keys in WRAPPED_POSTGRES if keys["level"] in frame.columns), {})
    ts, level, message = (pick(frame, (*inner.get(name, "").split(), *KEYS[name]), used) for name in ("ts", "level", "message"))
    if inner:
        message = message.str.replace(rf"^{STAMPED_PREFIX}", "")
    if "msg" in frame.columns:
        # pino and bunyan, whose numbers are one step below Python's and whose message is always `msg`.
        node = frame["msg"].is_not_null() & level.is_in(list(_NODE_LEVELS))
        level = level.replace(_NODE_LEVELS).zip_with(node.fill_null(False), level)
    local, zone = times(ts, year)
    columns: dict[str, pl.Series] = {
        "row": own["row"], "layout": own["layout"], "local": local, "zone": zone, "level": _worded(level),
        "number": severity.numbers(level), "message": message.zip_with(message.is_not_null(), own["text"]),
    }  # fmt: skip
    otel = pick(frame, KEYS["level_number"], used).cast(pl.UInt8, strict=False)
    columns["number"] = columns["number"].zip_with(columns["number"].is_not_null(), otel.set(otel > 24, None))
    for name in ("logger", "pid", "thread", "service", "host", "exception", "exception_type", "exception_message",
                 "sqlstate", "task_id", "task_name", "request_id", "job_id", "user_id", "trace_id", "span_id"):  # fmt: skip
        columns[name] = pick(frame, (*inner.get(name, "").split(), *KEYS[name]), used)
    status = pick(frame, KEYS["status"], used)
    columns["status"] = status.str.extract(r"^([1-5]\d\d)$")
    columns["duration_ms"] = _duration(frame, used)
    database = [name for name in ("error_severity", inner.get("level")) if name in frame.columns]
    if database:
        is_pg = frame.select(pl.any_horizontal(pl.col(name).is_not_null() for name in database)).to_series()
        columns["source"] = pl.select(pl.when(is_pg).then(pl.lit("postgres"))).to_series()
    # OpenTelemetry's Python SDK prints ids as 0x…, Google Cloud a trace's as the path of a resource.
    columns["trace_id"] = columns["trace_id"].str.replace(r"^0x|^projects/[^/]*/traces/", "")
    columns["span_id"] = columns["span_id"].str.strip_prefix("0x")
    if columns["exception"].str.starts_with("[{").any():  # structlog's dict_tracebacks, outermost first
        listed = columns["exception"].str.extract_groups(_LISTED).struct.unnest()
        columns["exception_type"] = columns["exception_type"].fill_null(listed["type"])
        columns["exception_message"] = columns["exception_message"].fill_null(listed["value"])
    heads.frames.append(conform(pl.DataFrame([series.alias(name) for name, series in columns.items()])))
    if "request" in frame.columns:  # nginx's $request in a JSON log_format, django-structlog
        line = frame["request"].str.extract_groups(r"^(?P<method>[A-Z]+) (?P<path>/\S*)(?: HTTP/|$)").struct.unnest()
        frame = frame.with_columns(line["method"].alias("request_method"), line["path"].alias("request_uri")) if not {
            "request_method", "request_uri"} & set(frame.columns) else frame
    for key, name in (("method", "http.request.method"), ("path", "url.path"), ("client", "client.address")):
        heads.attribute(own["row"], name, pick(frame, KEYS[key], used))
    kept = {"error", "err", "client", "target", "channel", "status", "code", "duration", "elapsed", "runtime", "latency", "name", "component", "c", "caller", "task", "date", "created"}
    for name in frame.columns:
        if name in used and name not in kept:
            continue
        plain = name.removeprefix("record.").removeprefix("properties.") if database else name
        heads.attribute(own["row"], POSTGRES_KEYS.get(plain, name) if database else name, frame[name])


def _worded(level: pl.Series) -> pl.Series:
    """Numeric levels (pino, bunyan, OTel) as words; words as they are."""
    distinct = [word for word in level.drop_nulls().unique() if word.lstrip("-").replace(".", "", 1).isdigit()]
    if not distinct:
        return level
    words = [severity.NAMES.get(severity.number_of(word) or 0, word) for word in distinct]
    return level.replace(distinct, words)


def _duration(frame: pl.DataFrame, used: set[str]) -> pl.Series:
    ms = pick(frame, KEYS["duration_ms"], used).cast(pl.Float64, strict=False)
    seconds = pick(frame, KEYS["duration_s"], used)
    loose = pick(frame, KEYS["duration"], used)
    # A whole number may be either, as in `logfmt.took`.
    fraction = loose.str.contains(".", literal=True).fill_null(False)
    texts = seconds.fill_null(loose)
    seconds = seconds.fill_null(loose.set(~fraction, None)).cast(pl.Float64, strict=False) * 1000
    unit = texts.str.extract_groups(r"^(?P<n>\d+(?:\.\d+)?) ?(?P<u>ms|s|us|µs|ns|m)$").struct.unnest()
    factor = unit["u"].replace_strict({"ms": 1.0, "s": 1000.0, "us": 0.001, "µs": 0.001, "ns": 1e-6, "m": 60000.0}, default=None, return_dtype=pl.Float64)
    with_unit = unit["n"].cast(pl.Float64, strict=False) * factor
    nanos = pick(frame, KEYS["duration_ns"], used).cast(pl.Float64, strict=False) / 1e6
    return pl.select(pl.coalesce(ms, with_unit, seconds, nanos)).to_series()


def times(ts: pl.Series, year: int) -> tuple[pl.Series, pl.Series]:
    """Naive local times and their zones, from ISO text or from epoch seconds, milli-, micro- or nanoseconds."""
    parts = ts.str.extract_groups(_TIME.replace(r"\d", "[0-9]")).struct.unnest()
    local = clock.local_time(parts["ts"], parts["frac"], "iso", year)
    if local.null_count() and ts.str.contains(_CLF).any():
        clf = ts.str.extract(_CLF)
        local = local.zip_with(local.is_not_null(), clock.local_time(clf, None, "clf", year))
        parts = parts.with_columns(zone=parts["zone"].fill_null(ts.str.extract(_CLF, 2)))
    number = ts.str.extract(r"^([0-9]{9,19}(?:\.[0-9]+)?)$").cast(pl.Float64, strict=False)
    scaled = pl.select(
        pl.when(number > 1e17).then(number / 1e9).when(number > 1e14).then(number / 1e6).when(number > 1e11).then(number / 1e3).otherwise(number)
    ).to_series()
    epoch = clock.local_time(scaled, None, "epoch", year)
    zone = pl.select(pl.when(epoch.is_not_null()).then(pl.lit("UTC")).otherwise(parts["zone"])).to_series()
    return epoch.zip_with(epoch.is_not_null(), local), zone
