"""The injected cause is named first, and nothing but the logs' meaning decides which it is. `make diagnose` is longer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.diagnose import same
from tests.diagnose.faults import CASCADES, HEALTHY, SINGLE, Fault
from tests.diagnose.verdict import Verdict, judge

FLOOR = 0.9
LATER = timedelta(days=117, hours=5, minutes=41, seconds=7)


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    """Each cascade once and every fourth kind of fault, of other runs than the first."""
    return [judge(fault, 1 + place % 3) for place, fault in enumerate((*CASCADES, *SINGLE[::4]))]


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    said = same.told(same.found(same.collected(same.hour(), tmp_path_factory.mktemp("hour"))))
    assert [one["cause"] and one["cause"][0] for one in said] == [same.FAULT]
    return said


def test_the_injected_cause_is_named_first(verdicts: list[Verdict]) -> None:
    wrong = [f"{one.fault.name} #{one.number}: first {one.first}; {one.why}" for one in verdicts if not one.top]
    assert 1 - len(wrong) / len(verdicts) >= FLOOR, "\n".join(wrong)


def test_what_came_of_it_is_in_the_chain(verdicts: list[Verdict]) -> None:
    wrong = [f"{one.fault.name} #{one.number}: without {one.missed}; {one.why}" for one in verdicts if one.missed]
    assert 1 - len(wrong) / len(verdicts) >= FLOOR, "\n".join(wrong)


@pytest.mark.parametrize("fault", HEALTHY, ids=lambda fault: fault.name)
def test_health_decoys_and_steady_noise_are_no_incident(fault: Fault) -> None:
    assert [one.why for one in (judge(fault, number) for number in range(2)) if one.other] == []


def test_the_same_hour_in_a_longer_window(tmp_path: Path, hour: list[dict[str, Any]]) -> None:
    voices, window = same.within(days=1)
    assert same.told(same.found(same.collected(voices, tmp_path), window)) == hour


def test_other_clocks(tmp_path: Path, hour: list[dict[str, Any]]) -> None:
    start = same.START + LATER
    lake = same.collected(same.hour(start), tmp_path)
    assert same.told(same.found(lake, start=start), start) == hour


def test_other_names(tmp_path: Path, hour: list[dict[str, Any]]) -> None:
    voices = same.hour()
    names = {container: f"x{number}-{'zyxwvu'[number]}" for number, container in enumerate(sorted(voices.lines))}
    assert same.told(same.found(same.collected(same.renamed(voices, names), tmp_path))) == hour


@pytest.mark.parametrize(("batch_bytes", "parts"), [(1 << 15, 1), (32 << 20, 3)])
def test_other_batches(tmp_path: Path, hour: list[dict[str, Any]], batch_bytes: int, parts: int) -> None:
    lake = same.collected(same.hour(), tmp_path, batch_bytes, parts)
    assert same.told(same.found(lake)) == hour
