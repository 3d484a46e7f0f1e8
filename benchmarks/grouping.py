"""Grouping accuracy of the fingerprints on labelled logs, by the log-parsing field's measures.

    python -m benchmarks.grouping FOLDER

takes every `*_structured*.csv` in the folder (columns `Content` and `EventId`, as Loghub publishes them; none is part of
this repository) and prints for each GA, the share of messages whose group holds exactly the messages of one event, and
FGA, the F1 of events that were found as a group; `--miss N` also shows how N of the events were missed.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import polars as pl

from triage.classify.template import with_template


def grouping(events: list[str], groups: list[int]) -> tuple[float, float, list[str]]:
    """GA, FGA and the events that are no group of their own."""
    wanted: defaultdict[str, set[int]] = defaultdict(set)
    got: defaultdict[int, set[int]] = defaultdict(set)
    for row, (event, group) in enumerate(zip(events, groups, strict=True)):
        wanted[event].add(row)
        got[group].add(row)
    found = {frozenset(rows) for rows in got.values()}
    missed = [event for event, rows in wanted.items() if rows not in found]
    right = len(wanted) - len(missed)
    lost = sum(len(wanted[event]) for event in missed)
    return 1 - lost / len(events), 2 * right / (len(wanted) + len(got)), missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--miss", type=int, default=0, metavar="N")
    options = parser.parse_args()
    totals = []
    for path in sorted(options.folder.rglob("*_structured*.csv")):
        labelled = pl.read_csv(path, infer_schema=False).with_columns(pl.col("Content").fill_null("").alias("message"))
        records = with_template(labelled)
        accuracy, f1, missed = grouping(records["EventId"].to_list(), records["fingerprint"].to_list())
        totals.append((accuracy, f1))
        print(f"{path.stem:50} GA {accuracy:.3f}  FGA {f1:.3f}  {len(missed)} of {records['EventId'].n_unique()} events missed")
        for event in missed[: options.miss]:
            for template in records.filter(pl.col("EventId") == event)["template"].unique().sort()[:4]:
                print(f"    {event:6} {template[:150]}")
    if totals:
        print(f"{'mean':50} GA {sum(a for a, _ in totals) / len(totals):.3f}  FGA {sum(f for _, f in totals) / len(totals):.3f}")


if __name__ == "__main__":
    main()
