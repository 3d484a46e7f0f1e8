"""Stretches of time in which a problem comes far more often than it usually does.

Each (problem, service) is compared with itself: its usual rate is what it does in the quietest quarter of the time
around (three hours to each side, so that the same hour looks the same in a window of an hour and of a month). A burst is
a number of failures that such a rate gives by chance less often than `Settings.false_alarm`. All of it works on the
distances between events, never on the clock's minutes: shifting every clock changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean, median, pvariance

import polars as pl

from triage.analyse.model import Settings, Window

SCALES_S = (10, 60, 300)  # a crash, a burst, a slow burn; beyond five minutes nobody calls it an incident's beginning
_SERIES = ["problem", "service_name"]
_BLOCK_S = 3600.0
_REACH = 3  # blocks to each side
# Of a steady random process, the gaps that make up the longest quarter of the time hold 0.271 of the events that a
# quarter of the time should hold: (1+x)exp(-x) = 0.25 gives x = 2.69, and exp(-x)/0.25 = 0.271.
_QUIET_SHARE = 0.25
_QUIET_BIAS = 1 / 0.271
_END_AFTER_GAPS = 5.0  # silence of five usual distances ends a burst …
_END_AT_LEAST_S, _END_AT_MOST_S = 60.0, 900.0  # … within what a person reads as "it stopped"
# Steady failures gather by chance, too: of a hundred series and hours, in one a tenth of them would look so gathered.
_GATHERED_BY_CHANCE = 1e-3
_QUIET_BEFORE_S = 1800.0  # a log that shows nothing but the incident says nothing of before: it is taken as quiet
_RECURRING = 6  # as many alike bursts, spread over the window, are how this system always is
_MINUTE_S = 60.0  # failures of one click, one retry, one scan come within a minute
_TRAFFIC = 30  # a service that writes less, such as a database, does not show by its records how busy it is
_THIRDS = 3  # what is usual is so in each third of the time around; another incident is in one of them
_MINUTES_SEEN = 10  # fewer minutes in a third say little of how failures spread over minutes


@dataclass(frozen=True, slots=True)
class Burst:
    problem: str
    service: str
    start: datetime
    end: datetime  # of the last failure
    failures: int
    usual_per_hour: float

    @property
    def span_s(self) -> float:
        return (self.end - self.start).total_seconds()


def bursts(events: pl.DataFrame, window: Window, activity: pl.DataFrame, settings: Settings) -> list[Burst]:
    """Bursts in order of onset. `events` are failures; `activity` is the query of that name; `window` has data."""
    if events.is_empty():
        return []
    timed = events.sort(*_SERIES, "timestamp").select(*_SERIES, "timestamp")
    marked = _marked(_with_usual_rate(timed, window, settings), settings)
    found: list[Burst] = []
    for _, part in marked.group_by(["problem", "service"], maintain_order=True):
        series = [Burst(**row) for row in part.iter_rows(named=True)]
        times = timed.filter(problem=series[0].problem, service_name=series[0].service)["timestamp"]
        merged = [_trimmed(burst, times) for burst in _merged(series, times)]
        merged = [_trimmed(_against_the_rest(burst, merged, times, window), times) for burst in merged]
        found += _unusual(merged, times, window, activity, settings)
    return sorted(found, key=lambda burst: (burst.start, burst.problem, burst.service))


def unlikely(count: float, expected: float, false_alarm: float) -> bool:
    """Chernoff's bound on a Poisson tail: is `count` or more less likely than `false_alarm`?"""
    if count <= expected:
        return False
    return count * math.log(count / expected) - count + expected >= -math.log(false_alarm)


def _unlikely_few(count: float, expected: float, chance: float) -> bool:
    """The same bound on the other tail: is `count` or fewer less likely than `chance`?"""
    if count >= expected:
        return False
    return (count * math.log(count / expected) if count else 0.0) - count + expected >= -math.log(chance)


