"""What every recorder needs: neutral folder names, a place to write, and the shape of an expectation.

A recorder starts a real program, makes it fail on purpose, keeps what it printed, and states the records that must come
out. What it states comes from what it did (and, for Postgres, from the server's own second log in JSON), never from
`triage`. Recorders are run by hand:

    PYTHONPATH=. VENV/bin/python -m tests.corpus.record.postgres
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).resolve().parent.parent
START = 60  # characters of a record's first line that name it
ANY = "*"  # a problem that this record may or may not have: reasonable people differ, it is not scored


def neutral(text: str, folders: Sequence[tuple[str, str]] = ()) -> str:
    """The text with this machine's folders, host and interpreter replaced by names that every reader expects."""
    for real, shown in folders:
        text = text.replace(real, shown)
    return re.sub(rf"\b{re.escape(socket.gethostname())}\b", "app-1", text)


def save(name: str, text: str | bytes, expected: Iterable[dict[str, Any]]) -> None:
    """Write `<name>.log` and `<name>.expect.jsonl`; every physical line must belong to exactly one record."""
    data = text if isinstance(text, bytes) else text.encode()
    records = list(expected)
    lines = data.decode("utf-8", "replace").split("\n")
    total = len(lines) - (lines[-1] == "")
    stated = sum(record["lines"] for record in records)
    if stated != total:
        raise SystemExit(f"{name}: {total} lines, but the expected records have {stated}")
    target = CORPUS / f"{name}.log"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    rows = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    (CORPUS / f"{name}.expect.jsonl").write_text(rows)
    print(f"{name}: {len(records)} records, {total} lines")


def cut(text: str, starts: str) -> list[list[str]]:
    """Lines grouped so that each group begins with a line that matches `starts` (the program's configured prefix)."""
    groups: list[list[str]] = []
    pattern = re.compile(starts)
    for line in text.removesuffix("\n").split("\n"):
        if pattern.match(line) or not groups:
            groups.append([])
        groups[-1].append(line)
    return groups


def expect(first: str, lines: int, problem: Any, **fields: Any) -> dict[str, Any]:
    """One expected record; fields that are None are not stated."""
    known = {key: value for key, value in fields.items() if value is not None}
    return {"starts": first.rstrip("\r")[:START], "lines": lines, **known, "problem": problem}


def stated(
    text: str, starts: str, source: str, severity: str | None, facts: Sequence[tuple[str, Any]], **fields: Any
) -> list[dict[str, Any]]:
    """Expectations of a recording whose records begin with `starts`.

    `severity` is the name of the group of `starts` that holds the word. `facts` lists, for what the recorder did, a
    regex on the record's text and a problem or a dict of fields with `problem`; the first that is found counts, and a
    fact that is never found is an error: then the program did not do what the recorder believes.
    """
    rows, used = [], set[str]()
    pattern = re.compile(starts)
    for group in cut(text, starts):
        body = "\n".join(group)
        match = pattern.match(group[0])
        row: dict[str, Any] = {"source": source, **fields}
        if severity and match:
            row["severity_text"] = (match.group(severity) or "").strip() or None
        problem: Any = None
        for regex, fact in facts:
            if re.search(regex, body, re.M):
                used.add(regex)
                extra = dict(fact) if isinstance(fact, dict) else {"problem": fact}
                problem = extra.pop("problem", None)
                row.update(extra)
                break
        rows.append(expect(group[0], len(group), problem, **row))
    missing = [regex for regex, _ in facts if regex not in used]
    if missing:
        raise SystemExit(f"never happened: {missing}\n{text[:3000]}")
    return rows


def free_port() -> int:
    """A port on the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], stdout: Path, stderr: Path | None = None, **options: Any) -> Any:
    """A program of our own, ended by its own process group."""
    with stdout.open("wb") as out:
        err = stderr.open("wb") if stderr else subprocess.STDOUT
        process = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True, **options)
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            if stderr:
                err.close()  # type: ignore[union-attr]


def until(condition: Any, seconds: float = 20) -> None:
    """Wait until `condition()` is true; a recorder that waits in vain stops."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("a program did not get ready")
        time.sleep(0.05)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
