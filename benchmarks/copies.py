"""A larger lake from a smaller one: its records again and again, each time later, of other logs, tasks and requests.

    python -m benchmarks.copies LAKE NEW --times 5

What is asked of a lake depends on what is in it and not on how it came in, so a lake of ten million records need not be
made from a log of one and a half gigabytes. Bodies keep the ids of the first; the columns do not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import polars as pl

from triage.lake import maintenance, parquet
from triage.lake.table import Lake

_KEYS = ("record_id", "origin", "task_id", "request_id", "job_id")


def copied(lake: Lake, to: Path, times: int) -> Lake:
    """A new compacted lake with all records so many times, one after the other."""
    new = Lake(to)
    new.create()
    files = [(path, day) for path, day in maintenance.files(lake).select("path", "date").iter_rows()]
    bounds = maintenance.files(lake)
    span = bounds["until"].max() - bounds["since"].min()  # type: ignore[operator]
    for number in range(times):
        for path, day in files:
            for part in parquet.read(lake.table, path, day).iter_slices(1 << 18):
                new.append(_later(part, number, number * span), {})
    maintenance.compact(new)
    return new


def _later(records: pl.DataFrame, number: int, by: object) -> pl.DataFrame:
    if not number:
        return records
    moved = records.with_columns(
        pl.col("timestamp", "observed_timestamp") + pl.lit(by),
        *(pl.concat_str(pl.lit(f"{number:02d}"), pl.col(name).str.slice(2)).alias(name) for name in _KEYS),
    )
    return moved.with_columns(date=pl.col("timestamp").dt.date())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("lake", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    copied(Lake(options.lake), options.new, options.times)


if __name__ == "__main__":
    main()