def _with_usual_rate(timed: pl.DataFrame, window: Window, settings: Settings) -> pl.DataFrame:
    """Each event with `rate`, the usual number of failures a second of its series around it."""
    before = timed.group_by(_SERIES, maintain_order=True).agg(pl.col("timestamp").first())
    gaps = pl.concat(
        [
            timed.with_columns(
                _next=pl.col("timestamp").shift(-1).over(_SERIES),
            ).with_columns(inner=pl.col("_next").is_not_null()),
            before.select(
                *_SERIES,
                timestamp=pl.lit(window.start).cast(timed.schema["timestamp"]),
                _next=pl.col("timestamp"),
                inner=pl.lit(False),
            ),
        ]
    ).with_columns(_next=pl.col("_next").fill_null(window.end))
    gaps = gaps.with_columns(
        gap=(pl.col("_next") - pl.col("timestamp")).dt.total_microseconds().clip(0) / 1e6,
        block=_block("timestamp", window),
        last=_block("_next", window),
    )
    blocks = timed.select(*_SERIES, block=_block("timestamp", window)).unique()
    # Each gap goes to the few blocks that it lies around: a join with all of the series' blocks took 3.8 GB for 60,000
    # failures in a month, this 0.2 GB.
    around = pl.int_ranges(pl.col("block") - _REACH, pl.col("last") + _REACH + 1)
    near = gaps.select(*_SERIES, "timestamp", "inner", "gap", block=around).explode("block")
    near = near.join(blocks, on=[*_SERIES, "block"], how="semi")
    # A gap counts with the part of it that lies around the block.
    low = (pl.col("block") - _REACH) * _BLOCK_S
    high = (pl.col("block") + _REACH + 1) * _BLOCK_S
    begin = (pl.col("timestamp") - pl.lit(window.start)).dt.total_microseconds() / 1e6
    near = near.with_columns(
        part=(pl.min_horizontal(begin + pl.col("gap"), high) - pl.max_horizontal(begin, low)).clip(0)
    )
    by = [*_SERIES, "block"]
    near = near.sort(*by, "part", descending=[False, False, False, True])
    total = pl.col("part").sum().over(by)
    quiet = near.filter(pl.col("part").cum_sum().over(by) - pl.col("part") < _QUIET_SHARE * total)
    rates = quiet.group_by(by).agg(
        rate=(_QUIET_BIAS * pl.col("inner").sum() / pl.col("part").sum()).fill_nan(0.0),
    )
    floor = _floor(settings)
    return (
        timed.with_columns(block=_block("timestamp", window))
        .join(rates, on=by, how="left", maintain_order="left")
        .with_columns(rate=pl.max_horizontal(pl.col("rate").fill_null(0.0), pl.lit(floor)))
    )


def _floor(settings: Settings) -> float:
    return settings.quiet_rate_per_hour / 3600


def _block(column: str, window: Window) -> pl.Expr:
    return ((pl.col(column) - pl.lit(window.start)).dt.total_seconds() / _BLOCK_S).floor().cast(pl.Int64)


