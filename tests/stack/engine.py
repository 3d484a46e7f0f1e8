"""A private Docker engine for tests: own data root, own socket, nothing of the machine's engine is touched.

`with engine(root) as e:` starts `dockerd` (no bridge, no iptables, no systemd), gives `e.host` for DOCKER_HOST and
`e.docker(...)` for the command line, and stops it by its own process id. `missing()` says what the machine lacks.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

IMAGE = "triage-stack:base"
EMITTER = "triage-stack:busybox"
START_SECONDS = 60
_LINKS = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}
_FOLDERS = ("usr", "etc", "tmp", "var", "run", "proc", "sys", "dev", "home", "srv", "opt", "data")


class EngineError(RuntimeError):
    """The engine did not start, or a docker command failed."""


@dataclass(frozen=True)
class Engine:
    """A running private engine."""

    root: Path
    host: str

    @property
    def env(self) -> dict[str, str]:
        """The environment that makes any Docker client talk to this engine and to no other."""
        env = {k: v for k, v in os.environ.items() if k not in ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY")}
        return env | {"DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.root / "config")}

    def docker(self, *args: str, check: bool = True, timeout: float = 120, data: bytes | None = None) -> str:
        """Run `docker ARGS` against this engine; stdout as text."""
        done = subprocess.run(
            ["docker", *args], env=self.env, input=data, capture_output=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            raise EngineError(f"docker {' '.join(args)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace")

    def docker_logs(self, name: str) -> str:
        """Both streams of a container as text, in no particular order among each other."""
        done = subprocess.run(["docker", "logs", name], env=self.env, capture_output=True, timeout=60, check=False)
        return (done.stdout + done.stderr).decode(errors="replace")

    def import_image(self, name: str, layer: bytes) -> None:
        """Make the image `name` of one tar."""
        if not self.docker("image", "ls", "-q", name).strip():
            self.docker("import", "-", name, data=layer)

    def ensure_base(self) -> str:
        """The image for real programs: links and empty mount points only; `/usr` and the rest are bind-mounted."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for folder in _FOLDERS:
                info = tarfile.TarInfo(folder)
                info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
                tar.addfile(info)
            for link, target in _LINKS.items():
                info = tarfile.TarInfo(link)
                info.type, info.linkname = tarfile.SYMTYPE, target
                tar.addfile(info)
        self.import_image(IMAGE, buffer.getvalue())
        return IMAGE

    def ensure_emitter(self) -> str:
        """An image that holds a static busybox as `sh`, for containers that only print."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.add(str(_busybox()), "bin/busybox", recursive=False)
            for applet in ("sh", "cat", "sleep", "printf", "echo", "seq", "kill", "date", "head", "yes"):
                info = tarfile.TarInfo(f"bin/{applet}")
                info.type, info.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(info)
        self.import_image(EMITTER, buffer.getvalue())
        return EMITTER


def missing() -> list[str]:
    """What the machine lacks to run a private engine; empty when it can."""
    lacks = [program for program in ("dockerd", "docker", "containerd", "runc") if not shutil.which(program)]
    if not any(p.exists() for p in _BUSYBOX):
        lacks.append("busybox-static")
    if os.geteuid() != 0:
        lacks.append("root")
    return lacks


_BUSYBOX = (Path("/bin/busybox"), Path("/usr/bin/busybox"))


def _busybox() -> Path:
    return next(p for p in _BUSYBOX if p.exists())


@contextmanager
def engine(root: Path) -> Iterator[Engine]:
    """Start an engine whose data lives under `root`; stop it, and every container in it, on the way out."""
    root = root.resolve()
    (root / "config").mkdir(parents=True, exist_ok=True)
    # A Unix socket's path is limited to 107 bytes and a test's folder may be longer.
    run = Path(tempfile.mkdtemp(prefix="triage-engine-"))
    log = root / "dockerd.log"
    command = [
        "dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs",
        "--data-root", str(root / "data"), "--exec-root", str(run / "exec"), "-p", str(run / "pid"),
        "-H", f"unix://{run}/docker.sock",
    ]  # fmt: skip
    with log.open("wb") as out:
        daemon = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    here = Engine(root, f"unix://{run}/docker.sock")
    try:
        _await(here, daemon, log)
        yield here
    finally:
        _stop(here, daemon)
        _unmount(run, root)
        shutil.rmtree(run, ignore_errors=True)


def _await(here: Engine, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if daemon.poll() is not None:
            break
        try:
            here.docker("version", "--format", "{{.Server.Version}}", timeout=10)
            return
        except (EngineError, subprocess.TimeoutExpired):
            time.sleep(0.2)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise EngineError(f"dockerd did not start:\n{tail}")


def _stop(here: Engine, daemon: subprocess.Popen[bytes]) -> None:
    if daemon.poll() is None:
        try:
            if names := here.docker("ps", "-aq", check=False, timeout=30).split():
                here.docker("rm", "-f", "-v", *names, check=False, timeout=120)
        except subprocess.TimeoutExpired:
            pass  # the signal below ends it all the same
        daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(30)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait(10)


def _unmount(*folders: Path) -> None:
    """What a killed container leaves mounted would keep the folders from being deleted."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    ours = [p for p in points if any(Path(p).is_relative_to(f) for f in folders)]
    for point in sorted(ours, key=len, reverse=True):
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)
