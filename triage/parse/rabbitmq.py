"""RabbitMQ: `2026-11-23 17:24:36.784703+00:00 [error] <0.673.0> text` (3.8+), and the `=REPORT=` form before it.

Every line of a multi-line report repeats the head; lines with equal (time, level, process) are one record.
"""

from __future__ import annotations

from triage.parse.layout import ISO, NUMERIC_ZONE, Layout

_LEVEL = r"(?P<level>debug|info|notice|warning|error|critical|alert|emergency|none|debu|noti|warn|erro|crit|aler|emer)"  # 3.9 cuts them to four letters

LAYOUTS = (
    Layout(
        "rabbitmq.line",
        "rabbitmq",
        r"(?P<head>" + ISO + NUMERIC_ZONE + r" \[" + _LEVEL + r"\] (?P<pid><\d+\.\d+\.\d+>|undefined)(?: |$))",
        tags=frozenset({"merge"}),
    ),
    Layout(  # a formatter without the time
        "rabbitmq.undated", "rabbitmq", r"(?P<head>\[" + _LEVEL + r"\] (?P<pid><\d+\.\d+\.\d+>)(?: |$))", clock="none", tags=frozenset({"merge"}),
    ),
    Layout(
        "rabbitmq.report",
        "rabbitmq",
        r"(?P<head>=(?P<level>INFO|WARNING|ERROR|CRASH|PROGRESS|SUPERVISOR|NOTICE|DEBUG|CRITICAL) REPORT==== "
        r"(?P<ts>\d{1,2}-[A-Z][a-z]{2}-\d{4}::\d\d:\d\d:\d\d)(?:\.(?P<frac>\d{1,9}))?(?: (?P<zone>UTC))? ===)",
        clock="erlang",
    ),
)
