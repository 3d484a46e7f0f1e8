"""Times, sizes and settings as people write them; mistakes name the place and the fix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage import settings, when
from triage.errors import TriageError, UsageError

NOW = datetime(2026, 2, 3, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-02-03T10:00:00Z", datetime(2026, 2, 3, 10, tzinfo=UTC)),
        ("2026-02-03T10:00:00+08:00", datetime(2026, 2, 3, 2, tzinfo=UTC)),
        ("2026-02-03 10:00", datetime(2026, 2, 3, 10, tzinfo=UTC)),
        ("2026-02-03", datetime(2026, 2, 3, tzinfo=UTC)),
        ("2h", NOW - timedelta(hours=2)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("yesterday", datetime(2026, 2, 2, tzinfo=UTC)),
        ("today", datetime(2026, 2, 3, tzinfo=UTC)),
        ("now", NOW),
    ],
)
def test_moments(text: str, meant: datetime) -> None:
    assert when.moment(text, NOW) == meant


@given(st.text(max_size=20))
def test_any_text_is_a_moment_or_a_clear_error(text: str) -> None:
    for read in (when.moment, when.span, when.size, when.day, when.zone):
        try:
            read(text)
        except TriageError as error:
            assert error.hint  # noqa: PT017 - most texts raise nothing


def test_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "triage.toml"
    file.write_text('paterns = ["x"]\n')
    with pytest.raises(UsageError) as caught:
        settings.load(file)
    assert (caught.value.where, caught.value.hint) == (str(file), "did you mean `patterns`?")


def test_options_win_over_environment_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "triage.toml"
    file.write_text('lake = "a"\ntz = "Asia/Shanghai"\n[redact]\nenabled = false\n')
    assert settings.load(file).lake == str(tmp_path / "a")
    monkeypatch.setenv("TRIAGE_LAKE", "b")
    assert settings.load(file).lake == "b"
    chosen = settings.load(file, lake="c", tz=None)
    assert (chosen.lake, chosen.tz, chosen.redact) == ("c", "Asia/Shanghai", False)
