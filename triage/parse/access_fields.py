"""What an access line states, in whatever layout it stands: client, method, path, status, duration."""

from __future__ import annotations

import polars as pl

from triage.parse.layout import ascii_classes
from triage.parse.text import contains_where

_REQUEST = r'"(?P<method>[A-Z]+) (?P<path>(?:[^" \\]|\\.)*)[^"]*" (?P<status>[1-5]\d\d)(?: (?P<size>\d+))?(?P<rest>[^\n]*)'
# Before the request its client and what Common Log Format has there; not an address that was called.
_LINE = ascii_classes(r"^(?:(?P<client>[0-9A-Za-z.:\[\]_%\-]*) (?:- |\S+ \S+ )?(?:\[[^\]\n]*\] )?)?" + _REQUEST)
_TORNADO = ascii_classes(r"^(?P<status>[1-5]\d\d) (?P<method>[A-Z]+) (?P<path>\S+) \((?P<client>[^)\s]+)\) (?P<ms>\d+(?:\.\d+)?)ms")
_MAY = ascii_classes(r'" [1-5]\d\d(?:\s|$)')
_MAY_BE_TORNADO = ascii_classes(r"^[1-5]\d\d [A-Z]+ \S+ \(")
_BEHIND = ascii_classes(r'" [1-5]\d\d(?: (?:\d+|-))?((?: [^\n]*)?)$')
# With a unit or a name; then as nginx and gunicorn print seconds behind the usual fields, with three or more digits.
_NAMED = ascii_classes(
    r'(?:^|[\s"(,])(?:rt|reqtime|req_time|request_time|duration|time|took|elapsed|response_time|responsetime)[=:] ?"?(\d+(?:\.\d+)?) ?(ms|µs|us|s)?'
)
_UNIT = ascii_classes(r"(?:^|\s)(\d+(?:\.\d+)?) ?(ms|µs|us|s)(?:\s|$)")
_SECONDS = ascii_classes(r'^(?: "(?:[^"\\]|\\.)*")*(?: \d+)? (\d+\.\d{3,6})(?:\s|$)')
# One look over lines whose status is known already: may a duration stand behind it?
_MAY_TAKE = ascii_classes(r'" [1-5]\d\d [^\n]*(?:\.\d{3,6}(?:\s|$)|[a-z][=:] ?"?\d|\d ?(?:ms|µs|us|s)(?:\s|$))')
_FACTORS = {"ms": 1.0, "µs": 0.001, "us": 0.001, "s": 1000.0}
_ATTRIBUTES = {"method": "http.request.method", "path": "url.path", "client": "client.address", "size": "http.response.body.size"}


def add(records: pl.DataFrame, extra: list[pl.DataFrame]) -> pl.DataFrame:
    """Complete `status` and `duration_ms`, and add the request's attributes."""
    told = records["status"].is_not_null()
    # Each regex on its own: with a literal or an anchor in front, the engine clears most texts at a glance.
    message = records["message"]
    may = contains_where(message, told, _MAY_TAKE) | contains_where(message, ~told, _MAY) | contains_where(message, ~told, _MAY_BE_TORNADO)
    if not may.any():
        return records
    some = records.filter(may).select("i", "message", known=pl.col("status").is_not_null())
    parts = pl.concat([some, some["message"].str.extract_groups(_LINE).struct.unnest()], how="horizontal")
    tornado = some["message"].str.extract_groups(_TORNADO).struct.unnest()
    parts = parts.with_columns(parts[name].fill_null(tornado[name]).alias(name) for name in ("status", "method", "path", "client"))
    for name, key in _ATTRIBUTES.items():
        found = parts.filter(~pl.col("known")).select("i", pl.lit(key).alias("key"), value=pl.col(name).replace(["-", ""], None))
        extra.append(found.drop_nulls())
    behind = some["message"].str.extract(_BEHIND)
    took = pl.select(pl.coalesce(tornado["ms"].cast(pl.Float64), _with_unit(behind, _NAMED), _with_unit(behind, _UNIT),
                                 behind.str.extract(_SECONDS).cast(pl.Float64) * 1000)).to_series()  # fmt: skip
    own = pl.DataFrame({"i": some["i"], "status_found": parts["status"], "took": took})
    records = records.join(own, on="i", how="left", maintain_order="left")
    return records.with_columns(
        status=pl.coalesce("status", "status_found"), duration_ms=pl.coalesce("duration_ms", "took"),
    ).drop("status_found", "took")  # fmt: skip


def _with_unit(text: pl.Series, regex: str) -> pl.Series:
    """Milliseconds; a number without a unit is in seconds."""
    number, unit = text.str.extract(regex).cast(pl.Float64), text.str.extract(regex, 2).fill_null("s")
    return number * unit.replace_strict(_FACTORS, default=None, return_dtype=pl.Float64)
