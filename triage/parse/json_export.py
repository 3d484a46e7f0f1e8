"""Carriers that write one JSON object a line: Docker's json-file, journald's `-o json`, Google Cloud's text payloads."""

from __future__ import annotations

import json

import polars as pl

from triage.parse.layout import ascii_classes
from triage.parse.severity import SYSLOG
from triage.parse.syslog import rfc3339

_STREAM = r'"stream" ?: ?"std(?:out|err)"'
JSON_FILE = rf'^\{{.*(?:"log" ?: ?".*{_STREAM}|{_STREAM}.*"log" ?: ?").*\}}\s*$'
JOURNAL = r'^\{.*"__REALTIME_TIMESTAMP" ?: ?"\d+".*\}\s*$'
# What fluent-bit, fluentd, Vector, Filebeat and Loki's export put around a line; with a level of its own beside it an
# object is the application's.
SHIPPED = (
    r'^\{(?:.*[,{] ?)?"(?:log|line|message)" ?: ?".*"(?:kubernetes|container_id|container_name|docker|labels|source_type|ingestionTime)" ?:'
    r'|^\{.*"(?:kubernetes|container_id|container_name|docker|labels|source_type|ingestionTime)" ?:.*"(?:log|line|message)" ?: ?"'
)
NOT_SHIPPED = r'"(?:level|levelname|severity|log\.level|lvl|event)" ?:'
PAYLOAD = r'^\{(?:.*[,{] ?)?"textPayload" ?: ?".*"timestamp" ?: ?"|^\{.*"timestamp" ?: ?".*"textPayload" ?: ?"'
# The order in which the engine writes the members; anything else goes through a JSON reader.
_USUAL = (
    r'^\{"log":"(?P<log>(?:[^"\\]|\\.)*)","stream":"(?P<stream>stdout|stderr)"(?:,"attrs":\{[^{}]*\})?,'
    r'"time":"(?P<time>[^"]+)"\}\s*$'
)


def json_file(text: pl.Series) -> pl.DataFrame:
    """A text that does not end in a newline is a piece of a longer line."""
    parts = text.str.extract_groups(_USUAL).struct.unnest()
    frame = parts.select("log", "stream", "time")
    odd = frame["time"].is_null()
    if odd.any():
        read = [_members(one) for one in text.filter(odd)]
        filled = pl.DataFrame(read, schema={"log": pl.String, "stream": pl.String, "time": pl.String}, orient="row")
        at = (odd.cast(pl.Int64).cum_sum() - 1).alias("at")
        frame = frame.select(
            pl.when(odd).then(filled[name].gather(at.clip(0))).otherwise(pl.col(name)).alias(name) for name in frame.columns
        )
    log = frame["log"]
    whole = log.str.ends_with("\\n")
    log = unescape(log.str.strip_suffix("\\n"))
    return pl.DataFrame(
        {"text": log, "log_iostream": frame["stream"], "observed_timestamp": rfc3339(frame["time"]), "partial": ~whole}
    )


def _members(text: str) -> tuple[str, str | None, str | None]:
    """(log with its escapes, stream, time) of an object in any order; text that is no JSON stays as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("log"), str):
        return json.dumps(text, ensure_ascii=False)[1:-1] + "\\n", None, None
    log = json.dumps(value["log"], ensure_ascii=False)[1:-1]
    stream, time = value.get("stream"), value.get("time")
    return log, stream if isinstance(stream, str) else None, time if isinstance(time, str) else None


def unescape(text: pl.Series) -> pl.Series:
    """The text of JSON strings given without their quotes."""
    escaped = text.str.contains("\\", literal=True).fill_null(False)
    if not escaped.any():
        return text
    quoted = text.filter(escaped).rechunk().to_frame("t").select(pl.format('"{}"', "t")).to_series()
    try:
        plain = quoted.str.json_decode(pl.String)
    except pl.exceptions.PolarsError:
        plain = pl.Series([_unescaped(one) for one in quoted], dtype=pl.String)
    at = escaped.cast(pl.Int64).cum_sum() - 1
    return pl.select(pl.when(escaped).then(plain.gather(at.clip(0))).otherwise(text)).to_series().alias(text.name)


def _unescaped(quoted: str) -> str:
    try:
        return str(json.loads(quoted, strict=False)).encode("utf-8", "replace").decode()
    except ValueError:
        return quoted[1:-1]


def journal(text: pl.Series) -> pl.DataFrame:
    """journald's export; a MESSAGE that is no text is a list of bytes."""
    rows = [_entry(one) for one in text]
    frame = pl.DataFrame(
        rows,
        schema={
            "text": pl.String, "at": pl.Int64, "host": pl.String, "program": pl.String, "carrier_pid": pl.String,
            "carrier_level": pl.String, "container_name": pl.String, "service_name": pl.String,
        },
        orient="row",
    )  # fmt: skip
    at = frame["at"].cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("observed_timestamp")
    return frame.drop("at").with_columns(at)


