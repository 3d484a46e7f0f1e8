"""`time="2026-02-03T10:00:00Z" level=info msg="text" key=value`: Docker's daemon and most Go programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from triage.parse import clock, severity
from triage.parse.layout import ascii_classes

if TYPE_CHECKING:
    from triage.parse.heads import Heads

# Keys and values of an answered request.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
METHOD = r"(?:http_|request_)?method"
PATH = r"path|request_path|url|uri|route|endpoint"
STATUS = r"(?:http_|response_)?status(?:_code|Code)?|response_code|code"
_NAMES = r"duration|elapsed|elapsed_time|latency|took|time|time_taken|response_time|responseTime|process_time|processing_time|request_time|rt"
_SUFFIX = r"_ms|Ms|_s|_secs?|_seconds"
TIMES = rf"(?:{_NAMES})(?:{_SUFFIX})?"
UNIT = r"ms|msecs?|milliseconds?|µs|us|s|secs?|seconds?|毫秒|秒"
_WITH_UNIT = ascii_classes(rf"(?:^|[\s(\[=:\"])(\d+(?:\.\d+)?) ?({UNIT})(?:$|[\s)\],;|\"])")
_NAMED = ascii_classes(rf"(?:^|[\s(])(?:{_NAMES})({_SUFFIX})?[=:] ?\"?(\d+(?:\.\d+)?) ?({UNIT})?(?:$|[\s),;|\"])")
_ROUTER = r"\bconnect=[0-9]*(?:ms)? service="  # Heroku's: how long it waited for the application's connection and answer
_FACTORS = {"m": 1.0, "毫": 1.0, "µ": 0.001, "u": 0.001, "s": 1000.0, "秒": 1000.0}  # by a unit's first character, to ms
_TIME = r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d+))? ?(Z|UTC|[+-]\d\d:?\d\d)?"


def value(text: pl.Series, keys: str) -> pl.Series:
    """The value of the first of some keys, unquoted."""
    regex = rf"""(?:^|\s)(?:{keys})=(?:"(?P<q>(?:[^"\\]|\\.)*)"|'(?P<s>(?:[^'\\]|\\.)*)'|(?P<b>[^\s"']*))"""
    found = text.str.extract_groups(regex).struct.unnest()
    quoted = found["q"].fill_null(found["s"]).str.replace_all(r"\\(.)", "$1")
    return quoted.zip_with(quoted.is_not_null(), found["b"])


def took(text: pl.Series) -> pl.Series:
    """The first duration of each text, in ms. A named number without a unit is in seconds if it has a fraction, else it could be either."""
    text = text.str.replace(_ROUTER, "duration=")
    number, suffix = text.str.extract(_NAMED, 2), text.str.extract(_NAMED).str.strip_chars_start("_").str.to_lowercase()
    unit = text.str.extract(_NAMED, 3).fill_null(suffix)
    fraction = number.str.contains(".", literal=True).fill_null(False)
    unit = pl.select(pl.coalesce(unit, pl.when(fraction).then(pl.lit("s")))).to_series()
    parts = ((number, unit), (text.str.extract(_WITH_UNIT), text.str.extract(_WITH_UNIT, 2)))
    return pl.select(pl.coalesce(
        value.cast(pl.Float64) * kind.str.head(1).replace_strict(_FACTORS, default=None, return_dtype=pl.Float64) for value, kind in parts
    ).round(6)).to_series()  # fmt: skip


def request(pairs: pl.Series) -> pl.DataFrame:
    """`method`, `path`, `told` (the status as text) and `took` (ms) of an answered request; nulls where pairs tell none."""
    plain = pairs.str.replace_all(r"[,;|]+( |$)", "$1")
    method, path, status = (value(plain, keys) for keys in (METHOD, PATH, STATUS))
    # A `code` may be an error's, beside a status.
    status = status.zip_with(status.str.contains(r"^[1-5][0-9][0-9]$").fill_null(True), value(plain, STATUS.removesuffix("|code")))
    whole = method.is_in(METHODS) & path.str.starts_with("/") & status.str.contains(r"^[1-5][0-9][0-9]$")
    found = pl.DataFrame({"method": method, "path": path, "told": status, "took": took(plain)})
    return found.select(pl.when(whole.fill_null(False)).then(pl.col(name)).alias(name) for name in found.columns)


