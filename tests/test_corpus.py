"""Recordings of the real programs come out as their recorders know them: cut, dated, levelled and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus.score import Score, figures, recordings, score
from triage.classify.library import Library

LIBRARY = Library.load()
SCORES: dict[str, Score] = {}


@pytest.mark.parametrize("path", recordings(), ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_recording(path: Path) -> None:
    SCORES[str(path)] = found = score(path, LIBRARY)
    assert found.misses == []
    assert found.cut == found.expected


def test_precision_and_recall() -> None:
    """Each problem of the corpus is found where it was provoked and nowhere else."""
    scores = [SCORES.get(str(path)) or score(path, LIBRARY) for path in recordings()]
    rows = figures(scores)
    assert len(rows) >= 20
    assert {row.problem: (row.precision, row.recall) for row in rows if (row.precision, row.recall) != (1.0, 1.0)} == {}
