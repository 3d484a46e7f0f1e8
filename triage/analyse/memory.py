"""Memory that only grows: a trend through the lows of a container's memory, with its uncertainty and the time to the limit.

The lows matter, because what a collector or a finished task gives back is no leak. A warm-up grows and then stands; a
sawtooth grows and falls: neither grows in every quarter of its samples. Slope and interval are Theil's and Sen's, which
single samples cannot bend.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate, combinations, pairwise
from statistics import fmean, median

import polars as pl

from triage.analyse.model import MemoryTrend, Settings, Window
from triage.query import Session

_PARTS = 40
_LEAST_PARTS = 15  # fewer points show no trend
_Z = 2.576  # of the 99 % interval
_QUARTERS = 4
_STEADY = 0.4  # each quarter grows by at least so much of the mean growth: a warm-up's last does not
_FALL = 0.25  # of the growth: a fall by more in the lows is a sawtooth's
_LEAST_GROWTH = 0.1  # of the memory at the beginning: less is no news
_LEAST_BYTES = 4 << 20
_HORIZON = timedelta(days=7)  # what would take longer to fill the limit is nobody's incident
_LOOKS = (None, timedelta(hours=6), timedelta(hours=1))  # the whole window, and its end, for what began late


def memory_trends(session: Session, window: Window, settings: Settings | None = None) -> tuple[MemoryTrend, ...]:
    """The lives of containers whose memory grows steadily, at most one trend each, in order of detection."""
    settings = settings or Settings()
    found: dict[tuple[str, int], MemoryTrend] = {}
    for look in _LOOKS:
        if look is not None and look >= window.length:
            continue
        start = window.start if look is None else window.end - look
        parts = session.named("memory_trend", since=start, until=window.end, parts=_PARTS)
        for (container, _, life), points in parts.group_by(["container_id", "container_name", "life"], maintain_order=True):
            # Lives are numbered within a look: the last is the one that all looks share.
            back = int(parts.filter(container_id=container)["life"].max()) - int(life)  # type: ignore[arg-type]
            if (str(container), back) not in found and (trend := steady_growth(points, settings)) is not None:
                found[str(container), back] = trend
    return tuple(sorted(found.values(), key=lambda trend: (trend.start, trend.container_name)))


def steady_growth(points: pl.DataFrame, settings: Settings | None = None) -> MemoryTrend | None:
    """The trend of one life's parts (rows of the query `memory_trend`), if it is one of steady growth."""
    settings = settings or Settings()
    points = points.sort("timestamp")
    if points.height < _LEAST_PARTS:
        return None
    start: datetime = points["timestamp"][0]
    seconds: list[float] = ((points["timestamp"] - start).dt.total_microseconds() / 1e6).to_list()
    low: list[float] = points["lowest_bytes"].cast(pl.Float64).to_list()
    span = seconds[-1]
    if span < settings.leak_minimum_s or not _in_every_quarter(low):
        return None
    slope, least, most = theil_sen(seconds, low)
    growth = slope * span
    if least <= 0 or growth < max(_LEAST_BYTES, _LEAST_GROWTH * median(low[: len(low) // _QUARTERS])):
        return None
    if max(top - value for top, value in zip(accumulate(low, max), low, strict=True)) > _FALL * growth:
        return None
    limit: int | None = points["limit_bytes"].max()  # type: ignore[assignment]
    left = None if limit is None else timedelta(seconds=max(0.0, limit - low[-1]) / slope)
    if left is not None and left > _HORIZON:
        return None
    last = points.row(-1, named=True)
    return MemoryTrend(
        service=last["service_name"],
        container_name=last["container_name"],
        container_id=last["container_id"],
        start=start,
        end=points["last_at"].max(),  # type: ignore[arg-type]
        samples=int(points["samples"].sum()),
        first_bytes=int(low[0]),
        last_bytes=int(low[-1]),
        limit_bytes=limit,
        bytes_per_hour=slope * 3600,
        least_per_hour=least * 3600,
        most_per_hour=most * 3600,
        time_to_limit=left,
        record_ids=tuple(_record_ids(points)),
    )


def theil_sen(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """The median of the slopes between all pairs of points, and its 99 % interval (Sen 1968)."""
    slopes = sorted((b - a) / (t - s) for (s, a), (t, b) in combinations(zip(x, y, strict=True), 2) if t > s)
    n = len(x)
    reach = _Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(0, int((len(slopes) - reach) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))
    return median(slopes), slopes[low], slopes[high]


def _in_every_quarter(low: Sequence[float]) -> bool:
    """Whether it grows from each part of the time to the next, and in each by about as much."""
    size = len(low) / (_QUARTERS + 1)
    middles = [median(low[round(k * size) : round((k + 1) * size)]) for k in range(_QUARTERS + 1)]
    steps = [b - a for a, b in pairwise(middles)]
    return fmean(steps) > 0 and min(steps) >= _STEADY * fmean(steps)


def _record_ids(points: pl.DataFrame) -> Iterator[str]:
    """The last sample, the first and the one between, as the query `report_records` finds them."""
    for row in (points.height - 1, 0, points.height // 2):
        at = points["timestamp"].dt.epoch("us")[row]
        yield f"sample:{points['container_id'][row]}:{at}"
