"""How collecting goes, one entry an origin: what `lake info` shows beside the records.

A small file that is replaced whole. Nothing depends on it: cursors are in the table's commits.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

from triage.lake.table import Lake

_FILE = "_collecting.json"
_FORGOTTEN = timedelta(days=30)


class Going(TypedDict):
    """How one origin goes; lag and rate are None where nobody follows it. Times are RFC 3339."""

    at: str
    last_commit: str | None
    lag_s: float | None
    lines_per_s: float | None
    trouble: str | None


def going(
    last_commit: datetime | None, lag_s: float | None = None, lines_per_s: float | None = None, trouble: str | None = None
) -> Going:
    """An entry as of now."""
    rounded = [None if value is None else round(value, 1) for value in (lag_s, lines_per_s)]
    return Going(
        at=_text(datetime.now(UTC)), last_commit=_text(last_commit) if last_commit else None,
        lag_s=rounded[0], lines_per_s=rounded[1], trouble=trouble,
    )  # fmt: skip


def tell(lake: Lake, entries: Mapping[str, Going]) -> None:
    """Write how some origins go, beside what is known of the others; a lake in object storage has no such file."""
    if not lake.local:
        return
    oldest = _text(datetime.now(UTC) - _FORGOTTEN)
    known = told(lake)
    for origin, entry in entries.items():
        before = known.get(origin)
        known[origin] = Going(**{**entry, "last_commit": entry["last_commit"] or (before and before["last_commit"])})
    kept = {origin: entry for origin, entry in known.items() if entry["at"] >= oldest}
    place = Path(lake.path, _FILE)
    part = place.with_suffix(f".{os.getpid()}.part")
    with suppress(OSError):  # a full disk is told by the commit that fails
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(kept, out)
        os.replace(part, place)


def told(lake: Lake) -> dict[str, Going]:
    """What was written last, by origin."""
    if not lake.local:
        return {}
    try:
        entries = json.loads(Path(lake.path, _FILE).read_text(encoding="utf-8"))
        return {origin: Going(**{name: entry.get(name) for name in Going.__annotations__}) for origin, entry in entries.items()}  # type: ignore[typeddict-item]
    except (OSError, ValueError, AttributeError):
        return {}


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
