"""uvicorn (plain, coloured, JSON), gunicorn (sync and uvicorn workers, with a worker timeout) and Django's own server.

    PYTHONPATH=. python3 -m tests.corpus.record.web VENV
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.corpus.record import lab

REQUESTS = (
    ("/ok", None), ("/errors/404.html", None), ("/jobs", b'{"prompt": "x"}'), ("/jobs", b"{}"), ("/status/401", None),
    ("/status/402", None), ("/missing", None), ("/boom", None), ("/status/503", None), ("/ok?next=/errors/500", None),
)  # fmt: skip
PROBLEM = {401: "api.unauthorized", 402: "api.insufficient_credits", 404: "api.not_found", 422: "api.validation_error",
           403: ["api.unauthorized", None], 400: "api.validation_error", 500: "api.server_error", 503: "api.server_error"}  # fmt: skip
JSON_CONFIG = {
    "version": 1, "disable_existing_loggers": False,
    "formatters": {"json": {"()": "pythonjsonlogger.json.JsonFormatter", "fmt": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json"}},
    "loggers": {"uvicorn": {"handlers": ["out"], "level": "INFO", "propagate": False}},
}  # fmt: skip
CRASH = {"problem": ["api.server_error", "error.unclassified"], "exception_type": "ValueError",
         "exception_message": "no credit left for job 812"}  # fmt: skip


def ask(port: int, requests: tuple[tuple[str, bytes | None], ...]) -> None:
    for path, body in requests:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers={"Content-Type": "application/json"})
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(request, timeout=10).read()


def access(status: str) -> dict[str, Any]:
    return {"problem": PROBLEM.get(int(status)), "status_code": int(status)}


def printed(home: Path, venv: Path, command: list[str], port: int, requests: Any, **environment: str) -> str:
    out = home / "out"
    env = {**os.environ, "TZ": "UTC", "PYTHONPATH": str(home), "PYTHONUNBUFFERED": "1", "HOME": str(home), **environment}
    with lab.running([str(venv / "bin/python"), *command], out, cwd=home, env=env):
        lab.until(lambda: lab.listening(port))
        time.sleep(0.3)
        ask(port, requests)
        time.sleep(0.3)
    return lab.neutral(out.read_text(), [(str(home), "/srv/app"), (str(venv), "/opt/venv"), (f":{port}", ":8000")])


def uvicorn_records(text: str, colour: bool) -> list[dict[str, Any]]:
    rows = []
    for group in lab.cut(text, r"(?:\x1b\[\d+m)?(?:INFO|ERROR|WARNING)(?:\x1b\[0m)?: "):
        bare = re.sub(r"\x1b\[[\d;]*m", "", group[0])
        severity = bare.split(":")[0]
        hit = re.search(r'- "(?:GET|POST) \S+ HTTP/1\.1" (\d{3})', bare)
        fields = access(hit[1]) if hit else dict(CRASH) if "Exception in ASGI" in bare else {"problem": None}
        rows.append(lab.expect(group[0], len(group), fields.pop("problem"), source="app", severity_text=severity, **fields))
    return rows


def json_records(text: str) -> list[dict[str, Any]]:
    rows = []
    for line in text.splitlines():
        row = json.loads(line)
        hit = re.search(r'- "(?:GET|POST) \S+ HTTP/1\.1" (\d{3})', row["message"])
        fields = access(hit[1]) if hit else dict(CRASH) if "Exception in ASGI" in row["message"] else {"problem": None}
        rows.append(lab.expect(line, 1, fields.pop("problem"), source="app", severity_text=row["levelname"], **fields))
    return rows


def gunicorn_records(text: str) -> list[dict[str, Any]]:
    starts = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000\] \[\d+\] \[(?P<sev>\w+)\] |127\.0\.0\.1(?::\d+)? - (?:- \[)?|(?:Internal Server Error|Forbidden|Not Found)[ :]"
    rows = []
    for group in lab.cut(text, starts):
        match = re.match(starts, group[0])
        assert match, group[0]
        hit = re.search(r'" (\d{3})(?: |$)', group[0])
        fields: dict[str, Any]
        if group[0].startswith("Internal Server Error"):
            fields = dict(CRASH)
        elif group[0].startswith(("Forbidden", "Not Found")):
            fields = {"problem": lab.ANY}
        elif match["sev"]:
            fields = {"severity_text": match["sev"], "problem": None, "process_id": group[0].split("] [")[1]}
            if "WORKER TIMEOUT" in group[0]:
                fields["problem"] = ["process.crash", "api.slow_response", "api.server_error", "error.unclassified", "task.worker_lost"]
            elif "Error handling request" in group[0] or "Exception in ASGI" in group[0]:
                fields.update(CRASH if "/slow" not in group[0] else {"problem": lab.ANY})
            elif match["sev"] == "ERROR":
                fields["problem"] = lab.ANY
        else:
            fields = access(hit[1]) if hit else {"problem": lab.ANY}
        rows.append(lab.expect(group[0], len(group), fields.pop("problem"), source="app", **fields))
    return rows


def django_records(text: str) -> list[dict[str, Any]]:
    """Django's console handler prints bare messages; runserver's own handler adds `[date]` to its access lines."""
    rows = []
    for group in lab.cut(text, r"(?:\[\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d\] |Internal Server Error: |Not Found: |Forbidden|\"|Watching|WARNING)"):
        hit = re.search(r'" (\d{3}) \d+', group[0])
        fields: dict[str, Any] = access(hit[1]) if hit else {"problem": lab.ANY}
        if group[0].startswith("Internal Server Error"):
            fields = dict(CRASH)
        if not hit and not group[0].startswith("Internal"):
            fields = {"problem": lab.ANY}
        rows.append(lab.expect(group[0], len(group), fields.pop("problem"), any_cut=not hit or None, **fields))
    return rows


def main() -> None:
    venv, home = Path(sys.argv[1]), Path(tempfile.mkdtemp(prefix="corpus-web-"))
    try:
        shutil.copy(Path(__file__).with_name("web_app.py"), home / "main.py")
        (home / "log.json").write_text(json.dumps(JSON_CONFIG))
        for name, extra in (("uvicorn", ()), ("uvicorn_colour", ("--use-colors",)), ("uvicorn_json", ("--log-config", "log.json"))):
            port = lab.free_port()
            text = printed(home, venv, ["-m", "uvicorn", "main:app", "--port", str(port), *extra], port, REQUESTS)
            lab.save(f"web/{name}", text, json_records(text) if "json" in name else uvicorn_records(text, bool(extra)))
        for name, worker in (("gunicorn_uvicorn", ["-k", "uvicorn.workers.UvicornWorker"]), ("gunicorn_timeout", ["-k", "uvicorn.workers.UvicornWorker", "-t", "2"])):
            port = lab.free_port()
            command = ["-m", "gunicorn", "main:app", "-b", f"127.0.0.1:{port}", "--access-logfile", "-", *worker]
            asked = REQUESTS if "timeout" not in name else (("/ok", None), ("/slow", None), ("/ok", None))
            try:
                text = printed(home, venv, command, port, asked)
                lab.save(f"web/{name}", text, gunicorn_records(text))
            except SystemExit as error:
                print(name, error)
        port = lab.free_port()
        plain = (("/ok", None), ("/boom", None), ("/missing", None), ("/denied", None))
        command = ["-m", "gunicorn", "main:application", "-b", f"127.0.0.1:{port}", "--access-logfile", "-"]
        text = printed(home, venv, command, port, plain, FRAMEWORK="django", SERVER="gunicorn")
        lab.save("web/gunicorn_django", text, gunicorn_records(text))
        port = lab.free_port()
        text = printed(home, venv, ["main.py", f"127.0.0.1:{port}"], port, plain, FRAMEWORK="django")
        lab.save("web/django_runserver", text, django_records(text))
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
