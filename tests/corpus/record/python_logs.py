"""The usual layouts of Python's logging, loguru, structlog, python-json-logger and ECS, one story through each.

    PYTHONPATH=. python3 -m tests.corpus.record.python_logs VENV
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.corpus.record import lab

DATE = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d"
SEV = r"(?P<sev>DEBUG|INFO|WARNING|ERROR|CRITICAL)"
STARTS = {
    "basic": SEV + r":app\.",
    "dated": DATE + r",\d{3} - [\w.]+ - " + SEV + " - ",
    "level_first": DATE + r",\d{3} " + SEV + r" ",
    "level_padded": DATE + r",\d{3} \[" + SEV + r" *\] ",
    "pid_place": DATE + r",\d{3} \[\d+\] " + SEV + r" ",
    "pipes": DATE + r"\.\d{3} \| " + SEV + r" \| ",
    "brackets": r"\[" + DATE + r",\d{3}\] \[" + SEV + r"\] ",
    "django_verbose": SEV + " " + DATE + r",\d{3} \w+ \d+ \d+ ",
    "zoned": DATE + r"\+0000 " + SEV + r" ",
    "loguru": DATE + r"\.\d{3} \| " + SEV + r" +\| ",
    "loguru_colour": r"\x1b\[32m" + DATE + r"\.\d{3}\x1b\[0m \| (?:\x1b\[[\d;]+m)*" + SEV + r" *",
    "structlog_console": DATE + r"\.\d+Z \[(?P<sev>\w+) *\] ",
    "structlog_console_colour": r"\x1b\[2m" + DATE + r"\.\d+Z\x1b\[0m \[\x1b\S*?m(?P<sev>[a-z]+) *",
}
JSON_LAYOUTS = ("loguru_json", "structlog_json", "json_logger", "ecs")
# The story's records in order: severity, problem, fields. The program is `python_app.story`.
STORY: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("INFO", None, {"message": "worker ready, errors: 0, retries: 0"}),
    ("DEBUG", None, {"message": "cache hit key=job:812 ttl=30"}),
    ("WARNING", None, {"message": "credit low for user 42"}),
    ("INFO", None, {"message": 'user 42 wrote: "what does deadlock detected mean?"'}),
    ("ERROR", "provider.model_unavailable", {"message": "AIHubMix API Error: Model not found or not available"}),
    ("ERROR", "error.unclassified", {"message": "generation failed", "exception_type": "ValueError",
                                     "exception_message": "no credit left for job 812"}),
    ("INFO", None, {}),
    ("ERROR", "provider.rate_limited", {"message": "provider refused", "exception_type": "RuntimeError"}),
    ("CRITICAL", "error.unclassified", {"message": "shutting down"}),
)  # fmt: skip
HARD: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("ERROR", lab.ANY, {"message": "batch 7 failed", "exception_type": "ExceptionGroup"}),
    ("ERROR", "error.unclassified", {"message": "plugin does not load", "exception_type": "SyntaxError"}),
    ("ERROR", "error.unclassified", {"message": "no message", "exception_type": "NotImplementedError"}),
    ("ERROR", lab.ANY, {"message": "while handling", "exception_type": "KeyError"}),
    ("ERROR", "error.unclassified", {"exception_type": "ValueError"}),
    ("ERROR", "error.unclassified", {"message": "repeated frames", "exception_type": "ZeroDivisionError"}),
    ("INFO", None, {"message": "done"}),
)


def printed(venv: Path, layout: str) -> str:
    home = Path(tempfile.mkdtemp(prefix="corpus-py-"))
    try:
        shutil.copy(Path(__file__).with_name("python_app.py"), home / "main.py")
        environment = {**os.environ, "LAYOUT": layout, "TZ": "UTC", "FORCE_COLOR": "1", "COLUMNS": "120"}
        run = subprocess.run([str(venv / "bin/python"), str(home / "main.py")], env=environment, stderr=subprocess.PIPE, check=False)
        return lab.neutral(run.stderr.decode(), [(str(home), "/srv/app"), (str(venv), "/opt/venv")])
    finally:
        shutil.rmtree(home)


def rows(groups: list[list[str]], told: tuple[tuple[str, Any, dict[str, Any]], ...], lower: bool) -> list[dict[str, Any]]:
    assert len(groups) == len(told), (len(groups), len(told), [g[0] for g in groups])
    return [
        lab.expect(group[0], len(group), problem, source="app", severity_text=severity.lower() if lower else severity, **fields)
        for group, (severity, problem, fields) in zip(groups, told, strict=True)
    ]


def main() -> None:
    venv = Path(sys.argv[1])
    for layout, starts in STARTS.items():
        text = printed(venv, layout)
        groups = lab.cut(text, starts)
        lab.save(f"python/{layout}", text, rows(groups, STORY, layout.startswith("structlog")))
    for layout in JSON_LAYOUTS:
        text = printed(venv, layout)
        groups = [[line] for line in text.splitlines()]
        assert all(json.loads(line) for line in text.splitlines())
        lab.save(f"python/{layout}", text, rows(groups, STORY, layout in ("structlog_json", "ecs")))
    for layout in ("level_first", "basic"):
        text = printed(venv, f"hard_{layout}")
        dated, _, bare = text.rpartition("Traceback (most recent call last):\n")
        expected = rows(lab.cut(dated, STARTS[layout]), HARD, False)
        last = ("Traceback (most recent call last):\n" + bare).removesuffix("\n").split("\n")
        expected.append(lab.expect(last[0], len(last), ["error.unclassified", "process.crash"], exception_type="SystemError"))
        lab.save(f"python/hard_{layout}", text, expected)


if __name__ == "__main__":
    main()
