"""Each library fails as it does in an application, and logging prints it; run by `drivers` in several environments."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

log = logging.getLogger("app.services.ai")
DOWN = 1  # nobody listens there
ERRORS = {"401": ("invalid_api_key", "Incorrect API key provided: sk-x."), "404": ("model_not_found", "The model `gpt-x` does not exist"),
          "429": ("rate_limit_exceeded", "Rate limit reached for gpt-x"), "503": ("server_error", "The server is overloaded")}  # fmt: skip
PROBLEMS = {"401": "provider.invalid_api_key", "404": "provider.model_unavailable", "429": "provider.rate_limited", "503": "provider.unavailable"}


class Provider(BaseHTTPRequestHandler):
    """Fails with the status that stands first in the path; `slow` never answers."""

    def do_POST(self) -> None:
        status = self.path.split("/")[1]
        if status == "slow":
            threading.Event().wait(3)
            return
        code, message = ERRORS[status]
        body = f'{{"error": {{"message": "{message}", "type": "x", "code": "{code}"}}}}'.encode()
        self.send_response(int(status))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: its lines are no part of the recording."""


def cases(port: int) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """(what is logged, the problem, what to call), for the libraries that are installed."""
    base = f"http://127.0.0.1:{port}"
    import pydantic
    import redis
    import sqlalchemy as sa

    class Job(pydantic.BaseModel):
        prompt: str
        n: int

    engine = sa.create_engine("sqlite://", poolclass=sa.pool.QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.1)
    held: list[Any] = []

    def pool() -> None:
        held.append(engine.connect())
        held.append(engine.connect())

    yield "pool", "db.pool_exhausted", pool
    down = f"postgresql+{{}}://app:pw@127.0.0.1:{DOWN}/jointo"
    yield "psycopg2", "db.connection_lost", lambda: sa.create_engine(down.format("psycopg2")).connect()
    yield "redis", "redis.error", lambda: redis.Redis(port=DOWN, socket_timeout=1).get("x")
    yield "pydantic", "api.validation_error", lambda: Job(n="x")  # type: ignore[call-arg,arg-type]
    import httpx
    import requests

    for status, problem in PROBLEMS.items():
        path = f"{base}/{status}/v1/chat/completions"
        problem = "*" if status == "404" else problem  # which may be a wrong address as well
        yield f"requests {status}", problem, lambda path=path: requests.post(path, timeout=2).raise_for_status()
        yield f"httpx {status}", problem, lambda path=path: httpx.post(path).raise_for_status()
    yield "requests slow", "provider.timeout", lambda: requests.post(f"{base}/slow/v1/chat/completions", timeout=0.2)
    yield "httpx slow", "provider.timeout", lambda: httpx.post(f"{base}/slow/v1/chat/completions", timeout=0.2)
    yield "requests down", "provider.unavailable", lambda: requests.post(f"http://127.0.0.1:{DOWN}/v1/chat/completions", timeout=1)
    yield "httpx down", "provider.unavailable", lambda: httpx.post(f"http://127.0.0.1:{DOWN}/v1/chat/completions")
    import openai

    ask: dict[str, Any] = {"model": "gpt-x", "messages": [{"role": "user", "content": "x"}]}
    for status, problem in PROBLEMS.items():
        if hasattr(openai, "OpenAI"):
            client = openai.OpenAI(api_key="k", base_url=f"{base}/{status}/v1", max_retries=0)
            yield f"openai {status}", problem, lambda client=client: client.chat.completions.create(**ask)
        else:
            where = {"api_key": "k", "api_base": f"{base}/{status}/v1"}
            yield f"openai {status}", problem, lambda where=where: openai.ChatCompletion.create(**where, **ask)
    try:
        import asyncpg
        import psycopg
    except ImportError:
        return
    yield "psycopg", "db.connection_lost", lambda: psycopg.connect(f"host=127.0.0.1 port={DOWN} dbname=jointo")
    yield "asyncpg", "db.connection_lost", lambda: asyncio.run(asyncpg.connect(host="127.0.0.1", port=DOWN, user="app", database="jointo"))


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stdout, level=logging.ERROR)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, problem, call in cases(server.server_address[1]):
        try:
            call()
        except Exception as error:
            kind = type(error)
            log.exception("%s failed", name)
            print(f"{name}\t{problem}\t{kind.__module__}.{kind.__qualname__}", file=sys.stderr)


if __name__ == "__main__":
    main()
