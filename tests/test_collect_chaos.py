"""The chaos run in small: kills, engine restarts, re-creations, rotation and a full disk lose and double nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from benchmarks.chaos import SHORT, run
from benchmarks.numbered_lines import Verdict, Written, verdict, written
from tests.stack.engine import missing
from triage.lake.table import Lake
from triage.schema import LOGS


@pytest.mark.engine
@pytest.mark.timeout(600)
def test_killed_restarted_recreated_rotated_and_full_nothing_is_lost_or_doubled() -> None:
    if lacks := missing():
        reason = f"a private container engine needs {', '.join(lacks)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    done, result, said = run(SHORT)
    assert (result.lost, result.doubled, result.out_of_order, result.foreign) == (0, 0, 0, 0), result.examples
    assert said == []
    assert (done["kills"], done["restarts"], done["recreations"]) == (SHORT.kills, SHORT.restarts, SHORT.recreations)
    assert result.lines > SHORT.full_lines


def lake_with(path: Path, rows: list[tuple[int, str]]) -> Lake:
    """A lake that holds these lines of container `c`: (nanoseconds, text)."""
    lake = Lake(path)
    lake.create()
    frame = pl.DataFrame(rows, schema=["position", "body"], orient="row").with_columns(
        origin=pl.lit("docker:c"), container_id=pl.lit("c"), timestamp=pl.lit(datetime(2026, 2, 3, tzinfo=UTC)),
        date=pl.lit(datetime(2026, 2, 3).date()), record_id=pl.lit("x-0-0"), service_name=pl.lit("s"),
    )  # fmt: skip
    records = frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None).alias(name)).cast(kind) for name, kind in LOGS.items()
    )
    lake.append(records, {"docker:c": 1})
    return lake


def judged(
    path: Path, numbers: list[int], *, last: int, removed: bool = False, gap: tuple[int, int] | None = None, never: int = 0
) -> Verdict:
    lake = lake_with(path, [(row * 1000, f"r.1 o {number};") for row, number in enumerate(numbers)])
    if gap:
        start, end = (datetime.fromtimestamp(at / 1e6, UTC) for at in gap)
        lake.note([{"kind": "gap", "origin": "docker:c", "start": start, "end": end}])
    return verdict(lake, {("c", "r.1", "o"): Written(last, frozenset({never}))}, ["c"] if removed else [])


def test_the_judge_sees_what_is_wrong(tmp_path: Path) -> None:
    assert judged(tmp_path / "good", [1, 2, 3], last=3).good
    assert judged(tmp_path / "hole", [1, 3], last=3).lost == 1
    assert judged(tmp_path / "end", [1, 2], last=5).lost == 3
    assert judged(tmp_path / "start", [3, 4], last=4).lost == 2
    assert judged(tmp_path / "twice", [1, 2, 2, 3], last=3).doubled == 1
    assert judged(tmp_path / "order", [1, 3, 2], last=3).out_of_order == 1


def test_the_judge_accepts_only_what_is_explained(tmp_path: Path) -> None:
    explained = judged(tmp_path / "gap", [1, 2, 7, 8], last=8, gap=(1, 2))
    assert (explained.good, explained.explained, explained.gaps) == (True, 4, 1)
    elsewhere = judged(tmp_path / "elsewhere", [1, 2, 7, 8, 9, 10], last=10, gap=(4, 5))
    assert elsewhere.lost == 4
    gone = judged(tmp_path / "gone", [1, 2], last=4, removed=True)
    assert (gone.good, gone.removed) == (True, 2)
    killed = judged(tmp_path / "killed", [1, 2, 5], last=5, never=3)
    assert (killed.lost, killed.never_logged) == (1, 1)
    # Torn by a kill, in a line and in front of its newline, and each time a new start behind it.
    log = "r.1 o 1;\r\nr.1 o 2;\r\nr.1 e 9;\nnoise\nr.1 e 1r.2 e 3;\nr.2 e 6;\nr.2 o 7;r.3 o 1;\nr.2 er.3 e 1;\nr.3 e 2;\n"
    assert written("c", log) == {
        ("c", "r.1", "o"): Written(2), ("c", "r.1", "e"): Written(9), ("c", "r.2", "e"): Written(6, frozenset({4, 5})),
        ("c", "r.3", "o"): Written(1), ("c", "r.3", "e"): Written(2),
    }  # fmt: skip
