"""The event table's data: columns of small numbers beside one column of text, which packs well and reads fast."""

from __future__ import annotations

import json
from itertools import pairwise

from triage.report.parts import EventColumns
from triage.visible import visible

# OpenTelemetry's names, from which number on.
_LEVELS = ((21, "FATAL"), (17, "ERROR"), (13, "WARN"), (9, "INFO"), (5, "DEBUG"), (1, "TRACE"))


def _level(name: str, number: int) -> str:
    """The severity as logged, where that is a word: Redis prints `#` and `*`."""
    return visible(name) if name.isalpha() else next((word for least, word in _LEVELS if number >= least), "")


def columns_json(columns: EventColumns) -> str:
    """What the page's script unpacks. Times are differences in microseconds from the record before."""
    first = columns.timestamps_us[0] if columns.timestamps_us else 0
    steps = [0, *(b - a for a, b in pairwise(columns.timestamps_us))] if columns.timestamps_us else []
    return json.dumps(
        {
            "t0": first,
            "t": steps,
            "s": columns.services,
            "v": columns.severities,
            "p": columns.problems,
            "m": [visible(message) for message in columns.messages],
            "r": columns.record_ids,
            "b": {row: visible(body) for row, body in columns.bodies.items()},
            "services": columns.service_names,
            "severities": [(_level(name, number), number) for name, number in columns.severity_names],
            "problems": columns.problem_ids,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
