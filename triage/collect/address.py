"""Where the container engine is: DOCKER_HOST, else the Docker context, else a socket of Docker or Podman.

Contexts are read as the docker command reads them; the client library finds none where config.json is missing, and
no certificate authority that comes without a client's certificate.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from triage.collect.names import printable
from triage.errors import UnavailableError

_DEFAULT = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True)
class Address:
    """One engine's address, and the TLS to open it with."""

    url: str
    tls: TLSConfig | None = None


def find() -> Address:
    """The engine that the Docker command line would use here, else Podman's; DockerException for unusable TLS files."""
    if host := os.environ.get("DOCKER_HOST"):
        return Address(host, kwargs_from_env().get("tls"))
    name = os.environ.get("DOCKER_CONTEXT") or _current()
    return Address(_socket()) if name == "default" else _context(name)


def _folder() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _current() -> str:
    """The context that `docker context use` chose."""
    file = _folder() / "config.json"
    return str(_read(file).get("currentContext") or "default") if os.path.exists(file) else "default"


def _context(name: str) -> Address:
    key = hashlib.sha256(name.encode()).hexdigest()
    file = _folder() / "contexts" / "meta" / key / "meta.json"
    if not os.path.exists(file):
        raise UnavailableError(f"unknown Docker context: {printable(name)}", "docker context", "see: docker context ls")
    endpoint = (_read(file).get("Endpoints") or {}).get("docker") or {}
    tls = _folder() / "contexts" / "tls" / key / "docker"
    ca, cert, own = (str(p) if p.is_file() else None for p in (tls / "ca.pem", tls / "cert.pem", tls / "key.pem"))
    unverified = bool(endpoint.get("SkipTLSVerify"))
    config = None
    if ca or cert or unverified:
        config = TLSConfig(client_cert=(cert, own) if cert else None, ca_cert=ca, verify=not unverified)
    return Address(endpoint.get("Host") or _DEFAULT, config)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
        if isinstance(content, dict):
            return content
        error = "it is no JSON object"
    except (OSError, ValueError) as raised:
        error = str(raised)
    raise UnavailableError(f"the Docker configuration cannot be read: {printable(error)}", str(file))


def _socket() -> str:
    run = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    candidates = [_DEFAULT, f"unix://{run}/docker.sock", f"unix://{Path.home()}/.docker/run/docker.sock"]
    candidates += [os.environ.get("CONTAINER_HOST", ""), f"unix://{run}/podman/podman.sock"]
    candidates += ["unix:///run/podman/podman.sock"]
    # os.path.exists, because Path.exists raises in a folder of another user.
    there = (u for u in candidates if u.startswith("unix://") and os.path.exists(u.removeprefix("unix://")))
    return next(there, _DEFAULT)
