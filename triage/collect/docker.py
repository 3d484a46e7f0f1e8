"""Container engines: Docker by DOCKER_HOST, context, ssh or TLS, and Podman through its Docker-compatible socket.

Finds containers and gives their logs as raw bytes; every failure becomes one clear sentence. Only reading (GET)
requests are made, so a read-only socket proxy is enough.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import docker
import urllib3
from docker.constants import DEFAULT_DOCKER_API_VERSION

from triage.collect.address import find
from triage.collect.cursor import Cursor
from triage.collect.engine_errors import Translated, refused, unknown
from triage.collect.logs import Log
from triage.collect.names import printable, service_of
from triage.collect.origins import CursorLookup
from triage.collect.ssh import SshAdapter
from triage.errors import UnavailableError, UsageError
from triage.schema import Batch, Resource

_CHUNK = 1 << 20
_TIMEOUT_S = 120  # for the first byte: an engine reads a long log from its start to find `since`
# Images whose logs have one known format. A name alone proves nothing: `redis-exporter` is no Redis.
_IMAGES = {
    "postgres": "postgres", "postgresql": "postgres", "postgis": "postgres", "timescaledb": "postgres",
    "pgvector": "postgres", "redis": "redis", "redis-stack-server": "redis", "valkey": "redis",
    "rabbitmq": "rabbitmq", "nginx": "nginx",
}  # fmt: skip
_COMPOSE = "com.docker.compose."


@dataclass(frozen=True, slots=True)
class Container:
    """A container as the engine lists it."""

    engine: Engine = field(repr=False, compare=False)
    id: str
    name: str
    image: str
    running: bool
    labels: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def service_name(self) -> str:
        """The service it belongs to; the same after re-creation."""
        return service_of(self.name, dict(self.labels))

    @property
    def project(self) -> str | None:
        """Its compose project."""
        return self.labels.get(f"{_COMPOSE}project")

    @property
    def origin(self) -> str:
        """What its cursor is kept under."""
        return f"docker:{self.id}"

    @property
    def resource(self) -> Resource:
        """What holds for all its lines."""
        repository = re.sub(r"(@sha256:.*|:[^/:]*)$", "", self.image).rsplit("/", 1)[-1]
        return Resource(
            self.service_name, self.name, self.id, self.image, self.engine.host_name, _IMAGES.get(repository)
        )


@dataclass(slots=True)
class Engine:
    """A connection to one engine; may be used by several threads."""

    client: docker.DockerClient
    url: str
    host_name: str | None = None

    def containers(self) -> list[Container]:
        """All containers, running or not, by service; the one this process runs in is left out."""
        with Translated(self.url):
            listed = self.client.api.containers(all=True)
        mine = socket.gethostname()
        found = [
            Container(
                self, c["Id"], printable((c.get("Names") or [c["Id"][:12]])[0].lstrip("/")), c.get("Image") or "",
                c.get("State") in ("running", "paused", "restarting"), c.get("Labels") or {},
            )
            for c in listed
            if not (re.fullmatch(r"[0-9a-f]{12}", mine) and c["Id"].startswith(mine))
        ]  # fmt: skip
        return sorted(found, key=lambda c: (c.service_name, c.name, c.id))

    def find(
        self, names: Sequence[str] = (), project: str | None = None, labels: Sequence[str] = (), *, all: bool = True
    ) -> list[Container]:
        """Containers by name (also service, id prefix or pattern), compose project and label; none given: all.

        A name or project that matches nothing is an error that offers the nearest ones.
        """
        every = self.containers()
        chosen = choose(every, names, project, labels)
        for name in names:
            if not any(matches(c, name) for c in every):
                raise unknown("container", name, {c.name for c in every} | {c.service_name for c in every})
        if project and not any(c.project == project for c in every):
            raise unknown("compose project", project, {c.project for c in every if c.project})
        return [c for c in chosen if all or c.running]

    def inspect(self, container: Container) -> dict[str, Any]:
        """The engine's full description of a container."""
        with Translated(self.url, container.name):
            described: dict[str, Any] = self.client.api.inspect_container(container.id)
        return described

    def log(
        self, container: Container, tail: int | None, since: int | None, until: int | None, dated: Callable[[int], None]
    ) -> Iterator[bytes]:
        """The raw answer of the log API, in chunks. Bounds are nanoseconds since 1970, both inclusive.

        `dated` hears when the engine began to answer, by its own clock (see `clock`).
        """
        params: dict[str, Any] = {"stdout": 1, "stderr": 1, "timestamps": 1}
        params |= {"tail": tail} if tail is not None else {}
        # docker-py would send these as floats and lose the nanoseconds.
        params |= {"since": engine_time(since)} if since else {}
        params |= {"until": engine_time(until)} if until is not None else {}
        api = self.client.api
        with Translated(self.url, container.name):
            url = api._url("/containers/{0}/logs", container.id)
            response = api._get(url, params=params, stream=True, timeout=_TIMEOUT_S)
            try:
                if response.status_code >= 400:
                    raise refused(response.status_code, response.content, container.name)
                dated(_date(response.headers))
                while data := response.raw.read(_CHUNK):
                    yield data
            finally:
                response.close()

    def clock(self) -> int:
        """The engine's own time in nanoseconds, to the second."""
        with Translated(self.url):
            return _date(self.client.api._get(self.client.api._url("/_ping"), timeout=_TIMEOUT_S).headers)

    def events(self, stop: threading.Event) -> Iterator[tuple[str, str]]:
        """(action, container id) as they happen, until `stop` is set and one more event or time-out came."""
        api = self.client.api
        params = {"filters": json.dumps({"type": ["container"], "event": ["start", "die", "destroy"]})}
        with Translated(self.url):
            response = api._get(api._url("/events"), params=params, stream=True, timeout=(10, None))
            with response:
                for line in response.iter_lines(chunk_size=None):
                    if stop.is_set():
                        return
                    if line:
                        event = json.loads(line)
                        yield str(event.get("Action") or event.get("status")), str(event["Actor"]["ID"])


