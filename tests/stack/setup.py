"""What the stack needs from the machine: Debian packages and one virtual environment. Quick when already there.

`lacking()` names what is missing and changes nothing; `provide()` installs it (root on Debian; nothing is started).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from . import engine

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("TRIAGE_STACK_CACHE", HERE.parents[1] / ".stack"))
REQUIREMENTS = HERE / "requirements.txt"
# Program -> Debian package that brings it.
_PROGRAMS = {
    "dockerd": "docker.io",
    "busybox": "busybox-static",
    "redis-server": "redis-server",
    "rabbitmq-server": "rabbitmq-server",
}


def postgres_bin() -> Path | None:
    """The newest installed server's `bin`; Debian keeps it out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3].split(".")[0]))
    return found[-1].parent if found else None


def venv() -> Path:
    """The services' virtual environment, named after what is in it."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return CACHE / f"venv-{wanted}"


def lacking() -> list[str]:
    """What is missing, by name."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    names = [package for program, package in _PROGRAMS.items() if not shutil.which(program, path=path)]
    if postgres_bin() is None:
        names.append("postgresql")
    if not (venv() / "ready").exists():
        names.append("services' virtual environment")
    return names + (["root"] if "root" in engine.missing() else [])


def provide() -> None:
    """Install what `lacking()` names."""
    names = lacking()
    packages = [n for n in names if n in {*_PROGRAMS.values(), "postgresql"}]
    if packages:
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update"], check=True, env=env, stdout=subprocess.DEVNULL)
        install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
        # Debian starts services on install; the stack runs its own, elsewhere.
        with _no_service_starts():
            subprocess.run(install, check=True, env=env, stdout=subprocess.DEVNULL)
    if not (venv() / "ready").exists():
        shutil.rmtree(venv(), ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv())], check=True)
        pip = [str(venv() / "bin/python"), "-m", "pip", "install", "-q", "-r", str(REQUIREMENTS)]
        subprocess.run(pip, check=True)
        (venv() / "ready").touch()
    if left := lacking():
        raise SystemExit(f"the test stack still lacks: {', '.join(left)}")


class _no_service_starts:
    """A policy-rc.d that says no, for the time of an installation, unless the machine has its own."""

    _policy = Path("/usr/sbin/policy-rc.d")

    def __enter__(self) -> None:
        self._ours = not self._policy.exists()
        if self._ours:
            self._policy.write_text("#!/bin/sh\nexit 101\n")
            self._policy.chmod(0o755)

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._policy.unlink(missing_ok=True)


if __name__ == "__main__":
    provide()
