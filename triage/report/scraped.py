"""The answer to a scraper: GET /metrics over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from triage import __version__
from triage.errors import TriageError, UnavailableError
from triage.report import openmetrics

if TYPE_CHECKING:
    from triage.analyse.metrics import Family

_FRESH_S = 5.0  # scrapes in quick succession get the same answer


def server(host: str, port: int, gather: Callable[[], tuple[Family, ...]]) -> ThreadingHTTPServer:
    """Answers GET /metrics, in OpenMetrics where the scraper asks for it; 503 with the reason where there is no answer."""
    lock = threading.Lock()
    kept: list[tuple[float, tuple[Family, ...]]] = []

    def fresh() -> tuple[Family, ...]:
        with lock:
            if not kept or time.monotonic() - kept[-1][0] > _FRESH_S:
                kept[:] = [(time.monotonic(), gather())]
            return kept[-1][1]

    class Handler(BaseHTTPRequestHandler):
        server_version = f"triage/{__version__}"
        timeout = 30

        def do_GET(self) -> None:
            if self.path.partition("?")[0] not in ("/metrics", "/"):
                self._answer(404, "text/plain; charset=utf-8", "see /metrics\n")
                return
            wanted = "application/openmetrics-text" in self.headers.get("Accept", "")
            try:
                told = openmetrics.text(fresh(), wanted)
            except TriageError as error:
                self._answer(503, "text/plain; charset=utf-8", f"{error.message}\n")
                return
            self._answer(200, openmetrics.OPENMETRICS if wanted else openmetrics.PLAIN, told)

        def _answer(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Scrapes are no news."""

    try:
        return ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise UnavailableError(f"cannot listen: {error.strerror}", f"{host}:{port}", "give another --listen") from None
