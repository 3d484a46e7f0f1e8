"""Engines behind ssh, as the docker command reaches them: `ssh HOST docker system dial-stdio` is the connection.

The client library has this too, but not without paramiko, and on pipes, which know no time limit. Here ssh gets one
end of a socket pair, so that the connection is an ordinary one. Keys, agents, jumps and known hosts are the ssh
program's own business.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tempfile
from http.client import HTTPException
from socket import socketpair
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3.connection
from requests.adapters import HTTPAdapter

from triage.collect.names import printable
from triage.errors import UnavailableError, UsageError

_CONNECT_S = 30
_running: list[subprocess.Popen[bytes]] = []  # kept until each has been waited for


class SshAdapter(HTTPAdapter):
    """Sends all requests of a session through ssh to the engine at `ssh://[USER@]HOST[:PORT][/SOCKET]`."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._pool = _Pool("localhost", maxsize=10, command=_command(url))

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> urllib3.HTTPConnectionPool:
        """Always the one pool: there is one host."""
        return self._pool

    def close(self) -> None:
        """Close what is idle."""
        self._pool.close()
        super().close()


def _command(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        host, port, user = parts.hostname, parts.port, unquote(parts.username or "")
    except ValueError:
        parts, host, port, user = urlsplit(""), None, None, ""
    if not host or parts.password or parts.query or parts.fragment:
        hint = "write it as ssh://USER@HOST:PORT; the key is ssh's own business"
        raise UsageError("not the address of an engine behind ssh", printable(re.sub("//[^/]*@", "//", url)), hint)
    socket = ["--host", shlex.quote(f"unix://{unquote(parts.path)}")] if parts.path.strip("/") else []
    return [
        "ssh", "-o", f"ConnectTimeout={_CONNECT_S}", "-T", *(["-l", user] if user else []),
        *(["-p", str(port)] if port else []), "--", host, "docker", *socket, "system", "dial-stdio",
    ]  # fmt: skip


class _Connection(urllib3.connection.HTTPConnection):
    """One run of ssh, which ends when this side is closed."""

    def __init__(self, *args: Any, command: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self._command = command
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the connection

    def connect(self) -> None:
        _running[:] = [process for process in _running if process.poll() is None]
        ours, theirs = socketpair()
        with theirs:
            try:
                # In a session of its own, so that Ctrl-C reaches triage alone, which then ends in order.
                process = subprocess.Popen(
                    self._command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._said,
                    start_new_session=True,
                )  # fmt: skip
            except FileNotFoundError as error:
                ours.close()
                hint = "install it (Debian: openssh-client)"
                raise UnavailableError("an engine behind ssh needs the program ssh", hint=hint) from error
        _running.append(process)
        ours.settimeout(self.timeout)
        self.sock = ours

    def getresponse(self) -> Any:
        """The answer; UnavailableError with what ssh said where there is none."""
        try:
            return super().getresponse()
        except (ConnectionError, HTTPException) as error:
            self._said.seek(0)
            said = self._said.read().decode("utf-8", "replace").strip().splitlines()
            why = printable(said[-1])[:300] if said else "the connection ended"
            hint = f"this must work without a question: {shlex.join([*self._command[:-2], 'version'])}"
            raise UnavailableError(f"the engine behind ssh does not answer: {why}", hint=hint) from error


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection
