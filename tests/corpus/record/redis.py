"""Redis that starts, saves, fails to save, refuses a client, loads, meets a broken dump, and is shut down.

    PYTHONPATH=. python3 -m tests.corpus.record.redis
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.corpus.record import lab

HEAD = r"^\d+:(?:[XCSM] \d\d \w{3} \d{4} [\d:.]+ (?P<level>[.*#\-]) |signal-handler )"
FACTS: tuple[tuple[str, Any], ...] = (
    (r"Failed opening the temp RDB file|Background saving error|Failed opening the RDB file", "redis.error"),
    (r"Possible SECURITY ATTACK", "redis.error"),
    (r"MASTER aborted replication|Error condition on socket for SYNC", "redis.error"),
    (r"Wrong signature trying to load DB|Fatal error loading the DB", ["redis.error", "process.crash"]),
)


def ask(port: int, *lines: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall("".join(f"{line}\r\n" for line in lines).encode())
        time.sleep(0.5)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        home, port = Path(name), lab.free_port()
        (home / "data").mkdir()
        command = ["redis-server", "--port", str(port), "--dir", str(home / "data"), "--save", "900 1"]
        with lab.running(command, home / "out", cwd=home, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}):
            lab.until(lambda: lab.listening(port))
            ask(port, "SET a 1", "BGSAVE")
            shutil.rmtree(home / "data")
            ask(port, "SET a 2", "BGSAVE")
            ask(port, "POST / HTTP/1.1", "Host: x")
            ask(port, "REPLICAOF 127.0.0.1 1")
            time.sleep(1.5)
            ask(port, "REPLICAOF NO ONE", "CONFIG SET maxmemory 1gb", "SHUTDOWN NOSAVE")
        first = (home / "out").read_text()
        (home / "data").mkdir()
        (home / "data" / "dump.rdb").write_bytes(b"no dump at all")
        subprocess.run(command, stdout=(home / "out").open("w"), cwd=home, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"}, timeout=20, check=False)
        text = (first + (home / "out").read_text()).replace(str(home), "/srv").replace(str(port), "6379")
    # The logo of a start is drawn below its first line and has no head.
    lines = [line for line in text.splitlines() if line[:1].isdigit()]
    plain = "".join(f"{line}\n" for line in lines)
    lab.save("redis/server", plain, lab.stated(plain, HEAD, "redis", "level", FACTS))


if __name__ == "__main__":
    main()
