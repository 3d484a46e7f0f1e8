"""Celery workers and Beat of several versions against a real Redis, until each kind of task has gone wrong.

    PYTHONPATH=. python3 -m tests.corpus.record.celery 4.4=/venvs/celery44 5.7=/venvs/celery57
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.corpus.record import lab

UUID = r"[0-9a-f]{8}-[0-9a-f-]{27}"
STARTS = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: (?P<sev>[A-Z]+)/(?P<proc>[^\]]+)\] "
SEND = """
import capp, sys, time
from kombu import Connection
for t in (capp.ok, capp.bad, capp.logged, capp.flaky):
    t.delay(1)
capp.expected.delay(); capp.ignored.delay(); capp.rejected.delay(); capp.fork_noise.delay()
capp.app.send_task("capp.unknown", args=[1])
time.sleep(3)
r = capp.ok.apply_async((9,), countdown=2); capp.app.control.revoke(r.id)
capp.soft.delay(); time.sleep(2.5); capp.hard.delay(); time.sleep(3)
capp.killed.delay(); time.sleep(2.5); capp.exited.delay(); time.sleep(3)
"""
HEAD = r"\A\[[^\]]+\] "
FAILED: dict[str, Any] = {"problem": "task.failed"}


def facts(version: str) -> list[tuple[str, Any]]:
    """What each record is, known from what was sent; the first that applies counts."""
    chained = {"exception_type": "ValueError", "exception_message": "bad 1", "task_name": "capp.bad"}
    known: list[tuple[str, Any]] = [
        (HEAD + r"Task capp\.bad\[.*raised unexpected: ValueError", {**FAILED, **chained}),
        (HEAD + r"capp\.logged\[[^\]]+\]: generation 1 failed", {"problem": "provider.invalid_api_key", "exception_type": "RuntimeError"}),
        (HEAD + r"Task capp\.flaky\[.*retry: Retry in 1s", {"problem": ["task.retry", "provider.rate_limited"], "task_name": "capp.flaky"}),
        (HEAD + r"Task capp\.flaky\[.*raised unexpected", {"problem": ["task.failed", "provider.rate_limited"], "exception_type": "ConnectionError"}),
        (HEAD + r"Soft time limit \(1s\) exceeded for capp\.soft", {"problem": "task.timeout", "task_name": "capp.soft"}),
        (HEAD + r"Task capp\.soft\[.*raised unexpected: SoftTimeLimitExceeded", {"problem": ["task.timeout", "task.failed"]}),
        (HEAD + r"Hard time limit \(1s\) exceeded for capp\.hard", {"problem": "task.timeout", "task_name": "capp.hard"}),
        (HEAD + r"Task handler raised error: .*TimeLimitExceeded\(", {"problem": ["task.timeout", "task.failed"]}),
        (HEAD + r"Task handler raised error: .*WorkerLostError\(", {"problem": ["task.worker_lost", "memory.worker_leak"]}),
        (HEAD + r"Process 'ForkPoolWorker-\d+' pid:\d+ exited with", {"problem": ["task.worker_lost", "memory.worker_leak"]}),
        (HEAD + r"Received unregistered task of type 'capp\.unknown'", {"problem": ["task.failed", "task.stuck_pending"]}),
        (HEAD + r"consumer: Connection to broker lost", {"problem": "broker.connection_lost"}),
        (HEAD + r"consumer: Cannot connect to redis://", {"problem": "broker.connection_lost"}),
        (HEAD + r"Discarding revoked task|Tasks flagged as revoked", {"problem": None}),
        (HEAD + r"Task capp\.rejected\[", lab.ANY if version else None),
    ]  # fmt: skip
    return known


def worker_records(text: str, version: str) -> list[dict[str, Any]]:
    """Banner and warnings before the first dated line are records that nobody states in detail."""
    known = [fact for fact in facts(version) if re.search(fact[0].replace(r"\A", ""), text)]
    lost = {fact[0] for fact in facts(version)} - {fact[0] for fact in known}
    print(f"  celery {version}: not seen: {sorted(lost)}")
    rows = []
    for group in lab.cut(text, STARTS):
        row = lab.stated("\n".join(group) + "\n", STARTS, "celery", "sev", [])[0]
        match = re.match(STARTS, group[0])
        if not match:
            row = lab.expect(group[0], len(group), lab.ANY, any_cut=True)
        else:
            fact = next((f for regex, f in known if re.search(regex, "\n".join(group))), None)
            extra = dict(fact) if isinstance(fact, dict) else {"problem": fact}
            task = re.search(rf"(?:Task )?(capp\.\w+)\[({UUID})\]", group[0])
            if task:
                row.update(task_name=task[1], task_id=task[2])
            row["thread_name"] = None
            row.update(extra)
            if succeeded := re.search(r" succeeded in ([\d.e-]+)s: ", group[0]):
                row["duration_ms"] = round(float(succeeded[1]) * 1000, 6)
            row = {key: value for key, value in row.items() if value is not None or key == "problem"}
        rows.append(row)
    return rows


def record(version: str, venv: Path, home: Path, pool: list[str]) -> None:
    port = lab.free_port()
    environment = {**os.environ, "BROKER": f"redis://:secret@127.0.0.1:{port}/0", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(home), "TZ": "UTC"}
    celery = [str(venv / "bin/celery")]
    worker = ["-A", "capp", "worker", "-l", "info", "-n", "ai@w1", "-c", "2", *pool]
    worker = ["worker", "-A", "capp", *worker[3:]] if version.startswith("4") else worker
    beat = ["beat", "-A", "capp", "-l", "info", "-s", str(home / "schedule")]
    beat = beat if version.startswith("4") else ["-A", "capp", "beat", *beat[3:]]
    redis = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--requirepass", "secret", "--save", "", "--dir", str(home)]
    out, err, beat_err = home / "out", home / "err", home / "beat"
    options = {"cwd": home, "env": environment}
    with lab.running([*celery, *worker], out, err, **options):
        with lab.running(redis, home / "redis1", **options):
            lab.until(lambda: " ready." in err.read_text(errors="replace"), 40)
            subprocess.run([str(venv / "bin/python"), "-c", SEND], check=True, **options)
            with lab.running([*celery, *beat], home / "beat_out", beat_err, **options):
                time.sleep(4)
        time.sleep(5)
        with lab.running(redis, home / "redis2", **options):
            time.sleep(5)
    shown = [(str(venv), "/opt/venv"), (str(home), "/srv/app"), (f"127.0.0.1:{port}", "redis:6379"), (str(port), "6379")]
    text = lab.neutral(err.read_text(), shown)
    name = version.replace(".", "")
    lab.save(f"celery/worker_{name}", text, worker_records(text, version))
    text = lab.neutral(beat_err.read_text(), shown)
    lab.save(f"celery/beat_{name}", text, lab.stated(text, STARTS, "beat", "sev", []))


def main() -> None:
    for argument in sys.argv[1:]:
        version, _, venv = argument.partition("=")
        home = Path(tempfile.mkdtemp(prefix="corpus-celery-"))
        try:
            shutil.copy(Path(__file__).with_name("celery_app.py"), home / "capp.py")
            record(version, Path(venv), home, [])
        finally:
            shutil.rmtree(home)


if __name__ == "__main__":
    main()
