"""How far the services' clocks are apart.

Best known from the engine's receive time, which is one clock for all containers of a host: a record is received a moment
after it was written. Else from tasks and requests that two services name: what one service tells by its own clock, the
other tells by its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low
from typing import Any

from triage.analyse.model import ClockSkew, Window
from triage.query import Session

ENGINE = "container engine"
NOTICEABLE_S = 1.0  # below, delivery and buffering explain it
_PAIRS = 5
_ALIKE = 0.1  # waits in a queue differ; those that all differ by less than a tenth are a clock's
_LEAST_WAIT_S = 5.0  # a steady wait of some seconds may be a program's


def clock_skew(session: Session, window: Window) -> tuple[ClockSkew, ...]:
    """One row a service and reference; whether it matters is for the reader, `NOTICEABLE_S` helps."""
    params = {"since": window.start, "until": window.end}
    found = [
        ClockSkew(
            row["service_name"], ENGINE, round(row["median_s"], 3), round(row["p90_s"] - row["p10_s"], 3),
            row["records"], "receive_time",
        )
        for row in session.named("clock_offsets", **params).iter_rows(named=True)
    ]  # fmt: skip
    known = {skew.service for skew in found}
    compared: set[frozenset[str]] = set()
    for row in session.named("clock_pairs", **params).iter_rows(named=True):
        pair = frozenset((row["service_name"], row["reference"]))
        if row["pairs"] >= _PAIRS and not pair <= known and pair not in compared:
            compared.add(pair)
            spread = round(row["p90_s"] - row["p10_s"], 3)
            found.append(ClockSkew(row["service_name"], row["reference"], _of_pairs(row), spread, row["pairs"], "shared_ids"))
    return tuple(found)


def _of_pairs(row: dict[str, Any]) -> float:
    """A time difference is the clocks' and the waiting's: none but the clocks' can be negative, or always the same."""
    least, usual = float(row["p10_s"]), float(row["median_s"])
    if row["kind"] == "task" and usual < 0 and row["p90_s"] - least < -usual:
        return round(least, 3)
    alike = abs(usual) >= _LEAST_WAIT_S and row["p90_s"] - least <= _ALIKE * abs(usual)
    return round(least, 3) if alike else 0.0


def ahead(skews: Sequence[ClockSkew]) -> dict[str, float]:
    """By how many seconds each clock is ahead of what most go by, where it is certain and noticeable."""
    told = {skew.service: skew.skew_s for skew in skews if skew.method == "receive_time" and 2 * skew.spread_s <= abs(skew.skew_s)}
    by_engine = {skew.service for skew in skews if skew.method == "receive_time"}
    linked: dict[str, float] = {}
    for skew in skews:  # the surest first
        if skew.method == "shared_ids" and skew.service not in linked:
            linked.setdefault(skew.reference, told.get(skew.reference, 0.0))
            linked[skew.service] = linked[skew.reference] + skew.skew_s
    # Nobody knows whose clock is right where the engine's is not known: most are.
    usual = 0.0 if by_engine or len(linked) < 3 else median_low(sorted(linked.values()))
    apart = told | {service: value - usual for service, value in linked.items() if service not in by_engine}
    return {service: value for service, value in apart.items() if abs(value) >= NOTICEABLE_S}
