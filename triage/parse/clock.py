"""Clocks: from the characters of a timestamp to UTC, and what to do where date, zone or the whole time is missing.

Order of trust: the record's own clock with date and zone (its own, the configured one, or one learnt by comparing
with the collector's receive times); else the receive time; else the time of the record before.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from triage.parse.options import ParseOptions

FORMATS = {
    "slashed": "%Y/%m/%d %H:%M:%S", "redis": "%d %b %Y %H:%M:%S", "erlang": "%d-%b-%Y::%H:%M:%S",
    "redis_yearless": "%Y %d %b %H:%M:%S", "syslog": "%Y %b %d %H:%M:%S", "klog": "%Y %m%d %H:%M:%S",
}  # fmt: skip
YEARLESS = frozenset({"redis_yearless", "syslog", "klog"})
# Abbreviations as Postgres's "Default" set reads them; one that the configured zone uses itself goes by that zone.
ABBREVIATIONS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "MEZ": 60, "MESZ": 120,
    "EET": 120, "EEST": 180, "MSK": 180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360,
    "PST": -480, "PDT": -420, "AKST": -540, "HST": -600, "JST": 540, "KST": 540, "HKT": 480, "SGT": 480, "PHT": 480,
    "WIB": 420, "ICT": 420, "AEST": 600, "AEDT": 660, "ACST": 570, "AWST": 480, "NZST": 720, "NZDT": 780, "BRT": -180,
    "ART": -180, "SAST": 120, "EAT": 180, "PKT": 300, "TRT": 180, "IST": 330,
}  # fmt: skip
AMBIGUOUS = frozenset({"CST", "IST", "BST"})  # the same letters mean zones half a world apart
QUARTER = 15 * 60_000_000
LOCAL = pl.Datetime("us")


def local_time(ts: pl.Series, frac: pl.Series | None, clock: str, year: int) -> pl.Series:
    """The printed digits as a naive datetime with microseconds; null where they are no time."""
    if clock == "epoch":
        value = ts.cast(pl.Float64, strict=False)
        micros = (value * 1_000_000).round(0).cast(pl.Int64, strict=False)
        return _plausible(micros.cast(LOCAL))
    if clock == "clf":
        parsed = ts.str.replace(r"^(\d\d/[A-Z][a-z]{2}/\d{4}) ", "$1:").str.to_datetime(
            "%d/%b/%Y:%H:%M:%S", strict=False, time_unit="us"
        )
    elif clock == "ctime":
        parsed = ts.str.slice(4).str.replace(r"\.\d+", "").str.to_datetime("%b %e %H:%M:%S %Y", strict=False, time_unit="us")
        frac = ts.str.extract(r"\.(\d+)")
    elif clock in YEARLESS:
        parsed = (f"{year} " + ts.str.replace_all(r"  +", " ")).str.to_datetime(FORMATS[clock], strict=False, time_unit="us")
    elif clock in FORMATS:
        parsed = ts.str.to_datetime(FORMATS[clock], strict=False, time_unit="us")
    else:
        spaced = ts if ts.str.slice(10, 1).n_unique() == 1 else ts.str.replace("T", " ", literal=True)
        form = "%Y-%m-%dT%H:%M:%S" if spaced.len() and spaced.str.slice(10, 1)[0] == "T" else "%Y-%m-%d %H:%M:%S"
        parsed = spaced.str.to_datetime(form, strict=False, time_unit="us")
    if frac is not None and frac.null_count() < frac.len():
        micros = frac.str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False).fill_null(0)
        parsed = (parsed.cast(pl.Int64) + micros).cast(LOCAL)
    return parsed


def _plausible(times: pl.Series) -> pl.Series:
    low, high = datetime(1990, 1, 1), datetime(2100, 1, 1)
    return times.zip_with((times > low) & (times < high), pl.Series([None], dtype=LOCAL).new_from_index(0, times.len()))


def offset_minutes(zone: str, configured: str | None) -> int | None:
    """Minutes east of UTC of a printed zone, or None where it cannot be told."""
    found = re.fullmatch(r"<?([+-])(\d\d):?(\d\d)?>?", zone)
    if found:
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        return -minutes if found[1] == "-" else minutes
    if configured and zone not in ("Z", "UTC", "GMT"):
        known = _of_configured(zone, configured)
        if known is not None:
            return known
    return ABBREVIATIONS.get(zone)


def _of_configured(abbreviation: str, configured: str) -> int | None:
    if not re.match(r"[A-Za-z]", configured):
        return None
    zone = ZoneInfo(configured)
    for month in (1, 7):
        moment = datetime(2025, month, 1, tzinfo=zone)
        if moment.tzname() == abbreviation:
            return int((moment.utcoffset() or timedelta()).total_seconds() // 60)
    return None


def resolve(records: pl.DataFrame, options: ParseOptions) -> pl.DataFrame:
    """Add `timestamp` from `local`, `zone`, `observed_timestamp` and the order of the records (`stream`)."""
    zones = records["zone"].drop_nulls().unique()
    table = {zone: offset_minutes(zone, options.tz) for zone in zones}
    learnable = [zone for zone in zones if table[zone] is None or (zone in AMBIGUOUS and options.tz is None)]
    east = (
        pl.col("zone").replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.Int64)
        if table
        else pl.lit(None, pl.Int64)
    )
    frame = records.with_columns(east=east * 60_000_000)
    naive = pl.col("local").is_not_null() & (pl.col("zone").is_null() | pl.col("zone").is_in(learnable))
    if records["observed_timestamp"].null_count() < records.height:
        learnt = _learn(frame.filter(naive & pl.col("observed_timestamp").is_not_null()))
        frame = frame.join(learnt, on="service_name", how="left", nulls_equal=True, maintain_order="left")
        frame = frame.with_columns(east=pl.when(naive).then(pl.coalesce("learnt", "east")).otherwise("east")).drop("learnt")
    own = (pl.col("local").cast(pl.Int64) - pl.col("east")).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    frame = frame.with_columns(timestamp=pl.when(pl.col("east").is_not_null()).then(own))
    if frame.filter(pl.col("local").is_not_null() & pl.col("east").is_null()).height:
        frame = frame.with_columns(
            timestamp=pl.coalesce("timestamp", _in_zone(pl.col("local"), options.tz))
        )
    frame = _yearless(frame, options)
    frame = frame.with_columns(pl.coalesce("timestamp", "observed_timestamp"))
    if frame["timestamp"].null_count():
        now = options.now or datetime.now(UTC)
        order = pl.col("timestamp").forward_fill().over("stream")
        frame = frame.with_columns(order)
        if frame["timestamp"].null_count():
            frame = frame.with_columns(
                pl.col("timestamp").forward_fill().backward_fill().fill_null(pl.lit(now).cast(pl.Datetime("us", "UTC")))
            )
    return frame.drop("east")


def _in_zone(local: pl.Expr, tz: str | None) -> pl.Expr:
    if tz is None:
        return local.dt.replace_time_zone("UTC")
    fixed = offset_minutes(tz, None)
    if fixed is not None:
        return (local - timedelta(minutes=fixed)).dt.replace_time_zone("UTC")
    zoned = local.dt.replace_time_zone(tz, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


def _learn(pairs: pl.DataFrame) -> pl.DataFrame:
    """The offset of each service's clock, from own times and receive times, to the quarter hour."""
    difference = pl.col("local").cast(pl.Int64) - pl.col("observed_timestamp").cast(pl.Int64)
    return (
        pairs.select("service_name", d=difference)
        .group_by("service_name")
        .agg(d=pl.col("d").median(), spread=(pl.col("d") - pl.col("d").median()).abs().median())
        # A dump that was replayed hours later has no stable difference, and no zone is over 14 hours away.
        .filter((pl.col("d").abs() <= 14 * 4 * QUARTER + QUARTER // 2) & (pl.col("spread") < QUARTER // 2))
        .select("service_name", learnt=((pl.col("d") / QUARTER).round() * QUARTER).cast(pl.Int64))
    )


def _yearless(frame: pl.DataFrame, options: ParseOptions) -> pl.DataFrame:
    """A time printed without year that lies in the future belongs to last year."""
    if not frame["yearless"].any():
        return frame
    now = pl.lit(options.now or datetime.now(UTC)).cast(pl.Datetime("us", "UTC"))
    reference = pl.coalesce("observed_timestamp", now)
    late = pl.col("yearless") & (pl.col("timestamp") > reference + timedelta(days=2))
    return frame.with_columns(
        timestamp=pl.when(late).then(pl.col("timestamp").dt.offset_by("-1y")).otherwise("timestamp")
    )
