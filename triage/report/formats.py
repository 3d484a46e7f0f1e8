"""How values are printed: the filters of the templates. Pure functions of a value; nothing here decides content."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from triage.report.parts import Axis, Buckets, Query
from triage.visible import visible

SPARK_BARS = 40
_IN_MS = {"ms": 1.0, "s": 1000.0}
_CLOCKS = {"d": "%Y-%m-%d %H:%M", "ds": "%Y-%m-%d %H:%M:%S", "hm": "%H:%M"}
_PARAMETER = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_PLAIN = re.compile(r"[A-Za-z0-9_./:+-]+")
# In a script element, and in U+2028/9 because old engines end a line there.
_SCRIPT_SAFE = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}


def iso(at: datetime) -> str:
    """RFC 3339 with milliseconds, as the page's script reads it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339(at: datetime) -> str:
    """RFC 3339 to the microsecond, as other programs read it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def clock(at: datetime, form: str = "s", many_days: bool = False) -> str:
    """`d` is date and minute, `ds` date and second, `hm` the minute alone; `s` the time of day, `ms` with milliseconds,
    both dated when the window needs it."""
    at = at.astimezone(UTC)
    if form in _CLOCKS:
        return f"{at:{_CLOCKS[form]}}"
    text = f"{at:%H:%M:%S}" + (f".{at.microsecond // 1000:03d}" if form == "ms" else "")
    return f"{at:%m-%d} {text}" if many_days else text


def number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def ms(value: float | None) -> str:
    """A duration, to three figures: 4.2 ms, 812 ms, 12.3 s, 4 min 05 s."""
    if value is None:
        return "–"
    if value < 0.1:
        return "< 0.1 ms"
    if value < 10:
        return f"{value:.1f} ms"
    if value < 1000:
        return f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1000:.2f} s" if value < 10_000 else f"{value / 1000:.1f} s"
    minutes, seconds = divmod(round(value / 1000), 60)
    return f"{minutes} min {seconds:02d} s"


def quantity(value: float | None, unit: str) -> str:
    """A value with the unit of its alert rule."""
    if value is None:
        return "–"
    if unit in _IN_MS:
        return ms(value * _IN_MS[unit])
    return f"{value:,.3g}/s" if unit == "1/s" else f"{value:,.3g} {unit}".strip()


def seconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def megabytes(value: float) -> str:
    """Bytes as people compare them with a container's limit."""
    size = value / 1e6
    return f"{size:,.1f} MB" if size < 100 else f"{size:,.0f} MB"


def shorten(text: str, limit: int) -> str:
    """Cut with a mark that says how much is missing: a silent cut reads as the whole."""
    shown = visible(text[:limit])
    return shown if len(text) <= limit else f"{shown} … (+{len(text) - limit:,})"


def origin(name: str) -> str:
    """The kind of an origin and the head of its id: a hash has no more to say to people."""
    kind, _, rest = name.partition(":")
    return f"{kind} {rest.rpartition(':')[2][:12]}" if rest else visible(name[:40])


def slug(problem: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", problem.lower())


def pairs(buckets: Buckets) -> str:
    return " ".join(f"{step}:{count}" for step, count in buckets.pairs)


def spark(buckets: Buckets, axis: Axis) -> str:
    """An SVG path of bars in a box of 120 by 18."""
    bars = min(SPARK_BARS, axis.steps)
    sums = [0] * bars
    for step, count in buckets.pairs:
        sums[min(bars - 1, step * bars // axis.steps)] += count
    most, width = max(sums, default=0) or 1, 120 / bars
    heights = ((k, max(1.5, 18 * value / most)) for k, value in enumerate(sums) if value)
    return "".join(f"M{k * width:.1f} 18v-{height:.1f}h{width * 0.8:.1f}v{height:.1f}z" for k, height in heights)


def command(query: Query) -> str:
    """The shell command that returns the figures again."""
    parts = [f"triage sql --name {query.name}"]
    for name, value in query.params.items():
        text = _plain(value)
        quoted = text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'"
        parts.append(f"-p {name}={quoted}")
    return " ".join(parts)


def inlined(query: Query) -> str:
    """The SQL with its parameters written in, to be run by itself."""
    return _PARAMETER.sub(
        lambda found: literal(query.params[found[1]]) if found[1] in query.params else found[0], query.sql.strip()
    )


def literal(value: object) -> str:
    """A value as DuckDB writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return f"TIMESTAMPTZ '{value.astimezone(UTC).isoformat(sep=' ')}'"
    if isinstance(value, timedelta):
        return f"INTERVAL '{value.total_seconds()} seconds'"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(literal(item) for item in value)}]"
    return "'" + str(value).replace("'", "''") + "'"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(item) for item in value)
    return str(value)


def script_json(value: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element whatever it contains."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_SCRIPT_SAFE)


def distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
