"""Upkeep beside a collector that never ends: a commit every few seconds must not leave files without number.

It runs in the collector's own writer, between two commits. Kept small: today's small files are joined into middling
ones, which are joined once more when the day is over, so a record is rewritten about twice and never every hour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from triage.errors import TriageError
from triage.lake import maintenance
from triage.lake.table import Lake

COMMITS = 360  # half an hour at the default delay


@dataclass(frozen=True, slots=True)
class Keeping:
    """What a lake keeps: days up to an age, and up to a size in bytes; None: all of it."""

    age: timedelta | None = None
    size: int | None = None


class Upkeep:
    """Call it after each commit; every `commits`-th time it does its work. It never fails: a failure is said, once."""

    def __init__(
        self, lake: Lake, said: Callable[[str], None], keeping: Keeping = Keeping(), commits: int = COMMITS
    ) -> None:
        self._lake, self._said, self._keeping, self._commits = lake, said, keeping, commits
        self._count = 0
        self._failed: str | None = None

    def __call__(self) -> None:
        self._count += 1
        if self._count % self._commits:
            return
        try:
            now = datetime.now(UTC)
            # Late lines still come for the day that has just ended.
            maintenance.tidy(self._lake, (now - timedelta(hours=1)).date())
            if self._keeping != Keeping():
                maintenance.retain(self._lake, self._keeping.age, self._keeping.size, now.date())
            self._failed = None
        except (TriageError, OSError) as error:
            told = error.message if isinstance(error, TriageError) else str(error)
            if told != self._failed:
                self._said(f"upkeep of the lake failed: {told}")
            self._failed = told
