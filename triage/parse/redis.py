"""Redis and Valkey: `1:M 23 Nov 2026 17:21:51.059 * text`; the mark is the level. Also the older `[1] …` form."""

from __future__ import annotations

from triage.parse.layout import Layout

LAYOUTS = (
    Layout(
        "redis.line",
        "redis",
        r"(?P<head>(?P<pid>\d+):(?P<role>[XCSM]) (?P<ts>\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d)\.(?P<frac>\d{3}) "
        r"(?P<level>[.*#\-]) )",
        clock="redis",
    ),
    Layout(
        "redis.v2",
        "redis",
        r"(?P<head>(?:\[(?P<pid>\d+)\]|(?P<pid2>\d+):(?P<role>[XCSM])) "
        r"(?P<ts>\d\d [A-Z][a-z]{2} \d\d:\d\d:\d\d)(?:\.(?P<frac>\d{3}))? (?P<level>[.*#\-]) )",
        clock="redis_yearless",
    ),
    Layout(  # up to 2.0 without a process; a dash would be anybody's
        "redis.v1",
        "redis",
        r"(?P<head>(?P<ts>\d\d [A-Z][a-z]{2} \d\d:\d\d:\d\d) (?P<level>[.*#]) )",
        clock="redis_yearless",
    ),
    Layout(
        "redis.signal",
        "redis",
        r"(?P<head>(?P<pid>\d+):signal-handler \((?P<ts>\d{9,11})\) )",
        clock="epoch",
    ),
)