def _entry(text: str) -> tuple[str | int | None, ...]:
    try:
        value = json.loads(text)
        message = value["MESSAGE"]
        if isinstance(message, list):
            message = bytes(message).decode("utf-8", "replace")
        program = value.get("SYSLOG_IDENTIFIER") or value.get("_COMM")
        container = value.get("CONTAINER_NAME")
        level = SYSLOG.get(int(value.get("PRIORITY", -1)))
        return (
            str(message), int(value["__REALTIME_TIMESTAMP"]), value.get("_HOSTNAME"), program,
            value.get("_PID") or value.get("SYSLOG_PID"), level, container, container or program,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, RecursionError):
        return (text, None, None, None, None, None, None, None)


def shipped(text: pl.Series) -> pl.DataFrame:
    """The line that a shipper carries, with what it knows of the container."""
    rows = [_shipped(one) for one in text]
    names = ("text", "at", "log_iostream", "container_name", "service_name", "host")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    epoch = frame["at"].str.extract(r"^(\d{10}(?:\.\d+)?|\d{13}|\d{19})$")
    digits = epoch.str.extract(r"^(\d+)").str.len_chars()
    factor = digits.replace_strict({10: 1e6, 13: 1e3, 19: 1e-3}, default=None, return_dtype=pl.Float64)
    moment = (epoch.cast(pl.Float64, strict=False) * factor).cast(pl.Int64, strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    at = moment.zip_with(moment.is_not_null(), rfc3339(frame["at"]))
    return frame.drop("at").with_columns(at.alias("observed_timestamp"))


def _shipped(text: str) -> tuple[str | None, ...]:
    try:
        value = json.loads(text)
        line = next(value[name] for name in ("log", "line", "message") if isinstance(value.get(name), str))
        of = value.get("kubernetes") if isinstance(value.get("kubernetes"), dict) else {}
        at = next((value[name] for name in ("time", "@timestamp", "timestamp", "date") if name in value), None)
        stream = next((value[name] for name in ("stream", "source") if value.get(name) in ("stdout", "stderr")), None)
        container = of.get("container_name") or value.get("container_name")
        container = container.removeprefix("/") if isinstance(container, str) else None
        host = of.get("host") or value.get("host")
        return line.rstrip("\n"), None if at is None else str(at), stream, container, container, host if isinstance(host, str) else None
    except (ValueError, AttributeError, TypeError, StopIteration, RecursionError):
        return text, None, None, None, None, None


def text_payload(text: pl.Series) -> pl.DataFrame:
    """Google Cloud Logging: the program's line is a member beside the time of its receipt."""
    rows = [_payload(one) for one in text]
    frame = pl.DataFrame(rows, schema={"text": pl.String, "at": pl.String, "carrier_level": pl.String}, orient="row")
    return frame.select("text", "carrier_level", observed_timestamp=rfc3339(frame["at"]))


def _payload(text: str) -> tuple[str, str | None, str | None]:
    try:
        value = json.loads(text)
        return str(value["textPayload"]).rstrip("\n"), str(value["timestamp"]), value.get("severity")
    except (ValueError, LookupError, TypeError, RecursionError):
        return text, None, None


JSON_FILE, JOURNAL, SHIPPED = ascii_classes(JSON_FILE), ascii_classes(JOURNAL), ascii_classes(SHIPPED)