def _marked(rated: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Stretches in which some scale's count is improbable: overlapping ones of a series joined."""
    # A busy series is looked at more often: its chance is divided by how much busier than a quiet one it is, so that
    # the false alarms of a day are as few for either.
    alarm = (pl.col("rate") / _floor(settings)).log() - math.log(settings.false_alarm)
    parts = []
    for scale in SCALES_S:
        counted = (
            rated.rolling("timestamp", period=f"{scale}s", offset="0s", closed="left", group_by=_SERIES)
            .agg(n=pl.len(), end=pl.col("timestamp").last(), rate=pl.col("rate").first())
        )
        expected = pl.col("rate") * scale
        count = pl.col("n").cast(pl.Float64)
        parts.append(
            counted.filter(
                (pl.col("n") >= settings.minimum_failures)
                & (count >= settings.ratio * expected)
                & (count * (count / expected).log() - count + expected >= alarm)
            ).select(*_SERIES, start="timestamp", end="end", rate="rate")
        )
    marked = pl.concat(parts).sort(*_SERIES, "start", "end")
    reach = pl.col("end").cum_max().shift(1).over(_SERIES)
    marked = marked.with_columns(
        _part=((pl.col("start") > reach).fill_null(False)).cast(pl.Int32).cum_sum().over(_SERIES)
    )
    return marked.group_by([*_SERIES, "_part"], maintain_order=True).agg(
        start=pl.col("start").min(), end=pl.col("end").max(), usual_per_hour=pl.col("rate").min() * 3600
    ).select("problem", "start", "end", "usual_per_hour", service="service_name", failures=pl.lit(0))  # fmt: skip


def _merged(series: list[Burst], times: pl.Series) -> list[Burst]:
    """Bursts of one series joined over silences that are short for their own rate, with their failures counted."""
    joined: list[Burst] = []
    for burst in (_counted(burst, times) for burst in series):
        last = joined[-1] if joined else None
        if last and (burst.start - last.end).total_seconds() <= end_after_s(last):
            usual = min(last.usual_per_hour, burst.usual_per_hour)
            joined[-1] = _counted(replace(last, end=max(last.end, burst.end), usual_per_hour=usual), times)
        else:
            joined.append(burst)
    return joined


def _trimmed(burst: Burst, times: pl.Series) -> Burst:
    """Without the usual events that a five-minute look takes in before and after.

    Between the usual rate and the burst's own, their logarithmic mean tells the two apart: the burst is the stretch over
    which the failures run ahead of that rate by most, which is where a change of rate is most likely to have been.
    """
    inside = times.filter(times.is_between(burst.start, burst.end))
    rate = _logarithmic_mean(burst.usual_per_hour / 3600, inside.len() / max(burst.span_s, 1.0))
    elapsed = (inside - inside[0]).dt.total_microseconds() / 1e6
    ahead = pl.int_range(inside.len(), eager=True) - rate * elapsed
    first = int(ahead.arg_min() or 0)
    last = first + int(ahead.slice(first).arg_max() or 0)
    if last <= first:
        return burst
    return _counted(replace(burst, start=inside[first], end=inside[last]), times)


def _logarithmic_mean(usual: float, own: float) -> float:
    return (own - usual) / math.log(own / usual) if own > usual else own


def end_after_s(burst: Burst) -> float:
    """How long it must be silent for the burst to be over."""
    distance = burst.span_s / max(1, burst.failures - 1)
    return min(_END_AT_MOST_S, max(_END_AT_LEAST_S, _END_AFTER_GAPS * distance))


def _counted(burst: Burst, times: pl.Series) -> Burst:
    return replace(burst, failures=int(times.is_between(burst.start, burst.end).sum()))


def _unusual(
    series: list[Burst], times: pl.Series, window: Window, activity: pl.DataFrame, settings: Settings
) -> list[Burst]:
    """Without what a second look explains: the rest of the series, more traffic, or bursts that always recur."""
    if _recurs(series, window):
        sizes = sorted(burst.failures for burst in series)
        usual = sizes[len(sizes) // 2]
        series = [burst for burst in series if burst.failures > settings.ratio * usual]
    return [burst for burst in series if _stands_out(burst, series, times, window, activity, settings)]


def _recurs(series: list[Burst], window: Window) -> bool:
    if len(series) < _RECURRING:
        return False
    edges = [window.start, *(burst.start for burst in series), window.end]
    return max(b - a for a, b in pairwise(edges)) <= window.length / 3


def _stands_out(
    burst: Burst, series: list[Burst], times: pl.Series, window: Window, activity: pl.DataFrame, settings: Settings
) -> bool:
    around = timedelta(seconds=_BLOCK_S * _REACH)
    low, high = max(window.start, burst.start - around), min(window.end, burst.end + around)
    outside_s = (high - low).total_seconds() - burst.span_s
    if outside_s <= 0:
        return True
    single = _others(burst, series, times, low, high)
    if _gathered_by_chance(burst, single, (high - low).total_seconds()) > _GATHERED_BY_CHANCE:
        return False
    floor = _floor(settings)
    rate = max(floor, single / outside_s) * _traffic(burst, low, high, activity)
    expected = rate * max(burst.span_s, 1.0)
    if burst.failures < settings.ratio * expected or not unlikely(burst.failures, expected, settings.false_alarm):
        return False
    return not _clumps(burst, times, low, high, max(expected, floor), settings)


def _clumps(burst: Burst, times: pl.Series, low: datetime, high: datetime, expected: float, settings: Settings) -> bool:
    """Is it one of the clumps in which these failures always come, such as all those of one page or one retry?

    Failures that come in clumps vary more from minute to minute than chance does. By how much, the least of the three
    thirds of the time around says; so many failures count as one. Minutes are counted from the burst's edges, so that
    the clock's do not matter.
    """
    before, after = times.filter(times.is_between(low, burst.start, closed="left")), times.filter((times > burst.end) & (times <= high))
    outside_s = (high - low).total_seconds() - burst.span_s
    if burst.span_s > _QUIET_BEFORE_S:
        # Most of what is known is the burst: is the rest too quiet for more of the same?
        size = _clump_size(_per_minute(times.filter(times.is_between(burst.start, burst.end)), burst.start, burst.end))
        more = burst.failures / burst.span_s * outside_s
        if not _unlikely_few((before.len() + after.len()) / size, more / size, settings.false_alarm):
            return True
    counts = [*reversed(_per_minute(before, burst.start, low)), *_per_minute(after, burst.end, high)]
    if len(counts) < _THIRDS * _MINUTES_SEEN:
        return False
    thirds = [counts[len(counts) * part // _THIRDS : len(counts) * (part + 1) // _THIRDS] for part in range(_THIRDS)]
    size = min(_clump_size(third) for third in thirds)
    usual = max(expected, median(fmean(third) for third in thirds) / _MINUTE_S * burst.span_s)
    return burst.failures < settings.ratio * usual or not unlikely(burst.failures / size, usual / size, settings.false_alarm)


def _per_minute(times: pl.Series, start: datetime, end: datetime) -> list[int]:
    """Failures in each whole minute from `start` on towards `end`, which may lie before it."""
    counts = [0] * int(abs((end - start).total_seconds()) // _MINUTE_S)
    places = ((times - start).dt.total_microseconds().abs() / 1e6 // _MINUTE_S).cast(pl.Int64)
    for place in places.filter(places < len(counts)):
        counts[place] += 1
    return counts


def _clump_size(counts: list[int]) -> float:
    """Variance over mean: 1 if failures come by chance, how many come together if they come in clumps."""
    mean = fmean(counts) if counts else 0.0
    return max(1.0, pvariance(counts) / mean) if mean else 1.0


def _others(burst: Burst, series: list[Burst], times: pl.Series, low: datetime, high: datetime) -> int:
    """The failures around it; other bursts count as one each: they are incidents too, not its usual rate."""
    others = [other for other in series if other is not burst and other.end >= low and other.start <= high]
    near = int(times.is_between(low, high).sum()) - burst.failures
    return near - sum(int(times.is_between(max(o.start, low), min(o.end, high)).sum()) for o in others) + len(others)


def _against_the_rest(burst: Burst, series: list[Burst], times: pl.Series, window: Window) -> Burst:
    """With what is usual around it: the quietest time of a series with few failures holds none at all by chance."""
    around = timedelta(seconds=_BLOCK_S * _REACH)
    low, high = max(window.start, burst.start - around), min(window.end, burst.end + around)
    outside_s = (high - low).total_seconds() - burst.span_s
    if outside_s <= 0:
        return burst
    rate = _others(burst, series, times, low, high) / outside_s * 3600
    return replace(burst, usual_per_hour=max(burst.usual_per_hour, rate))


def _gathered_by_chance(burst: Burst, single: int, length_s: float) -> float:
    """A bound on the chance that so many of all failures lie so close together, if each could be at any time.

    Around each of them the others lie within the burst's length with the chance of its share of the time: the tail of
    a binomial, for any of them.
    """
    total, needed = burst.failures + single, burst.failures - 1
    # What is known of other times decides, unless there is less of it than of the burst.
    share = burst.span_s / (length_s if length_s >= 2 * burst.span_s else max(length_s, _QUIET_BEFORE_S))
    mean = (total - 1) * share
    if needed <= mean:
        return 1.0
    ratio = needed / (total - 1)
    rest = (1 - ratio) * math.log((1 - ratio) / (1 - share)) if ratio < 1 else 0.0
    exponent = ratio * math.log(ratio / share) + rest if share > 0 else math.inf
    return total * math.exp(-(total - 1) * exponent)


def _traffic(burst: Burst, low: datetime, high: datetime, activity: pl.DataFrame) -> float:
    """How much busier the service was during the burst, by its records without a problem: 1 or more."""
    own = activity.filter((pl.col("service_name") == burst.service) & pl.col("step").is_between(low, high))
    margin = timedelta(seconds=10)
    during = pl.col("step").is_between(burst.start - margin, burst.end)
    inside = int(own.filter(during)["records"].sum())
    outside = int(own["records"].sum()) - inside
    outside_s = (high - low).total_seconds() - burst.span_s - 10
    if outside < _TRAFFIC or outside_s <= 0:
        return 1.0
    return max(1.0, (inside / (burst.span_s + 10)) / (outside / outside_s))
