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
    """What the page's script unpacks. Times are differences in microseconds from the record before.

    Rows stand service by service, each in order of time: neighbours are alike, which halves the packed size. The script
    puts them in order of time again.
    """
    rows = sorted(range(len(columns.timestamps_us)), key=lambda row: columns.services[row])
    times = [columns.timestamps_us[row] for row in rows]
    bodies = ((at, columns.bodies.get(row)) for at, row in enumerate(rows))
    return json.dumps(
        {
            "t0": times[0] if times else 0,
            "t": [0, *(b - a for a, b in pairwise(times))] if times else [],
            "s": [columns.services[row] for row in rows],
            "v": [columns.severities[row] for row in rows],
            "p": [columns.problems[row] for row in rows],
            "m": [visible(columns.messages[row]) for row in rows],
            "r": [columns.record_ids[row] for row in rows],
            "b": {at: visible(body) for at, body in bodies if body is not None},
            "services": columns.service_names,
            "severities": [(_level(name, number), number) for name, number in columns.severity_names],
            "problems": columns.problem_ids,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