def read(own: pl.DataFrame, year: int, heads: Heads) -> None:
    """Read logfmt lines; keys without a column of their own become attributes."""
    from triage.parse.heads import conform

    text = own["text"]
    time = value(text, "time|ts|t|timestamp|at")
    parts = time.str.extract_groups(_TIME.replace("(", "(", 1)).struct.unnest()
    level = value(text, "level|lvl|severity|loglevel|log_level")
    level = level.fill_null(time.str.extract(r"^(info|error|warn(?:ing)?)$"))  # Heroku's router: at=error code=H12
    epoch = clock.local_time(time.str.extract(r"^(\d{10}(?:\.\d+)?)$"), None, "epoch", year)
    local = clock.local_time(parts["1"], parts["2"], "iso", year)
    zone = pl.select(pl.when(epoch.is_not_null()).then(pl.lit("UTC")).otherwise(parts["3"])).to_series()
    message = value(text, "msg|message|event")
    answered = _answered(own["row"], text, heads)
    frame = pl.DataFrame(
        {
            "row": own["row"], "layout": own["layout"], "local": epoch.zip_with(epoch.is_not_null(), local), "zone": zone,
            "level": level, "number": severity.numbers(level),
            "message": message.zip_with(message.is_not_null(), text), "logger": value(text, "logger|component|module"),
            "trace_id": value(text, "trace_id|traceID|traceId"), "request_id": value(text, "request_id|req_id|requestId"),
            "status": value(text, "status|status_code").fill_null(value(text, "code")).str.extract(r"^(\d{3})$"),
            "duration_ms": answered["took"],
            "source": pl.select(pl.when(answered["told"].is_not_null() & text.str.contains(_ROUTER)).then(pl.lit("nginx"))).to_series(),
            **{name: value(text, keys) for name, keys in IDS.items() if name not in ("trace_id", "request_id")},
        }
    )  # fmt: skip
    heads.frames.append(conform(frame))
    _attributes(own, heads)


_PAIR = r"""[0-9A-Za-z_.\-]+=(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S*)"""
# structlog pads the event to 30 characters: two spaces before what follows, or one after a longer event.
_CONSOLE = (
    rf"^(?P<event>.*?)(?: {{2,}})(?:\[(?P<logger>[0-9A-Za-z_.\-]+)\] *)?(?P<pairs>(?:{_PAIR}(?: +|$))*)\s*$",
    rf"^(?P<event>.{{30,}}?) (?:\[(?P<logger>[0-9A-Za-z_.\-]+)\] *)?(?P<pairs>(?:{_PAIR}(?: +|$))+)\s*$",
)
IDS = {name: rf"(?:dd\.)?{name}|{name[:-3]}I[dD]" for name in ("request_id", "job_id", "task_id", "user_id", "trace_id", "span_id")}


def console(frame: pl.DataFrame, heads: Heads) -> pl.DataFrame:
    """structlog's console lines: the event as the message, the logger, and the pairs as columns and attributes."""
    short, long = (frame["message"].str.extract_groups(regex).struct.unnest() for regex in _CONSOLE)
    found = {name: short[name].fill_null(long[name]) for name in short.columns}
    pairs = found["pairs"].fill_null("")
    _attributes(pl.DataFrame({"row": frame["row"], "text": pairs}), heads)
    plain = pairs.str.replace_all(r"='([^']*)'", '="$1"')
    answered = _answered(frame["row"], plain, heads)
    return frame.with_columns(
        message=found["event"].fill_null(frame["message"]), logger=found["logger"], status=answered["told"], duration_ms=answered["took"],
        **{name: value(plain, keys) for name, keys in IDS.items()},
    )  # fmt: skip


def _answered(rows: pl.Series, pairs: pl.Series, heads: Heads) -> pl.DataFrame:
    found = request(pairs)
    heads.attribute(rows, "http.request.method", found["method"])
    heads.attribute(rows, "url.path", found["path"])
    return found


_COLUMNS = ("time", "ts", "t", "timestamp", "at", "level", "lvl", "severity", "msg", "message", "event")


def _attributes(own: pl.DataFrame, heads: Heads) -> None:
    pairs = own.select("row", pair=pl.col("text").str.extract_all(_PAIR)).explode("pair")
    pairs = pairs.drop_nulls().select(
        "row",
        key=pl.col("pair").str.extract(r"^([\w.\-]+)="),
        value=pl.col("pair").str.extract(r"""(?s)^[\w.\-]+=['"]?(.*?)['"]?$"""),
    )
    heads.attributes.append(pairs.filter(~pl.col("key").is_in(_COLUMNS)))
