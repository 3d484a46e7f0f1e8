"""One HTTP request, standard library only: the driver runs wherever the tests run."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """Status 0 means that no answer came."""

    status: int
    body: Any
    request_id: str | None = None


def request(
    method: str, url: str, *, body: Any = None, token: str | None = None, request_id: str | None = None,
    timeout: float = 60,
) -> Answer:  # fmt: skip
    """Send JSON, get JSON."""
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if request_id is not None:
        headers["X-Request-ID"] = request_id
    data = None if body is None else json.dumps(body).encode()
    try:
        sent = urllib.request.Request(url, data=data, headers=headers, method=method)
        with urllib.request.urlopen(sent, timeout=timeout) as response:
            return Answer(response.status, json.loads(response.read()), request_id)
    except urllib.error.HTTPError as exc:
        text = exc.read()
        try:
            return Answer(exc.code, json.loads(text), request_id)
        except ValueError:
            return Answer(exc.code, text.decode(errors="replace"), request_id)
    except OSError:
        return Answer(0, None, request_id)
