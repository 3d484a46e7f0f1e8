"""Points in time as people write them: RFC 3339, `2026-02-03 10:00`, `2h`, `yesterday`. UTC unless a zone is given."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from triage.errors import UsageError

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(?P<count>\d+(?:\.\d+)?)\s*(?P<unit>s|m|min|h|d|w)")
_SIZES = {"": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9, "t": 10**12, "tb": 10**12}  # fmt: skip
_HINT = "write it as 2026-02-03T10:00:00Z, '2026-02-03 10:00', 2h, today or yesterday"


def moment(text: str, now: datetime | None = None) -> datetime:
    """The point in time that a text means; a span such as `2h` or `1h30m` means that long ago."""
    now = now or datetime.now(UTC)
    word = text.strip().lower()
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if word in named:
        return named[word]
    try:
        if re.fullmatch(r"(?:\d+(?:\.\d+)?\s*(?:min|[smhdw])\s*)+", word):
            return now - span(word)
        value = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise UsageError(f"not a time: {text!r}", hint=_HINT) from None
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def span(text: str) -> timedelta:
    """A length of time: `30d`, `1h30m`, `90s`."""
    word = text.strip().lower()
    parts = list(_SPAN.finditer(word))
    if not parts or "".join(part[0] for part in parts).replace(" ", "") != word.replace(" ", ""):
        raise UsageError(f"not a length of time: {text!r}", hint="write it as 90s, 15m, 2h, 1h30m, 30d or 2w")
    try:
        return timedelta(seconds=sum(float(part["count"]) * _UNITS[part["unit"]] for part in parts))
    except OverflowError:
        raise UsageError(f"too long a time: {text!r}", hint="write it as 90s, 15m, 2h, 30d or 2w") from None


def day(text: str, now: datetime | None = None) -> date:
    """A calendar day: `2026-02-03`, `today`, `yesterday`."""
    try:
        return moment(text, now).date()
    except UsageError:
        raise UsageError(f"not a day: {text!r}", hint="write it as 2026-02-03, today or yesterday") from None


def size(text: str) -> int:
    """A number of bytes: `20GB`, `500M`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?b?)", text.strip().lower())
    if found is None:
        raise UsageError(f"not a size: {text!r}", hint="write it as 500MB or 20GB")
    return int(float(found[1]) * _SIZES[found[2]])


def zone(text: str) -> tzinfo:
    """A time zone: an IANA name or `+08:00`."""
    if found := re.fullmatch(r"([+-])(\d\d):?(\d\d)", text):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        if offset < timedelta(days=1):
            return timezone(-offset if found[1] == "-" else offset)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = "write an IANA name such as Asia/Shanghai, or an offset such as +08:00"
        raise UsageError(f"unknown time zone: {text!r}", hint=hint) from None
