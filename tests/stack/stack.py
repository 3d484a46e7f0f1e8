"""The guide's stack in real containers, on loopback: app, worker, Beat, Postgres, Redis, RabbitMQ, provider.

`with stack(engine, root) as s:` brings all of it up and waits until each part answers. Programs come from the host
through read-only mounts; inside, paths are as in an ordinary image (/srv/app, /opt/venv, /usr/local).
"""

from __future__ import annotations

import pwd
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import setup
from .engine import Engine
from .http import Answer, request

APP, WORKER, BEAT = "jointo-server-app", "jointo-server-celery-ai", "jointo-server-celery-beat"
POSTGRES, REDIS, RABBITMQ = "jointo-server-postgres", "jointo-server-redis", "jointo-server-rabbitmq"
PROVIDER = "aihubmix"
ALL = (POSTGRES, REDIS, RABBITMQ, PROVIDER, APP, WORKER, BEAT)
PROJECT = "jointo"
SLOW_MS = 500  # log_min_duration_statement
SLOW_REQUEST = 3.0  # seconds; the app's SLOW_REQUEST_SECONDS
TASK_TIMEOUT = 4  # seconds, soft; the app's AI_TASK_TIMEOUT
_SERVICES = Path(__file__).parent / "services"
_PORTS = ("app", "postgres", "redis", "amqp", "dist", "epmd", "provider")


class StackError(RuntimeError):
    """A part of the stack did not come up."""


def _free_ports() -> dict[str, int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in _PORTS]
    ports = {name: s.getsockname()[1] for name, s in zip(_PORTS, sockets, strict=True)}
    for s in sockets:
        s.close()
    return ports


