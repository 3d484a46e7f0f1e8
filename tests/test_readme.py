"""Every command in README.md runs, in the order in which it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ENGINE = ("collect", "watch", "doctor", "snapshot", "metrics")  # run in test_stack.py, where there is an engine


def commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [line for block in _BLOCK.findall(text) for line in block.strip().splitlines()]


def needs_engine(command: str) -> bool:
    return any(f"triage {word}" in command for word in _ENGINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a `triage` on the PATH, and what the README's examples name."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "bin").mkdir()
    script = folder / "bin" / "triage"
    script.write_text(f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -m triage \"$@\"\n")
    script.chmod(0o755)
    shutil.copytree(ROOT / "sample_logs", folder / "sample_logs")
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_commands_run(folder: Path) -> None:
    offline = [command for command in commands() if not needs_engine(command)]
    assert len(offline) > 20
    # What `make demo` does once triage is installed; and the lake that the later examples ask.
    for first in ("triage demo", "triage ingest sample_logs/jointo"):
        assert run(first, folder).returncode == 0
    for command in offline:
        if command.startswith("make"):
            continue
        done = run(command, folder)
        found = any(word in command for word in ("triage check", "redact --check"))
        assert done.returncode in ((0, 1) if found else (0,)), f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
