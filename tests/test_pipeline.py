"""One run from lines to lake: however the stream is cut and wherever the run dies, every record is there once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triage import pipeline
from triage.classify.library import Library
from triage.collect import files
from triage.lake.table import Lake
from triage.query import Session
from triage.schema import Batch

SAMPLES = Path(__file__).parents[1] / "sample_logs" / "jointo"
STAGES = pipeline.Stages(Library.load(), key=b"k")


def stored(lake: Lake) -> pl.DataFrame:
    with Session(lake.file_uris()) as session:
        return session.sql("SELECT record_id, service_name, body, line_count, problem, fingerprint FROM logs ORDER BY record_id")


def ingest(lake: Lake, paths: list[Path], batch_bytes: int = files.BATCH_BYTES, die_after: int | None = None) -> None:
    def some() -> Iterator[Batch]:
        for number, batch in enumerate(files.open_paths(paths, lake.version_of, batch_bytes=batch_bytes)):
            if number == die_after:
                raise KeyboardInterrupt
            yield batch

    lake.create()
    pipeline.run(some(), lake, STAGES, delay_s=0.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    lake = Lake(tmp_path_factory.mktemp("whole") / "lake")
    ingest(lake, [SAMPLES])
    return stored(lake)


@given(st.integers(20_000, 200_000))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_batches_change_nothing(whole: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory, size: int) -> None:
    lake = Lake(tmp_path_factory.mktemp("cut") / "lake")
    ingest(lake, [SAMPLES], batch_bytes=size)
    assert stored(lake).equals(whole)


def test_interrupted_runs_add_up(whole: pl.DataFrame, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    for after in (1, 3, 2, 5, 7):  # the later ones may find too little left to die over
        with contextlib.suppress(KeyboardInterrupt):
            ingest(Lake(lake.path), [SAMPLES], batch_bytes=60_000, die_after=after)
    ingest(Lake(lake.path), [SAMPLES], batch_bytes=60_000)
    assert stored(Lake(lake.path)).equals(whole)


def test_every_line_is_in_exactly_one_record(whole: pl.DataFrame) -> None:
    # The engine cuts lines of over 16 KiB into several entries; only the last ends with a newline.
    entries = [json.loads(line)["log"] for path in SAMPLES.glob("*.log") for line in path.open()]
    assert whole["line_count"].sum() == sum(entry.endswith("\n") for entry in entries)
    assert whole["record_id"].is_unique().all()


def test_counts_add_up(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    ingest(lake, [SAMPLES])
    with Session(lake.file_uris()) as session:
        row = session.named("totals").row(0, named=True)
    assert row["matched"] + row["benign"] + row["unclassified"] == row["records"]
