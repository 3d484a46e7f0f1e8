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
    found = text.str.extract_groups(rf'(?:^|\s)(?:{keys})=(?:"(?P<q>(?:[^"\\]|\\.)*)"|(?P<b>[^\s"]*))').struct.unnest()
    quoted = found["q"].str.replace_all(r"\\(.)", "$1")
    return quoted.zip_with(quoted.is_not_null(), found["b"])


def read(own: pl.DataFrame, year: int, heads: Heads) -> None:
    """Read logfmt lines; keys without a column of their own become attributes."""
    from triage.parse.heads import conform

    text = own["text"]
    time = value(text, "time|ts|t|timestamp|at")
    parts = time.str.extract_groups(_TIME.replace("(", "(", 1)).struct.unnest()
    level = value(text, "level|lvl|severity")
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
            "status": value(text, "status|status_code|code").str.extract(r"^(\d{3})$"),
        }
    )  # fmt: skip
    heads.frames.append(conform(frame))
    _attributes(own, heads)


_COLUMNS = ("time", "ts", "t", "timestamp", "at", "level", "lvl", "severity", "msg", "message", "event")


def _attributes(own: pl.DataFrame, heads: Heads) -> None:
    pairs = own.select("row", pair=pl.col("text").str.extract_all(r'[\w.\-]+=(?:"(?:[^"\\]|\\.)*"|[^\s"]*)')).explode("pair")
    pairs = pairs.drop_nulls().select(
        "row",
        key=pl.col("pair").str.extract(r"^([\w.\-]+)="),
        value=pl.col("pair").str.extract(r'(?s)^[\w.\-]+="?(.*?)"?$'),
    )
    heads.attributes.append(pairs.filter(~pl.col("key").is_in(_COLUMNS)))
