"""Seeded secrets of every kind, through files in every wrapping: none is in the lake, a report, or on a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.test_redact import CASES, CORPUS, KEY
from triage.classify.redact import MARK, redact
from triage.parse import ParseOptions, cut
from triage.pipeline import lines_of
from triage.schema import Resource

SECRETS = sorted({secret for _, _, secret in CASES})
FORMATS: dict[str, Callable[[int, str], str]] = {
    "plain.log": lambda n, text: text,
    "stamped.log": lambda n, text: f"2026-02-03T10:00:00.{n:09d}Z {text}",
    "compose.log": lambda n, text: f"\x1b[36mapp-1  |\x1b[0m {text}",
    "x-json.log": lambda n, text: json.dumps({"log": text + "\n", "stream": "stderr", "time": f"2026-02-03T10:00:00.{n:09d}Z"}),
    "cri.log": lambda n, text: f"2026-02-03T10:00:00.{n:09d}Z stdout F {text}",
    "syslog.log": lambda n, text: f"Feb  3 10:00:00 host1 app[7]: {text}",
    "rfc5424.log": lambda n, text: f"<134>1 2026-02-03T10:00:00.{n % 1000000:06d}Z host1 app 7 - - {text}",
    "journal.json": lambda n, text: json.dumps({"__REALTIME_TIMESTAMP": str(1770112800000000 + n), "MESSAGE": text, "SYSLOG_IDENTIFIER": "app"}),
    "logger.jsonl": lambda n, text: json.dumps({"timestamp": f"2026-02-03T10:00:00.{n:06d}Z", "level": "error", "message": text, "logger": "app"}),
    "coloured.log": lambda n, text: f"\x1b[31mERROR\x1b[0m:    \x1b[1;33m{text}\x1b[0m",
}  # fmt: skip
# The line that ends a traceback, and one in the middle of a statement.
FOLDED: dict[str, str] = {
    "traceback.log": "2026-02-03 10:00:00,000 ERROR app failed\nTraceback (most recent call last):\n"
                     '  File "/srv/app/a.py", line 7, in call\n    call()\nValueError: {text}\n',
    "statement.log": "2026-02-03 10:00:00.000 UTC [7] ERROR:  relation \"x\" does not exist at character 8\n"
                     "2026-02-03 10:00:00.000 UTC [7] STATEMENT:  SELECT 1,\n\t{text}\n\tFROM x\n",
}  # fmt: skip


def triage(folder: Path, *args: str) -> str:
    """What a command says on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "triage", "--lake", "lake", *args], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with a lake of all cases in all formats, and what the commands said about it."""
    folder = tmp_path_factory.mktemp("secrets")
    logs = folder / "logs"
    logs.mkdir()
    for name, form in FORMATS.items():
        lines = [line for _, text, _ in CASES for line in text.replace("\r", "").split("\n")]
        (logs / name).write_text("".join(form(n, line) + "\n" for n, line in enumerate(lines)), encoding="utf-8")
    for name, form_text in FOLDED.items():
        texts = (text.replace("\r", "").replace("\n", "\\n") for case, text, _ in CASES if not case.startswith("lines:"))
        (logs / name).write_text("".join(form_text.replace("{text}", text) for text in texts), encoding="utf-8")
    said = {"ingest": triage(folder, "--verbose", "ingest", "logs")}
    window = ("--since", "2020-01-01", "--until", "2030-01-01")
    said["report"] = triage(folder, "report", *window, "-o", "r.html", "--json", "r.json", "--markdown", "r.md")
    said["digest"] = triage(folder, "digest", "--date", "2026-02-03", "--format", "html", "-o", "d.html")
    said["incidents"] = triage(folder, "incidents", *window)
    said["sql"] = triage(folder, "sql", "SELECT * FROM logs", "--format", "csv")
    said["info"] = triage(folder, "lake", "info")
    (folder / "all.log").write_text("".join((logs / name).read_text(encoding="utf-8") for name in FORMATS), encoding="utf-8")
    said["explain"] = triage(folder, "explain", "--format", "json", "all.log")
    (folder / "all.log").unlink()
    said["check"] = triage(folder, "redact", "--check", "logs/plain.log")
    return folder, said


PIECES: dict[str, Callable[[str, bool], str]] = {
    "json-file": lambda part, last: json.dumps({"log": part + "\n" * last, "stream": "stdout", "time": "2026-02-03T10:00:00.000000001Z"}, separators=(",", ":")),
    "cri": lambda part, last: f"2026-02-03T10:00:00.000000001Z stdout {'F' if last else 'P'} {part}",
}  # fmt: skip


@pytest.mark.parametrize("form", PIECES)
@pytest.mark.parametrize("told", ["password={}", "{{\"apiKey\": \"{}\"}}", "postgres://app:{}@db/x"])
def test_a_secret_across_the_cut_of_a_long_line_is_seen_whole(form: str, told: str) -> None:
    """Whichever of its characters the cut is at, and whatever the other stream writes in between."""
    secret, other = "Zq8hunter2Va7luable77Xy", '{"log":"x\\n","stream":"stderr","time":"2026-02-03T10:00:00.000000001Z"}'
    cuts, cleaned = range(1, len(told.format(secret)) + 1, 3), []
    for at in cuts:
        text = "x" * ((16 << 10) - at - 1) + " " + told.format(secret) + " its end"
        rows = [PIECES[form](text[: 16 << 10], False), other, PIECES[form](text[16 << 10 :], True)]
        cleaned.append(redact(pl.Series(rows), KEY).to_list())
    records = cut([(lines_of(clean), Resource("app")) for clean in cleaned], ParseOptions()).read()
    bodies = records.filter(pl.col("body").str.len_bytes() > 100)["body"]
    for at, clean, body in zip(cuts, cleaned, bodies, strict=True):
        assert MARK.search(body) and body.endswith(" its end"), (at, body[-80:])
        assert not any(secret[n : n + 4] in row for row in (body, *clean) for n in range(len(secret) - 3)), (at, body[-80:])


def stored(folder: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of all that a run left: values of every column, and the bytes of every other file."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or "logs" in path.relative_to(folder).parts or path.name == "_redaction.key":
            continue
        if path.suffix == ".parquet":
            yield path.name, pl.read_parquet(path, hive_partitioning=False).write_ndjson()
        yield path.name, path.read_bytes().decode("utf-8", "replace")


def leaks(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


def test_no_secret_reaches_the_lake_or_a_page(seeded: tuple[Path, dict[str, str]]) -> None:
    folder, _ = seeded
    places = list(stored(folder))
    assert {"r.html", "r.json", "r.md", "d.html"} <= {place for place, _ in places}
    assert any("[redacted:" in text for _, text in places)
    assert [(place, found) for place, text in places if (found := leaks(text))] == []


def test_no_secret_reaches_a_terminal(seeded: tuple[Path, dict[str, str]]) -> None:
    assert [(command, found) for command, text in seeded[1].items() if (found := leaks(text))] == []


def test_clean_logs_keep_their_text() -> None:
    """False redactions, counted over the recordings of real programs."""
    texts = pl.Series([line for path in sorted(CORPUS.rglob("*.log")) for line in path.read_text("utf-8", "replace").splitlines()])
    marked = redact(texts, KEY).str.contains(MARK.pattern).sum() - texts.str.contains(MARK.pattern).sum()
    print(f"{marked} of {len(texts):,} clean lines were redacted")
    assert len(texts) > 1000 and marked <= len(texts) // 1000
