"""How far the services' clocks are apart.

Best known from the engine's receive time, which is one clock for all containers of a host: a record is received a moment
after it was written. Else from tasks, seen both by the application that sends and by the worker that receives: a worker
cannot receive before it was sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from triage.analyse.model import ClockSkew, TaskLife, Window
from triage.analyse.tasks import quantile, task_lives
from triage.query import Session

ENGINE = "container engine"
NOTICEABLE_S = 1.0  # below, delivery and buffering explain it
_PAIRS = 5


def clock_skew(
    session: Session, window: Window, lives: Sequence[TaskLife] | None = None
) -> tuple[ClockSkew, ...]:
    """One row a service and reference; whether it matters is for the reader, `NOTICEABLE_S` helps."""
    rows = session.named("clock_offsets", since=window.start, until=window.end)
    found = [
        ClockSkew(
            row["service_name"], ENGINE, round(row["median_s"], 3), round(row["p90_s"] - row["p10_s"], 3),
            row["records"], "receive_time",
        )
        for row in rows.iter_rows(named=True)
    ]  # fmt: skip
    known = {skew.service for skew in found}
    lives = task_lives(session, window) if lives is None else lives
    return tuple(found + [skew for skew in _from_tasks(lives) if not {skew.service, skew.reference} <= known])


def _from_tasks(lives: Sequence[TaskLife]) -> list[ClockSkew]:
    """A worker behind its sender receives "before" the sending; only that direction is certain."""
    pairs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for life in lives:
        if life.sent_by and life.worker and life.wait_ms is not None:
            pairs[life.worker, life.sent_by].append(life.wait_ms / 1000)
    found = []
    for (worker, sender), waits in sorted(pairs.items()):
        waits.sort()
        if len(waits) < _PAIRS:
            continue
        spread = (quantile(waits, 0.9) or 0.0) - (quantile(waits, 0.1) or 0.0)
        usual = quantile(waits, 0.5) or 0.0
        # Lines that are only sometimes written late spread; a clock is off by the same all the time.
        skew = waits[0] if usual < 0 and spread < -usual else 0.0
        found.append(ClockSkew(worker, sender, round(skew, 3), round(spread, 3), len(waits), "shared_ids"))
    return found
