"""The last bound of a query: one call of a function within the engine hears no interrupt, and counts no memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triage.console import Console
from triage.errors import ExitCode, UsageError

_GRACE_S = 5.0  # between the interrupt of a query and the end of the process
_ROOM = 3  # the engine, its result and the result's frame may each take what the limit says


@contextmanager
def guarded(seconds: float, memory: int, console: Console) -> Iterator[None]:
    """End the process when a query has far overrun its limits of time and of memory (bytes)."""
    over = threading.Event()

    def watch() -> None:
        began, held = time.monotonic(), _memory()
        while not over.wait(0.2):
            late = time.monotonic() - began > seconds + _GRACE_S
            if late or _memory() - held > _ROOM * memory:
                why = "it did not end in its time" if late else "it takes far more memory than its limit"
                console.error(UsageError(f"the query was stopped: {why}", hint="narrow it down, or raise --timeout or --memory"))
                os._exit(ExitCode.USAGE)

    threading.Thread(target=watch, name="triage-guard", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _memory() -> int:
    """Bytes that this process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
