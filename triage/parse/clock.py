"""Clocks: from the characters of a timestamp to UTC, and what to do where date, zone or the whole time is missing.

Order of trust: the record's own clock with date and zone (printed or configured); else the receive time; else its own
clock as UTC; else the time of the record before. Nothing is learnt from neighbours, so a batch's borders change nothing.
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
    "month_day": "%Y %m-%d %H:%M:%S", "structlog": "%Y-%m-%d %H:%M.%S", "tornado": "%y%m%d %H:%M:%S",
    "month_day_dot": "%Y %m.%d %H:%M:%S", "compact": "%y%m%d %H%M%S", "short": "%y/%m/%d %H:%M:%S", "health": "%Y%m%d-%H:%M:%S",
    "gin": "%Y/%m/%d - %H:%M:%S",
}  # fmt: skip
LOOSE = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d %m %Y %H:%M:%S", "%Y %m %d %H:%M:%S",
         "%Y%m%d %H:%M:%S", "%d %b %Y %H:%M:%S",
         "%b %d %Y %H:%M:%S", "%b %d %Y %I:%M:%S %p", "%b %d %H:%M:%S %Y")  # fmt: skip
# What makes the ways in which people write dates few: blanks for most separators, a century, seconds.
_LOOSE_SPELLINGS = (
    (r"[, ]+", " "), (r"([0-9]{4}):", "$1 "),
    (r"^([0-9]{1,2})[\-/]([A-Z][a-z]{2})[\-/]|^([0-9]{2})[.\-]([0-9]{2})[.\-]", "$1$3 $2$4 "),
    (r"^([0-9]{4})[.\-]([0-9]{2})[.\-]", "$1 $2 "),
    (r"^([0-9]{2}) ([0-9]{2}) ([0-9]{2}) ", "20$1 $2 $3 "),
    (r"^([0-9]{1,2} [A-Z][a-z]{2} |[0-9]{2}/[0-9]{2}/)([0-9]{2}) ", "${1}20$2 "),
)  # fmt: skip
_YEARLESS_SPELLINGS = ((r"[, ]+", " "), (r"/", "-"), (r" ([0-9]{2}:[0-9]{2})$", " $1:00"))
YEARLESS = frozenset({"yearless", "redis_yearless", "syslog", "klog", "month_day", "month_day_dot"})
# Abbreviations as Postgres's "Default" set reads them; one that the configured zone uses itself goes by that zone.
ABBREVIATIONS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "CEST": 120, "MEZ": 60, "MESZ": 120,
    "EET": 120, "EEST": 180, "MSK": 180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360,
    "PST": -480, "PDT": -420, "AKST": -540, "HST": -600, "JST": 540, "KST": 540, "HKT": 480, "SGT": 480, "PHT": 480,
    "WIB": 420, "ICT": 420, "AEST": 600, "AEDT": 660, "ACST": 570, "AWST": 480, "NZST": 720, "NZDT": 780, "BRT": -180,
    "ART": -180, "SAST": 120, "EAT": 180, "PKT": 300, "TRT": 180, "IST": 330,
}  # fmt: skip
AMBIGUOUS = frozenset({"CST", "IST", "BST"})  # the same letters mean zones half a world apart
LOCAL = pl.Datetime("us")


def local_time(ts: pl.Series, frac: pl.Series | None, clock: str, year: int) -> pl.Series:
    """The printed digits as a naive datetime with microseconds; null where they are no time."""
    if clock == "epoch":
        value = ts.cast(pl.Float64, strict=False)
        value = (value / 1000).zip_with(value > 1e12, value)  # milliseconds
        micros = (value * 1_000_000).round(0).cast(pl.Int64, strict=False)
        return _plausible(micros.cast(LOCAL))
    if clock == "clf":
        parsed = ts.str.replace(r"^(\d\d/[A-Z][a-z]{2}/\d{4}) ", "$1:").str.to_datetime(
            "%d/%b/%Y:%H:%M:%S", strict=False, time_unit="us"
        )
    elif clock == "ctime":
        parsed = ts.str.slice(4).str.replace(r"\.\d+", "").str.to_datetime("%b %e %H:%M:%S %Y", strict=False, time_unit="us")
        frac = ts.str.extract(r"\.(\d+)")
    elif clock == "time":
        parsed = ("1970-01-01 " + ts.str.replace(r"^([0-9]{2}:[0-9]{2})$", "$1:00")).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    elif clock == "loose":
        parsed = _first_of(_spelled(ts, _LOOSE_SPELLINGS), LOOSE)
    elif clock == "yearless":
        parsed = _first_of(f"{year} " + _spelled(ts, _YEARLESS_SPELLINGS), (FORMATS["month_day"], FORMATS["syslog"], "%Y %b %d %I:%M:%S %p"))
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


def _spelled(ts: pl.Series, spellings: tuple[tuple[str, str], ...]) -> pl.Series:
    for regex, plain in spellings:
        ts = ts.str.replace_all(regex, plain)
    return ts


def _first_of(text: pl.Series, forms: tuple[str, ...]) -> pl.Series:
    return pl.select(pl.coalesce(text.str.to_datetime(form, strict=False, time_unit="us") for form in forms)).to_series()


def _plausible(times: pl.Series) -> pl.Series:
    low, high = datetime(1990, 1, 1), datetime(2100, 1, 1)
    return times.zip_with((times > low) & (times < high), pl.Series([None], dtype=LOCAL).new_from_index(0, times.len()))


def offset_minutes(zone: str, configured: str | None) -> int | None:
    """Minutes east of UTC of a printed zone, or None where it cannot be told."""
    found = re.fullmatch(r"(?:UTC|GMT)?<?([+-])(\d\d):?(\d\d)?>?", zone)
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
    """Add `timestamp`, and `dated`: whether it is the record's own or its receive time rather than a neighbour's."""
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
    # The receive time is sure where the zone is not.
    vague = naive & pl.col("observed_timestamp").is_not_null() if options.tz is None else pl.lit(False)
    frame = frame.with_columns(
        east=pl.when(vague).then(None).otherwise("east"), local=pl.when(vague).then(None).otherwise("local")
    )
    own = (pl.col("local").cast(pl.Int64) - pl.col("east")).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    frame = frame.with_columns(timestamp=pl.when(pl.col("east").is_not_null()).then(own))
    if frame.filter(pl.col("local").is_not_null() & pl.col("east").is_null()).height:
        frame = frame.with_columns(
            timestamp=pl.coalesce("timestamp", _in_zone(pl.col("local"), options.tz))
        )
    frame = _dateless(_yearless(frame, options), options)
    frame = frame.with_columns(pl.coalesce("timestamp", "observed_timestamp"))
    own_date = pl.col("own_date") if "own_date" in frame.columns else pl.lit(True)
    frame = frame.with_columns(dated=pl.col("timestamp").is_not_null() & own_date)
    if frame["timestamp"].null_count():
        now = pl.lit(options.now or datetime.now(UTC)).cast(pl.Datetime("us", "UTC"))
        frame = frame.with_columns(pl.col("timestamp").forward_fill().backward_fill().over("batch").fill_null(now))
    return frame.drop("east")


def _in_zone(local: pl.Expr, tz: str | None) -> pl.Expr:
    if tz is None:
        return local.dt.replace_time_zone("UTC")
    fixed = offset_minutes(tz, None)
    if fixed is not None:
        return (local - timedelta(minutes=fixed)).dt.replace_time_zone("UTC")
    zoned = local.dt.replace_time_zone(tz, ambiguous="earliest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC")


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


def _dateless(frame: pl.DataFrame, options: ParseOptions) -> pl.DataFrame:
    """A time printed without its date is on the day of the dated record before, or today."""
    dateless = (pl.col("timestamp").dt.year() == 1970).fill_null(False)
    if not frame.select(dateless.any()).item():
        return frame
    # A receive time says it all, and more exactly than a clock without a zone.
    frame = frame.with_columns(dateless=dateless)
    frame = frame.with_columns(
        timestamp=pl.when(pl.col("dateless") & pl.col("observed_timestamp").is_not_null())
        .then("observed_timestamp").otherwise("timestamp"),
        dateless=pl.col("dateless") & pl.col("observed_timestamp").is_null(),
    )  # fmt: skip
    now = pl.lit(options.now or datetime.now(UTC)).cast(pl.Datetime("us", "UTC"))
    known = pl.when(~pl.col("dateless")).then("timestamp")
    before = known.forward_fill().over("batch").fill_null(now)
    here = before.dt.truncate("1d") + (pl.col("timestamp") - pl.lit(datetime(1970, 1, 1, tzinfo=UTC)))
    return frame.with_columns(timestamp=pl.when("dateless").then(here).otherwise("timestamp")).with_columns(
        own_date=~pl.col("dateless")
    )
