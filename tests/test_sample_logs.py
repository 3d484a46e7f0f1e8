"""The recorded story in sample_logs/ comes out as its truth file says, also wrapped and packed in other ways."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from tests.stack.compare import decoys_taken, differences, load
from tests.test_cli import SAMPLES, triage

TRUTH = load((SAMPLES / "truth.json").read_text(encoding="utf-8"))


def report(folder: Path, *paths: str) -> dict[str, object]:
    assert triage("--lake", "lake", "ingest", *paths, cwd=folder).returncode == 0
    done = triage("--lake", "lake", "report", "--json", "summary.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return load((folder / "summary.json").read_text())


def problems_of(folder: Path, request_id: str) -> list[str]:
    query = "SELECT DISTINCT problem FROM logs WHERE request_id = $id AND problem IS NOT NULL"
    done = triage("--lake", "lake", "sql", query, "-p", f"id={request_id}", "--format", "json", cwd=folder)
    return [row["problem"] for row in json.loads(done.stdout)]


def test_the_engines_own_files(tmp_path: Path) -> None:
    summary = report(tmp_path, str(SAMPLES))
    assert differences(TRUTH, summary) == []
    decoys = {**TRUTH, "decoys": TRUTH["decoys"][:6]}  # a process each
    assert decoys_taken(decoys, lambda request: problems_of(tmp_path, request)) == []


def entries(path: Path) -> list[dict[str, str]]:
    """The file's entries with the time as `docker logs -t` writes it: nanoseconds with their trailing zeros."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        whole, _, fraction = row["time"].removesuffix("Z").partition(".")
        row["time"] = f"{whole}.{fraction:0<9}Z"
    return rows


@pytest.mark.parametrize("form", ["docker-t.gz", "compose.zst"])
def test_other_wrappings_give_the_same(tmp_path: Path, form: str) -> None:
    """`docker logs -t` of each container, packed, and one `docker compose logs -t` of all, with colours."""
    if form == "docker-t.gz":
        (tmp_path / "logs").mkdir()
        for path in SAMPLES.glob("*.log"):
            text = "".join(f"{e['time']} {e['log']}" for e in entries(path))
            name = path.name.replace("-json.log", ".log.gz")
            (tmp_path / "logs" / name).write_bytes(gzip.compress(text.encode()))
        summary = report(tmp_path, "logs")
    else:
        lines = []
        for path in SAMPLES.glob("*.log"):
            name, rest = path.name.replace("-json.log", ""), ""
            for entry in entries(path):
                rest += entry["log"]
                if rest.endswith("\n"):
                    lines.append((entry["time"], f"\x1b[36m{name:<26}| \x1b[0m{entry['time']} {rest}"))
                    rest = ""
        text = "".join(line for _, line in sorted(lines, key=lambda pair: pair[0]))
        (tmp_path / "all.log.zst").write_bytes(zstandard.compress(text.encode()))
        summary = report(tmp_path, "all.log.zst")
    assert differences(TRUTH, summary) == []


def test_the_incident_in_ordinary_traffic_is_told_as_its_clients_saw_it(tmp_path: Path) -> None:
    """First the provider's refusals, later the exhausted pool; failures as many as clients were answered with."""
    story = SAMPLES.with_name("provider")
    truth = load((story / "truth.json").read_text(encoding="utf-8"))
    summary = report(tmp_path, str(story))
    quota, slow, _ = truth["faults"]
    incident, *_ = summary["incidents"]
    assert incident["suspected_cause"]["problem"] == "provider.rate_limited"
    assert quota["start"] <= incident["start"] <= slow["start"] and incident["end"] >= slow["end"][:19]
    first = {step["problem"]: step["first_seen"] for step in incident["chain"]}
    assert first["provider.rate_limited"] <= first["task.retry"] <= first["task.failed"] < first["db.pool_exhausted"]
    counts = {row["problem"]: row["count"] for row in summary["problems"]}
    answered = truth["http"]
    assert counts["api.server_error"] == answered["500"] + answered["502"]
    assert (counts["api.unauthorized"], counts["api.not_found"]) == (answered["401"], answered["404"])
    assert counts["provider.rate_limited"] == truth["provider_answers"]["429"]
    assert not {"api.unauthorized", "api.not_found"} & set(incident["problems"]), "as frequent as before"
