"""Whether the containers of an engine keep their logs so that nothing is lost before it is collected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from triage.collect import docker

_READABLE = ("json-file", "local", "journald")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the engine or a container: `level` is ok, note or problem; `fix` can be copied."""

    level: str
    subject: str
    message: str
    fix: str | None = None


def check(project: str | None = None) -> list[Finding]:
    """What `triage doctor` says of the engine; UnavailableError where there is none."""
    engine = docker.connect()
    found = [Finding("ok", engine.url, "the container engine answers")]
    for container in engine.find(project=project):
        described = engine.inspect(container)
        host = described.get("HostConfig") or {}
        found += _log(container.name, host.get("LogConfig") or {})
        if not host.get("Memory"):
            fix = "mem_limit: 512m  # in the compose file"
            found.append(Finding("note", container.name, "it has no memory limit: a leak takes the host with it", fix))
        if not (described.get("Config") or {}).get("Healthcheck"):
            found.append(Finding("note", container.name, "it has no health check", "healthcheck:  # in the compose file"))
    return found


def _log(name: str, config: dict[str, Any]) -> list[Finding]:
    driver, options = str(config.get("Type") or ""), config.get("Config") or {}
    fix = 'logging: {driver: local, options: {max-size: "50m", max-file: "5"}}'
    if driver not in _READABLE:
        return [Finding("problem", name, f"log driver `{driver}`: the engine keeps nothing that can be collected", fix)]
    size = options.get("max-size")
    if driver == "json-file" and not size:
        return [Finding("note", name, "its log grows without limit until the disk is full", fix)]
    if size and _bytes(str(size)) * int(options.get("max-file") or 1) < 20 << 20:
        told = f"it keeps {size} × {options.get('max-file') or 1} of log: a busy hour may be deleted uncollected"
        return [Finding("problem", name, told, fix)]
    return [Finding("ok", name, f"log driver `{driver}`")]


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([kmg]?)b?", text.lower())
    return int(found[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[found[2]] if found else 0
