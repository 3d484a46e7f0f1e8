"""Every pattern proves itself: each sample of each pattern file is a test, against the whole library and the parser."""

from __future__ import annotations

import pytest

from triage.classify.library import Library
from triage.classify.samples import Check, checks
from triage.cli.patterns import parse_sample

LIBRARY = Library.load()
CHECKS = list(checks(LIBRARY))


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.id)
def test_the_pattern_does_what_it_says(check: Check) -> None:
    wrong = check.run(LIBRARY, parse_sample)
    assert not wrong, f"{check.where}: " + "; ".join(wrong)


def test_the_library_is_not_empty() -> None:
    assert LIBRARY.patterns
