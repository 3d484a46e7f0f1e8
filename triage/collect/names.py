"""What file names tell: which files of a folder are logs, and whose."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

_PACKED = re.compile(r"\.(gz|zst|zstd|bz2|xz|lzma)$", re.IGNORECASE)
# What rotation appends: .1  -20260203  .2026-02-03  -2026-02-03_000000  .20260203T101500Z
_ROTATED = re.compile(r"[._-](\d{1,3}|\d{4}-?\d{2}-?\d{2}([T_-]?\d{2}[:.-]?\d{2}([:.-]?\d{2})?Z?)?|\d{10}|old)$")
_LOG_SUFFIXES = (".log", ".txt", ".json", ".jsonl", ".ndjson", ".csv", ".out", ".err", ".stderr", ".stdout", ".logs")
_SUFFIX = re.compile(r"\.(log|logs|txt|json|jsonl|ndjson|csv|out|err|stderr|stdout)$", re.IGNORECASE)
_STREAM = re.compile(r"[._-](stdout|stderr|err|out)$", re.IGNORECASE)
_DOCKER = re.compile(r"^([0-9a-f]{64})-json\.log")
_KUBERNETES = re.compile(r"^[a-z0-9.-]+_[a-z0-9-]+_(?P<container>[a-z0-9.-]+?)-[0-9a-f]{64}\.log")
_KUBERNETES_POD = re.compile(r"^\d+\.log")
# Keys of which a JSON line of a log has at least one; a lone JSON object without any is a document.
_LOG_KEYS = frozenset({
    "log", "message", "msg", "event", "text", "body", "level", "levelname", "severity", "lvl", "error_severity",
    "time", "timestamp", "ts", "@timestamp", "asctime",
})  # fmt: skip
_STREAMS = {"stdout": "stdout", "stderr": "stderr"}


@dataclass(frozen=True, slots=True)
class Named:
    """What is known of a file's writer before a line of it is read."""

    service_name: str
    container_name: str | None = None
    container_id: str | None = None
    container_image_name: str | None = None
    log_iostream: str | None = None


def looks_like_log(name: str) -> bool:
    """Whether a file in a folder is worth opening, by its name: log suffixes, rotated, packed, or no suffix."""
    if name in {"config.v2.json", "hostconfig.json"}:
        return False
    stem = _unrotated(name)
    return stem.lower().endswith(_LOG_SUFFIXES) or "." not in stem


def is_document(name: str, head: bytes) -> bool:
    """Whether a .json file is one document (a truth file, settings) rather than a log of JSON lines."""
    if not _unrotated(name).lower().endswith(".json"):
        return False
    first, _, rest = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if not first.startswith((b"{", b"[")):
        return False
    try:
        value = json.loads(first)
    except ValueError:
        # A long log line is only cut off by the head; a pretty document begins with a short line.
        return bool(rest) or len(head) < 4096
    return not isinstance(value, dict) or not (rest.strip() or _LOG_KEYS & value.keys())


def named(path: Path) -> Named:
    """The service that a log file belongs to, from its name and from what lies beside it."""
    if match := _DOCKER.match(path.name):
        return _docker(path, match[1])
    if match := _KUBERNETES.match(path.name):
        return Named(match["container"])
    if _KUBERNETES_POD.match(path.name) and path.resolve().parent.name:
        return Named(path.resolve().parent.name)
    stem = _unrotated(path.name)
    stream = None
    while True:
        shorter = _ROTATED.sub("", _SUFFIX.sub("", stem))
        if match := _STREAM.search(shorter):
            stream = stream or _STREAMS.get(match[1].lower())
            shorter = shorter[: match.start()]
        if match := re.search(r"\.(stdout|stderr)$", stem, re.IGNORECASE):
            stream = stream or match[1].lower()
        if shorter == stem or not shorter:
            break
        stem = shorter
    stem = stem.removesuffix("-json").strip("._- ")
    if not stem or re.fullmatch(r"[\d_.T:-]+", stem):
        stem = path.resolve().parent.name or "file"
    return Named(printable(stem), log_iostream=stream)


def printable(text: str) -> str:
    """A name from outside, safe to show: no control characters, no undecodable bytes."""
    shown = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def _unrotated(name: str) -> str:
    name = _PACKED.sub("", name)
    while (shorter := _ROTATED.sub("", name)) != name and _SUFFIX.search(shorter):
        name = shorter
    return _PACKED.sub("", name)


def _docker(path: Path, container_id: str) -> Named:
    """The container of one of the engine's own files; its settings lie beside it."""
    try:
        config = json.loads((path.parent / "config.v2.json").read_bytes())
        name = str(config["Name"]).lstrip("/")
        settings = config.get("Config") or {}
        labels = settings.get("Labels") or {}
        return Named(service_of(name, labels), name, container_id, settings.get("Image"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Named(container_id[:12], None, container_id)


def service_of(name: str, labels: dict[str, str]) -> str:
    """The service of a container: its own name where somebody chose it, else the compose service.

    Compose makes up `project-service-1` (v1: `project_service_1`); a `container_name:` of the file is a choice.
    """
    project = labels.get("com.docker.compose.project")
    service = labels.get("com.docker.compose.service")
    if service and project and re.fullmatch(rf"(?:[0-9a-f]{{12}}_)?{_made_up(project, service)}", name):
        return service
    # Compose renames a container to <12 hex>_<name> while it replaces it.
    return re.sub(r"^[0-9a-f]{12}_(?=.)", "", name) if service else name


def _made_up(project: str, service: str) -> str:
    return rf"{re.escape(project)}[-_]{re.escape(service)}[-_](?:\d+|run[-_][0-9a-f]+)"
