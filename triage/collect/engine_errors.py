"""What a container engine's failures mean, as one clear sentence each with the next step."""

from __future__ import annotations

import difflib
import json
import re

import docker.errors
import requests.exceptions
import urllib3.exceptions

from triage.collect.names import printable
from triage.errors import TriageError, UnavailableError

_FAILURES = (
    docker.errors.DockerException,
    requests.exceptions.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
)


class Translated:
    """Turns what the client library raises into one clear sentence."""

    def __init__(self, url: str, container: str | None = None) -> None:
        self._url, self._container = url, container

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TriageError) or not isinstance(error, _FAILURES):
            return
        if isinstance(error, docker.errors.APIError) and error.response is not None and self._container:
            raise refused(error.response.status_code, error.response.content, self._container) from error
        raise unreachable(self._url, error) from error


def unreachable(url: str, error: BaseException) -> UnavailableError:
    """Why an engine does not answer, from the text of whatever was raised."""
    text = f"{error} {error.__cause__ or ''} {error.__context__ or ''}"
    shown = printable(re.sub(r"//[^/@]*@", "//", url))
    if "PermissionError" in text or "Permission denied" in text:
        return UnavailableError(
            "no permission to use the container engine", shown, "run as root or as a member of the group `docker`"
        )
    if "CERTIFICATE_VERIFY_FAILED" in text:
        hint = "DOCKER_CERT_PATH, or the Docker context, must hold the ca.pem that signed it"
        return UnavailableError("the engine's certificate is not trusted", shown, hint)
    if "HTTP request to an HTTPS server" in text or "alert certificate required" in text:
        hint = "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem"
        return UnavailableError("the engine answers only over TLS, with a client's certificate", shown, hint)
    if "FileNotFoundError" in text or "No such file" in text or "Connection refused" in text:
        hint = "start it, or set DOCKER_HOST; logs saved as files go in with: triage ingest PATH"
        return UnavailableError("no container engine answers", shown, hint)
    return UnavailableError(f"the container engine cannot be used: {printable(str(error))[:300]}", shown)


def refused(status: int, content: bytes, container: str) -> UnavailableError:
    try:
        said = str(json.loads(content).get("message", ""))
    except (ValueError, AttributeError):
        said = content.decode("utf-8", "replace").strip()
    if status == 404 or "can not get logs from container which is dead" in said:
        return UnavailableError("the container is gone", container, "it was removed while it was being read")
    if "does not support reading" in said or status == 501:
        return UnavailableError(
            "its log driver cannot be read back", container,
            f"the engine says: {printable(said)}; use the driver local or json-file",
        )  # fmt: skip
    if status == 403:
        return UnavailableError("the engine forbids it", container, printable(said) or "a socket proxy must allow GET")
    return UnavailableError(f"the engine refuses its log: {printable(said)[:300]}", container)


def unknown(what: str, name: str, there: set[str]) -> UnavailableError:
    near = difflib.get_close_matches(name, sorted(there), 3, 0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    elif there:
        hint = f"there are: {', '.join(sorted(there)[:10])}{' …' if len(there) > 10 else ''}"
    else:
        hint = "the engine has none"
    return UnavailableError(f"no {what} is called {printable(name)}", hint=hint)
