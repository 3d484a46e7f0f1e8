"""`time="2026-02-03T10:00:00Z" level=info msg="text" key=value`: Docker's daemon and most Go programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from triage.parse import clock, severity

if TYPE_CHECKING:
    from triage.parse.heads import Heads

_TIME = r"^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d+))? ?(Z|UTC|[+-]\d\d:?\d\d)?"


def value(text: pl.Series, keys: str) -> pl.Series:
    """The value of the first of some keys, unquoted."""
    regex = rf"""(?:^|\s)(?:{keys})=(?:"(?P<q>(?:[^"\\]|\\.)*)"|'(?P<s>(?:[^'\\]|\\.)*)'|(?P<b>[^\s"']*))"""
    found = text.str.extract_groups(regex).struct.unnest()
    quoted = found["q"].fill_null(found["s"]).str.replace_all(r"\\(.)", "$1")
    return quoted.zip_with(quoted.is_not_null(), found["b"])


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
    frame = pl.DataFrame(
        {
            "row": own["row"], "layout": own["layout"], "local": epoch.zip_with(epoch.is_not_null(), local), "zone": zone,
            "level": level, "number": severity.numbers(level),
            "message": message.zip_with(message.is_not_null(), text), "logger": value(text, "logger|component|module"),
            "trace_id": value(text, "trace_id|traceID|traceId"), "request_id": value(text, "request_id|req_id|requestId"),
            "status": value(text, "status|status_code").fill_null(value(text, "code")).str.extract(r"^(\d{3})$"),
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
    return frame.with_columns(
        message=found["event"].fill_null(frame["message"]), logger=found["logger"],
        **{name: value(plain, keys) for name, keys in IDS.items()},
    )  # fmt: skip


_COLUMNS = ("time", "ts", "t", "timestamp", "at", "level", "lvl", "severity", "msg", "message", "event")


def _attributes(own: pl.DataFrame, heads: Heads) -> None:
    pairs = own.select("row", pair=pl.col("text").str.extract_all(_PAIR)).explode("pair")
    pairs = pairs.drop_nulls().select(
        "row",
        key=pl.col("pair").str.extract(r"^([\w.\-]+)="),
        value=pl.col("pair").str.extract(r"""(?s)^[\w.\-]+=['"]?(.*?)['"]?$"""),
    )
    heads.attributes.append(pairs.filter(~pl.col("key").is_in(_COLUMNS)))
