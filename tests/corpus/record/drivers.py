"""Exceptions of SQLAlchemy, database drivers, redis-py, HTTP clients, openai and pydantic as the libraries print them.

    PYTHONPATH=. python3 -m tests.corpus.record.drivers NAME VENV      (NAME: of the recording, such as `new` or `old`)
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.corpus.record import lab

APP = Path(__file__).with_name("drivers_app.py")
HEAD = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ERROR "


def main() -> None:
    name, venv = sys.argv[1], Path(sys.argv[2]).resolve()
    done = subprocess.run(
        [str(venv / "bin/python"), "-P", str(APP)], capture_output=True, text=True, timeout=120, check=True,
        env={"TZ": "UTC", "HOME": "/nonexistent", "PATH": os.defpath},
    )  # fmt: skip
    facts = [line.split("\t") for line in done.stderr.splitlines() if line.count("\t") == 2]
    text = lab.neutral(done.stdout, [(str(APP), "/srv/app/services/ai.py"), (str(venv), "/opt/venv"), (str((venv / "bin/python").resolve().parents[1]), "/usr/local")])
    # Of long runs of one library's frames the first and the last stay: the others say nothing that is tested.
    frame = r"  File \"/opt/venv/lib/python[\d.]+/site-packages/(?:{})/.*\n(?:    .*\n)*"
    for library in ("openai", "httpx", "httpcore", "urllib3", "requests", "sqlalchemy"):
        one = frame.format(library)
        text = re.sub(rf"(^{one})(?:{one})+({one})", r"\1\2", text, flags=re.M)
    groups = lab.cut(text, HEAD)
    rows = []
    for group, (case, problem, kind) in zip(groups, facts, strict=True):
        message = f"{case} failed"
        if not group[0].endswith(message):
            raise SystemExit(f"{group[0]} is not {message}")
        kind = kind.removeprefix("builtins.")
        rows.append(lab.expect(group[0], len(group), problem, source="app", severity_text="ERROR", message=message, exception_type=kind))
    lab.save(f"drivers/{name}", text, rows)


if __name__ == "__main__":
    main()