def connect() -> Engine:
    """The engine that the Docker command line would use here, else Podman's."""
    with Translated(os.environ.get("DOCKER_HOST", "")):
        address = find()
    with Translated(address.url):
        behind_ssh = address.url.startswith("ssh://")
        # A given version keeps the library from asking before the session is as it must be.
        client = docker.DockerClient(
            base_url=None if behind_ssh else address.url, tls=address.tls or False, version=DEFAULT_DOCKER_API_VERSION,
            timeout=_TIMEOUT_S,
        )  # fmt: skip
        api = client.api
        if behind_ssh:
            api.mount("http+docker://", SshAdapter(address.url))
        if address.tls and not address.tls.verify:  # which its owner has chosen
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        # Else REQUESTS_CA_BUNDLE would replace the engine's own authority, ~/.netrc and HTTP_PROXY have a say.
        api.trust_env = False
        api._version = api.version(api_version=False).get("ApiVersion", DEFAULT_DOCKER_API_VERSION)
        info = api._result(api._get(api._url("/info")), json=True)
    return Engine(client, address.url, info.get("Name"))


def open_log(container: Container, known: CursorLookup, *, since: int | None = None, until: int | None = None) -> Log:
    """A reader of a container's log that goes on from the committed cursor; an unreadable driver is an error."""
    described = container.engine.inspect(container)
    driver = (described.get("HostConfig") or {}).get("LogConfig", {}).get("Type")
    if driver == "none":
        raise UnavailableError(
            "its log driver is `none`: the engine keeps no log of it", container.name,
            "run it with --log-driver local (or json-file)",
        )  # fmt: skip
    return Log(
        container.origin, container.resource, _Answers(container),
        tty=bool((described.get("Config") or {}).get("Tty")),
        stopped=not (described.get("State") or {}).get("Running"),
        cursor=Cursor.load(container.origin, known), since=since, until=until,
    )  # fmt: skip


def read(
    container: Container, known: CursorLookup, since: int | str | datetime | None = None,
    until: int | str | datetime | None = None,
) -> Iterator[Batch]:  # fmt: skip
    """The new lines of one container, once; the last batch is final."""
    return open_log(container, known, since=nanoseconds(since), until=nanoseconds(until)).new()


@dataclass(slots=True)
class _Answers:
    """What a Log asks of the engine, for one container."""

    container: Container
    answered: int = 0

    def log(self, tail: int | None, since: int | None, until: int | None) -> Iterator[bytes]:
        return self.container.engine.log(self.container, tail, since, until, self._dated)

    def _dated(self, stamp: int) -> None:
        self.answered = stamp

    def clock(self) -> int:
        return self.container.engine.clock()


def _date(headers: Mapping[str, str]) -> int:
    """When an answer began, in nanoseconds to the second; by this machine's clock where it does not say."""
    date = headers.get("Date")
    when = parsedate_to_datetime(date) if date else datetime.now(UTC)
    return int(when.timestamp()) * 10**9


def matches(container: Container, name: str) -> bool:
    """Whether a container is meant by a name: its own, its service's, the start of its id, or a pattern of these."""
    own = {container.name, container.service_name, container.labels.get(f"{_COMPOSE}service") or container.name}
    if name.lstrip("/") in own or (len(name) >= 6 and container.id.startswith(name)):
        return True
    return any(c in name for c in "*?[") and any(fnmatch.fnmatchcase(o, name) for o in own)


def choose(
    every: Sequence[Container], names: Sequence[str], project: str | None, labels: Sequence[str]
) -> list[Container]:
    """Those that meet all of the given conditions; a label is `key` or `key=value`."""

    def labelled(container: Container, label: str) -> bool:
        key, equals, value = label.partition("=")
        return key in container.labels and (not equals or container.labels[key] == value)

    return [
        c
        for c in every
        if (not names or any(matches(c, n) for n in names))
        and (project is None or c.project == project)
        and all(labelled(c, label) for label in labels)
    ]


def nanoseconds(value: int | str | datetime | None) -> int | None:
    """A point in time as nanoseconds since 1970: such a number, `SECONDS.NANOSECONDS`, RFC 3339 or a datetime."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        whole = aware.replace(microsecond=0)
        return int(whole.timestamp()) * 10**9 + value.microsecond * 1000
    if match := re.fullmatch(r"(\d+)(?:\.(\d{1,9}))?", value):
        return int(match[1]) * 10**9 + int((match[2] or "").ljust(9, "0"))
    # datetime keeps microseconds only, so the fraction is taken apart first.
    if match := re.fullmatch(r"([^.]+)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", value.strip()):
        try:
            start = nanoseconds(datetime.fromisoformat(match[1] + (match[3] or "")))
        except ValueError:
            start = None
        if start is not None:
            return start + int((match[2] or "").ljust(9, "0"))
    raise UsageError(f"not a time: {printable(value)}", hint="write it as 2026-02-03T10:00:00Z")


def engine_time(stamp: int) -> str:
    """A nanosecond stamp as the log API wants it."""
    return f"{stamp // 10**9}.{stamp % 10**9:09d}"
