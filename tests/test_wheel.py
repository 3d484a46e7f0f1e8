"""The wheel holds all it needs: installed by itself, without the checkout or test dependencies, it runs the demo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_installed_wheel_runs_the_demo(tmp_path: Path) -> None:
    # pip may be outside of the environment that runs the tests (see the Makefile): any of the same version will do.
    pip = ("python3", "-m", "pip", "--disable-pip-version-check", "-q")
    run(*pip, "wheel", "--no-deps", "-w", tmp_path, ROOT, cwd=tmp_path)
    wheel = next(tmp_path.glob("*.whl"))
    assert wheel.stat().st_size < 5_000_000
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    run(*pip[:3], "--python", python, "install", "-q", "-c", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    assert run(tmp_path / "env" / "bin" / "triage", "demo", cwd=tmp_path).strip() == "triage-demo/report.html"
    assert (tmp_path / "triage-demo" / "summary.json").is_file()
