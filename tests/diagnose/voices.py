"""How the programs of a stack write: the same happening in the layout of this or that team's application.

A `Voices` collects lines per container with the engine's time. Layouts, names, prefixes and clocks differ from stack
to stack, so that nothing can be tuned to one of them.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

LAYOUTS = ("logging", "json", "loguru")
_LOGURU = {"INFO": "INFO    ", "WARNING": "WARNING ", "ERROR": "ERROR   "}


@dataclass(frozen=True, slots=True)
class Names:
    """What this stack calls its containers and parts."""

    app: str
    worker: str
    beat: str
    postgres: str
    rabbitmq: str
    redis: str
    kernel: str
    package: str  # the application's top Python package
    database: str


STACKS = (
    Names("web", "worker", "beat", "postgres", "rabbitmq", "redis", "kernel", "app", "app"),
    Names("lumen-api-1", "lumen-jobs-1", "lumen-cron-1", "lumen-db-1", "lumen-mq-1", "lumen-cache-1", "node-7", "lumen", "lumen"),
    Names("svc-a7", "svc-b2", "svc-b3", "svc-d1", "svc-q1", "svc-k1", "host", "core", "main"),
    Names("kantan-backend", "kantan-celery-ai", "kantan-celery-beat", "kantan-pg15", "kantan-broker", "kantan-result", "dmesg", "kantan", "kantan_prod"),
)  # fmt: skip


@dataclass(slots=True)
class Voices:
    """Lines of every container, and how they are written."""

    start: datetime
    names: Names
    layout: str
    database_prefix: bool  # Postgres names user and database in its prefix
    random: random.Random
    stamped: bool = True  # as the engine gives them, each line with the time of its receipt
    lines: dict[str, list[tuple[float, int, str]]] = field(default_factory=dict)
    _skew: dict[str, float] = field(default_factory=dict)
    _numbers: int = 0

    def _at(self, container: str, second: float) -> datetime:
        """The container's own clock: containers of several hosts are apart by some tenths of a second."""
        skew = self._skew.setdefault(container, self.random.uniform(-0.2, 0.2))
        return self.start + timedelta(seconds=second + skew)

    def set_apart(self, container: str, seconds: float) -> None:
        """Let this container's clock be ahead, or behind."""
        self._skew[container] = seconds

    def say(self, container: str, second: float, text: str) -> None:
        """One write of a program, of one or more lines."""
        self._numbers += 1
        self.lines.setdefault(container, []).append((second, self._numbers, text))

    def app(
        self, second: float, level: str, message: str, *, request: str = "-", logger: str = "api", trace: str | None = None
    ) -> None:
        """A record of the application in its team's layout."""
        at, scope = self._at(self.names.app, second), f"{self.names.package}.{logger}"
        if self.layout == "json":
            entry = {"timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z", "level": level, "logger": scope,
                     "message": message, "request_id": request}  # fmt: skip
            text = json.dumps(entry | ({"exc_info": trace} if trace else {}), ensure_ascii=False)
        elif self.layout == "loguru":
            text = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} | {_LOGURU[level]} | {scope}:handle:88 - [{request}] {message}"
        else:
            text = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d} {level} [{request}] {scope}: {message}"
        self.say(self.names.app, second, text + (f"\n{trace}" if trace and self.layout != "json" else ""))

    def access(self, second: float, method: str, path: str, status: int) -> None:
        """uvicorn's own line, without a time; its words are those of http.HTTPStatus."""
        words = {200: "OK", 201: "Created", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
                 404: "Not Found", 422: "Unprocessable Entity", 500: "Internal Server Error", 502: "Bad Gateway",
                 503: "Service Unavailable", 504: "Gateway Timeout"}  # fmt: skip
        peer = f"172.18.0.{self.random.randrange(2, 9)}:{self.random.randrange(30000, 60000)}"
        self.say(self.names.app, second, f'INFO:     {peer} - "{method} {path} HTTP/1.1" {status} {words[status]}')

    def worker(self, second: float, level: str, process: str, message: str) -> None:
        self._celery(self.names.worker, second, level, process, message)

    def beat(self, second: float, level: str, message: str) -> None:
        self._celery(self.names.beat, second, level, "MainProcess", message)

    def _celery(self, container: str, second: float, level: str, process: str, message: str) -> None:
        at = self._at(container, second)
        self.say(container, second, f"[{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d}: {level}/{process}] {message}")

    def postgres(self, second: float, pid: int, level: str, message: str, **more: str) -> None:
        """A record with its DETAIL, HINT, CONTEXT, STATEMENT lines."""
        at = self._at(self.names.postgres, second)
        who = f"{self.names.package}@{self.names.database} " if self.database_prefix else ""
        head = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC [{pid}] {who}"
        lines = [f"{head}{level}:  {message}"]
        lines += [f"{head}{name.upper()}:  {text}" for name, text in more.items()]
        self.say(self.names.postgres, second, "\n".join(lines))

    def rabbitmq(self, second: float, level: str, process: str, *messages: str) -> None:
        at = self._at(self.names.rabbitmq, second)
        head = f"{at:%Y-%m-%d %H:%M:%S.%f}+00:00 [{level}] {process} "
        self.say(self.names.rabbitmq, second, "\n".join(head + message for message in messages))

    def redis(self, second: float, mark: str, message: str) -> None:
        at = self._at(self.names.redis, second)
        stamp = f"{at:%d %b %Y %H:%M:%S}.{at.microsecond // 1000:03d}"
        self.say(self.names.redis, second, f"1:M {stamp} {mark} {message}")

    def kernel(self, second: float, message: str) -> None:
        self.say(self.names.kernel, second, f"[{5000 + second:12.6f}] {message}")

    def write(self, folder: Path) -> None:
        """A file per container as `docker logs` prints it, with -t the engine's time in front of each physical line."""
        folder.mkdir(parents=True, exist_ok=True)
        for container, said in self.lines.items():
            out = []
            for second, _, text in sorted(said):
                at = self.start + timedelta(seconds=second + 0.0004)
                # The kernel's lines have no date of their own.
                stamp = f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z " if self.stamped or container == self.names.kernel else ""
                out += [stamp + line + "\n" for line in text.split("\n")]
            (folder / f"{container}.log").write_text("".join(out), encoding="utf-8")


def trace(package: str, place: str, *last: str) -> str:
    """A traceback through the application's own code to the exception's lines."""
    return "\n".join(
        [
            "Traceback (most recent call last):",
            '  File "/opt/venv/lib/python3.11/site-packages/starlette/routing.py", line 73, in app',
            "    response = await f(request)",
            f'  File "/srv/{package}/{place}.py", line 41, in handle',
            "    result = step(payload)",
            *last,
        ]
    )


def task_trace(package: str, place: str, *last: str) -> str:
    return "\n".join(
        [
            "Traceback (most recent call last):",
            '  File "/opt/venv/lib/python3.11/site-packages/celery/app/trace.py", line 564, in trace_task',
            "    R = retval = fun(*args, **kwargs)",
            f'  File "/srv/{package}/tasks/{place}.py", line 27, in run',
            "    result = step(payload)",
            *last,
        ]
    )
