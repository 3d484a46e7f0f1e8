"""nginx before a dead, a slow, a rude and a healthy upstream, with limits, and with a worker killed.

    PYTHONPATH=. python3 -m tests.corpus.record.nginx
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.corpus.record import lab

CONFIG = """
daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error notice; user root;
events {{ worker_connections 64; }}
http {{
  access_log {home}/access combined;
  client_body_temp_path {home}/t1; proxy_temp_path {home}/t2; fastcgi_temp_path {home}/t3; uwsgi_temp_path {home}/t4; scgi_temp_path {home}/t5;
  limit_req_zone $server_name zone=one:1m rate=1r/m; client_max_body_size 1k;
  upstream down {{ server 127.0.0.1:1 max_fails=1 fail_timeout=60s; server 127.0.0.1:2 max_fails=1 fail_timeout=60s; }}
  server {{
    listen 127.0.0.1:{port}; server_name api.jointo.cn; root {home}/html;
    location /dead {{ proxy_pass http://127.0.0.1:1; }}
    location /down {{ proxy_pass http://down; }}
    location /slow {{ proxy_pass http://127.0.0.1:{upstream}; proxy_read_timeout 1s; }}
    location /rude {{ proxy_pass http://127.0.0.1:{upstream}; }}
    location /closed {{ proxy_pass http://127.0.0.1:{upstream}; }}
    location /limited {{ limit_req zone=one; return 200 "ok"; }}
    location /errors {{ return 200 "no deadlock detected, no upstream timed out"; }}
    location /forbidden {{ deny all; }}
  }}
}}
"""
REQUESTS = ("/errors/404.html?q=upstream+timed+out", "/dead/api", "/down/api", "/down/api", "/slow/api", "/rude/api", "/closed/api",
            "/limited", "/limited", "/missing.html", "/forbidden/x", "/big")  # fmt: skip
ERRORS: tuple[tuple[str, Any], ...] = (
    (r"upstream timed out", "api.slow_response"),
    (r"connect\(\) failed|no live upstreams|prematurely closed|recv\(\) failed", "api.server_error"),
    (r"exited on signal", "process.crash"),
    (r"limiting requests|failed \(2:|forbidden by rule|too large body", lab.ANY),
    (r".", None),
)


def upstream(listener: socket.socket) -> None:
    """Answers nothing, closes, or resets, as the path asks."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        path = client.recv(4096).split(b" ")[1]
        if path.startswith(b"/slow"):
            threading.Timer(3, client.close).start()
            continue
        if path.startswith(b"/rude"):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        home, port = Path(name), lab.free_port()
        (home / "html").mkdir()
        (home / "conf").write_text(CONFIG.format(home=home, port=port, upstream=listener.getsockname()[1]))
        threading.Thread(target=upstream, args=(listener,), daemon=True).start()
        with lab.running(["nginx", "-c", str(home / "conf"), "-e", str(home / "error")], home / "out", cwd=home, env={**os.environ, "TZ": "UTC"}):
            lab.until(lambda: lab.listening(port))
            for path in REQUESTS:
                body = b"x" * 4096 if path == "/big" else None
                request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers={"Host": "api.jointo.cn"})
                with contextlib.suppress(urllib.error.URLError, OSError):
                    urllib.request.urlopen(request, timeout=10).read()
            master = (home / "pid").read_text().strip()
            worker = subprocess.run(["pgrep", "-P", master], capture_output=True, text=True, check=True).stdout.split()[0]
            os.kill(int(worker), signal.SIGKILL)
            time.sleep(0.5)
        folders = [(str(home), "/etc/nginx"), (f":{port}", ":8080"), (f":{listener.getsockname()[1]}", ":8000")]
        errors, access = (lab.neutral((home / part).read_text(), folders) for part in ("error", "access"))
    lab.save("nginx/error", errors, [error(line) for line in errors.splitlines()])
    lab.save("nginx/access", access, [visit(line) for line in access.splitlines()])


def error(line: str) -> dict[str, Any]:
    severity = re.findall(r"\[(\w+)\]", line)[0]
    problem = next(problem for regex, problem in ERRORS if re.search(regex, line))
    return lab.expect(line, 1, problem, source="nginx", severity_text=severity, message=re.sub(r"^.*?#\d+: (?:\*\d+ )?", "", line))


def visit(line: str) -> dict[str, Any]:
    status = int(re.findall(r'" (\d{3}) ', line)[0])
    problem = "api.server_error" if status >= 500 else "api.not_found" if status == 404 else lab.ANY if status >= 400 else None
    return lab.expect(line, 1, problem, source="nginx", status_code=status)


if __name__ == "__main__":
    main()
