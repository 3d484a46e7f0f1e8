"""Upkeep beside a collector that never ends: a commit every few seconds must not leave files without number.

It runs in the collector's own writer, between two commits. Kept small: today's small files are joined into middling
ones, which are joined once more when the day is over, so a record is rewritten about twice and never every hour.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from triage.errors import TriageError
from triage.lake import maintenance
from triage.lake.table import Lake

COMMITS = 360  # half an hour at the default delay


class Upkeep:
    """Call it after each commit; every `commits`-th time it does its work. It never fails: a failure is said, once."""

    def __init__(self, lake: Lake, said: Callable[[str], None], commits: int = COMMITS) -> None:
        self._lake, self._said, self._commits = lake, said, commits
        self._count = 0
        self._failed: str | None = None

    def __call__(self) -> None:
        self._count += 1
        if self._count % self._commits:
            return
        try:
            # Late lines still come for the day that has just ended.
            maintenance.tidy(self._lake, (datetime.now(UTC) - timedelta(hours=1)).date())
            self._failed = None
        except (TriageError, OSError) as error:
            told = error.message if isinstance(error, TriageError) else str(error)
            if told != self._failed:
                self._said(f"small files of the lake were not joined: {told}")
            self._failed = told
