"""Every pattern proves itself: each sample of each pattern file is a test, against the whole library and the parser."""

from __future__ import annotations

import polars as pl
import pytest

from triage.classify.library import Library
from triage.classify.samples import Check, checks
from triage.parse import ParseOptions, parse
from triage.schema import LINES, Resource

LIBRARY = Library.load()
CHECKS = list(checks(LIBRARY))


def records_of(text: str, source: str | None) -> pl.DataFrame:
    """A sample's text as the records that a file of it would give."""
    texts = text.split("\n")
    lines = pl.DataFrame({"text": texts, "position": range(len(texts)), "seq": [0] * len(texts)})
    lines = lines.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in LINES.items() if name not in lines.columns)
    lines = lines.select(pl.col(name).cast(kind) for name, kind in LINES.items())
    return parse(lines, Resource(service_name="sample", source=source), ParseOptions(source=source))


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_the_pattern_does_what_it_says(check: Check) -> None:
    wrong = check.run(LIBRARY, records_of)
    assert not wrong, f"{check.where}: " + "; ".join(wrong)


def test_the_library_is_not_empty() -> None:
    assert LIBRARY.patterns