@dataclass
class Stack:
    """The running stack: where its parts listen, and what a driver may do with it."""

    engine: Engine
    root: Path
    ports: dict[str, int] = field(default_factory=_free_ports)

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def call(self, method: str, path: str, *, timeout: float = 60, **more: object) -> Answer:
        """One HTTP request to the app."""
        return request(method, self.url("app") + path, timeout=timeout, **more)  # type: ignore[arg-type]

    def provider(self, **state: object) -> None:
        """Change how the provider behaves from now on."""
        request("POST", self.url("provider") + "/admin/state", body=state)

    def psql(self, sql: str) -> list[str]:
        """Rows of one statement, columns joined by `|`, over the server's own socket."""
        out = self.engine.docker(
            "exec", POSTGRES, "psql", "-h", "127.0.0.1", "-p", str(self.ports["postgres"]), "-U", "jointoAI",
            "-d", "jointo", "-XAtqc", sql,
        )  # fmt: skip
        return out.splitlines()

    def inspect(self, name: str, template: str) -> str:
        return self.engine.docker("inspect", "--format", template, name).strip()

    # -- bringing up ---------------------------------------------------------------------------------------------

    def run(self, name: str, service: str, command: list[str], *options: str) -> None:
        """`docker run -d` with what every container here shares."""
        self.engine.docker(
            "run", "-d", "--name", name, "--network", "host", "--hostname", service,
            "--label", f"com.docker.compose.project={PROJECT}", "--label", f"com.docker.compose.service={service}",
            "--label", "com.docker.compose.container-number=1", "--label", "com.docker.compose.oneoff=False",
            "-v", "/usr:/usr:ro", "-v", "/etc:/etc:ro", *options, self.engine.ensure_base(), *command,
        )  # fmt: skip

    def _volume(self, name: str, user: str | None = None) -> Path:
        path = self.root / "volumes" / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)
        if user:
            shutil.chown(path, user, user)
        return path

    def _user(self, name: str) -> list[str]:
        entry = pwd.getpwnam(name)
        return ["--user", f"{entry.pw_uid}:{entry.pw_gid}"]

    def start_postgres(self) -> None:
        binaries = setup.postgres_bin()
        data = self._volume("postgres", "postgres")
        home = "/var/lib/postgresql"
        script = (
            f"[ -s {home}/data/PG_VERSION ] || {binaries}/initdb -D {home}/data -U jointoAI -A trust --no-sync -E UTF8"
            f" --locale=C.UTF-8 && exec {binaries}/postgres -D {home}/data -p {self.ports['postgres']}"
            f" -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp -c max_connections=60 -c fsync=off"
            f" -c log_min_duration_statement={SLOW_MS} -c log_lock_waits=on -c log_timezone=UTC -c jit=off"
            f" -c max_parallel_workers_per_gather=0"
        )
        self.run(POSTGRES, "postgres", ["sh", "-c", script], "-v", f"{data}:{home}", *self._user("postgres"))

    def start_redis(self) -> None:
        command = ["redis-server", "--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--save", ""]
        self.run(REDIS, "redis", command, *self._user("redis"))

    def start_rabbitmq(self) -> None:
        home = "/var/lib/rabbitmq"
        data = self._volume("rabbitmq", "rabbitmq")
        (data / "enabled_plugins").write_text("[].\n")
        (data / "rabbitmq.conf").write_text(f"listeners.tcp.local = 127.0.0.1:{self.ports['amqp']}\n")
        quiet = "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"
        env = {
            "HOME": home, "RABBITMQ_LOGS": "-", "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/log", "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf", "RABBITMQ_PID_FILE": f"{home}/pid",
            "RABBITMQ_NODENAME": "rabbit@localhost", "RABBITMQ_DIST_PORT": str(self.ports["dist"]),
            "ERL_EPMD_PORT": str(self.ports["epmd"]), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": quiet, "LANG": "C.UTF-8", "ERL_MAX_PORTS": "4096",
        }  # fmt: skip
        options = [x for k, v in env.items() for x in ("-e", f"{k}={v}")]
        command = ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
        self.run(RABBITMQ, "rabbitmq", command, "-v", f"{data}:{home}", *options, *self._user("rabbitmq"))

    def _python(self, *more: str) -> list[str]:
        """Mounts and environment of a Python service; the interpreter appears where an official image has it."""
        library = f"python{sys.version_info.major}.{sys.version_info.minor}"
        options = ["-v", f"{setup.venv()}:/opt/venv:ro", "-v", f"{_SERVICES}:/srv/app:ro", "-w", "/srv/app"]
        if sys.base_prefix not in ("/usr", "/usr/local"):
            options += ["-v", f"{sys.base_prefix}:/usr/local:ro", "-e", "LD_LIBRARY_PATH=/usr/local/lib"]
        dsn = f"postgresql+psycopg2://jointoAI@127.0.0.1:{self.ports['postgres']}/jointo"
        env = {
            "PYTHONPATH": f"/srv/app:/opt/venv/lib/{library}/site-packages", "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", "DATABASE_URL": dsn,
            "CELERY_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{self.ports['amqp']}//",
            "CELERY_RESULT_BACKEND": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "AIHUBMIX_BASE_URL": self.url("provider"), "AIHUBMIX_API_KEY": "sk-live-jointo",
            "AI_TASK_TIMEOUT": str(TASK_TIMEOUT), "SLOW_REQUEST_SECONDS": str(SLOW_REQUEST),
        }  # fmt: skip
        return options + [x for k, v in env.items() for x in ("-e", f"{k}={v}")] + list(more)

    @property
    def _interpreter(self) -> str:
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return f"/usr/bin/{name}" if sys.base_prefix == "/usr" else f"/usr/local/bin/{name}"

    def start_provider(self) -> None:
        command = [
            self._interpreter, "-m", "uvicorn", "aihubmix.main:app", "--host", "127.0.0.1",
            "--port", str(self.ports["provider"]), "--no-access-log", "--log-level", "warning",
        ]  # fmt: skip
        self.run(PROVIDER, "aihubmix", command, *self._python())

    def start_app(self) -> None:
        python = self._interpreter
        script = (
            f"{python} -m app.init_db && {python} -m uvicorn app.main:app --use-colors"
            f" --host 127.0.0.1 --port {self.ports['app']}"
        )
        limits = self._python("--memory", "400m", "--memory-swap", "400m", "--restart", "on-failure:3")
        self.run(APP, "app", ["sh", "-c", script], *limits)

    def _celery(self, *arguments: str) -> list[str]:
        return [self._interpreter, "-m", "celery", "-A", "app.tasks.celery_app", *arguments]

    def start_worker(self) -> None:
        command = self._celery("worker", "-l", "INFO", "-c", "2", "-Q", "ai_tasks,maintenance", "-n", "ai@jointo")
        limits = self._python("--memory", "500m", "--memory-swap", "500m", "-e", "C_FORCE_ROOT=1")
        self.run(WORKER, "celery-ai", command, *limits)

    def start_beat(self) -> None:
        command = self._celery("beat", "-l", "INFO", "-s", "/tmp/celerybeat-schedule", "--pidfile=")
        self.run(BEAT, "celery-beat", command, *self._python())

    def await_logs(self, name: str, text: str, seconds: float = 60) -> None:
        """Wait until the container has printed `text`."""
        until(lambda: text in self.engine.docker_logs(name), seconds, f"{name} to print {text!r}")

    def await_app(self, seconds: float = 60) -> None:
        until(lambda: self.call("GET", "/health", timeout=2).status == 200, seconds, "the app to answer")

    def up(self) -> None:
        """Everything, in order of need."""
        self.start_postgres()
        self.start_redis()
        self.start_rabbitmq()
        self.start_provider()
        self.await_logs(POSTGRES, "database system is ready to accept connections")
        create = ["createdb", "-h", "127.0.0.1", "-p", str(self.ports["postgres"]), "-U", "jointoAI", "jointo"]
        self.engine.docker("exec", POSTGRES, *create)
        self.start_app()
        self.await_logs(RABBITMQ, "Server startup complete", 120)
        self.start_worker()
        self.start_beat()
        self.await_app()
        self.await_logs(WORKER, "ai@jointo ready")
        self.await_logs(BEAT, "beat: Starting")


def until(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until `ready()`; `StackError` naming `what` when it takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise StackError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.2)


@contextmanager
def stack(engine: Engine, root: Path) -> Iterator[Stack]:
    """The whole stack, up and answering; its containers go with it."""
    root.chmod(0o755)  # the services run as their own users and must reach their volumes
    here = Stack(engine, root)
    try:
        here.up()
        yield here
    except StackError as problem:
        tails = [f"--- {n}\n{engine.docker_logs(n)[-1500:]}" for n in ALL]
        raise StackError("\n".join([str(problem), *tails])) from None
    finally:
        engine.docker("rm", "-f", "-v", *ALL, check=False)
