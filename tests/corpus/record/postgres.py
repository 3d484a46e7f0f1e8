"""Postgres under several prefixes, formats and languages, each with its own second log in JSON as the truth.

`log_destination = 'stderr,jsonlog'` lets the server itself say what each record is (pid, severity, SQLSTATE), so the
expectations of the text log are the server's, joined by process id in order. Needs Postgres 15, psycopg2, locales-all.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from tests.corpus.record import lab

BIN = Path(os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin"))
CONTINUED = "DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION|BACKTRACE"
CONTINUED += "|TIPP|ZUSAMMENHANG|ANWEISUNG|ANFRAGE|ORT|详细信息|提示|上下文|语句|查询|位置"
BY_STATE = {
    "40P01": "db.deadlock", "55P03": "db.lock_timeout", "53300": "db.too_many_connections",
    "28P01": "db.auth_failed", "53100": "db.disk_full", "57P01": ["db.connection_lost", "db.error"],
    "25P03": ["db.connection_lost", "db.error", "db.statement_timeout", "db.lock_timeout"],
    "57P02": ["db.connection_lost", "process.crash", None], "57P03": ["db.connection_lost", "process.crash", "db.error", None],
    "3D000": ["db.error", "db.auth_failed"],
}  # fmt: skip
ERRORS = {"ERROR", "FATAL", "PANIC", "FEHLER", "错误", "致命错误"}


@dataclass(frozen=True)
class Setup:
    """One configuration and how its records begin: groups `pid` (or `rest`) and `sev`."""

    name: str
    prefix: str
    starts: str
    settings: dict[str, str] = field(default_factory=dict)
    full: bool = False
    messages: str = "C"


SEV = r"(?P<sev>[^\s:：]+)[:：]  ?"
SETUPS = (
    Setup("default", "%m [%p] ", r"\d{4}-\S+ \S+ UTC \[(?P<pid>\d+)\] ", full=True),
    Setup("pgbadger", "%t [%p]: user=%u,db=%d,app=%a,client=%h ", r"\d{4}-\S+ \S+ UTC \[(?P<pid>\d+)\]: user=\S* "),
    Setup("debian_shanghai", "%m [%p] %q%u@%d ", r"\d{4}-\S+ \S+ CST \[(?P<pid>\d+)\] (?:\w+@\w+ )?", {"log_timezone": "Asia/Shanghai"}),
    Setup("rds", "%t:%r:%u@%d:[%p]:", r"\d{4}-\S+ \S+ UTC:\S*:\S*@\S*:\[(?P<pid>\d+)\]:"),
    Setup("session_line", "%t [%p-%l] %q%u@%d ", r"\d{4}-\S+ \S+ UTC \[(?P<pid>\d+)-\d+\] (?:\w+@\w+ )?"),
    Setup("cloudsql", "%m [%p]: [%l-1] db=%d,user=%u ", r"\d{4}-\S+ \S+ UTC \[(?P<pid>\d+)\]: \[\d+-1\] db=\S* "),
    Setup("sqlstate", "%m [%p] %e ", r"\d{4}-\S+ \S+ UTC \[(?P<pid>\d+)\] \w{5} "),
    Setup("epoch", "%n [%p] %u@%d ", r"\d{10}\.\d{3} \[(?P<pid>\d+)\] \S*@\S* "),
    Setup("redhat", "< %m >", r"< \d{4}-\S+ \S+ UTC >", {}),
    Setup("chinese", "%m [%p] ", r"\d{4}-\S+ \S+ UTC \[(?P<pid>\d+)\] ", messages="zh_CN.utf8"),
    Setup("german", "%m [%p] %q%u@%d ", r"\d{4}-\S+ \S+ UTC \[(?P<pid>\d+)\] (?:\w+@\w+ )?", messages="de_DE.utf8"),
)  # fmt: skip
COMMON = {
    "listen_addresses": "127.0.0.1", "max_connections": "12", "superuser_reserved_connections": "2", "fsync": "off",
    "deadlock_timeout": "150ms", "log_lock_waits": "on", "log_min_duration_statement": "100ms",
    "log_checkpoints": "on", "log_temp_files": "0", "log_timezone": "UTC", "unix_socket_directories": "",
    "max_wal_size": "40MB", "autovacuum": "off",
}  # fmt: skip


class Server:
    """A private cluster on a loopback port, stopped by its own pid file."""

    def __init__(self, home: Path, settings: dict[str, str]) -> None:
        self.home, self.port = home, lab.free_port()
        (home / "data" / "postgresql.auto.conf").write_text(
            "".join(f"{key} = '{value}'\n" for key, value in {**COMMON, **settings}.items())
        )

    def run(self, *arguments: str) -> None:
        command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", str(BIN / arguments[0])]
        subprocess.run([*command, *arguments[1:]], check=True, cwd=self.home, stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def started(self) -> Iterator[Server]:
        data = str(self.home / "data")
        self.run("pg_ctl", "-D", data, "-o", f"-p {self.port}", "-l", str(self.home / "start.log"), "-w", "start")
        try:
            yield self
        finally:
            self.run("pg_ctl", "-D", data, "-m", "fast", "-w", "stop")

    def connect(self, **options: Any) -> Any:
        known = {"user": "postgres", "dbname": "postgres", "host": "127.0.0.1", "port": self.port}
        connection = psycopg2.connect(**{**known, "application_name": "api", **options})
        connection.autocommit = True
        return connection


@contextlib.contextmanager
def cluster() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="corpus-pg-"))
    shutil.chown(home, "postgres", "postgres")
    try:
        base = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", str(BIN / "initdb")]
        options = ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-D", str(home / "data")]
        subprocess.run([*base, *options], check=True, stdout=subprocess.DEVNULL, cwd=home)
        (home / "data" / "pg_hba.conf").write_text(
            "host all locked 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"
        )
        yield home
    finally:
        shutil.rmtree(home)


def failing(connection: Any, sql: str) -> None:
    with contextlib.suppress(psycopg2.Error), connection.cursor() as cursor:
        cursor.execute(sql)


def deadlock(server: Server) -> None:
    """Two transactions take two rows in opposite order."""
    gate = threading.Barrier(2)

    def one(first: int, second: int) -> None:
        connection = server.connect(application_name=f"worker-{first}")
        failing(connection, f"BEGIN; UPDATE ai_jobs SET status = 'running' WHERE id = {first}")
        gate.wait()
        failing(connection, f"UPDATE ai_jobs SET status = 'running',\n  credits = credits - 1\n WHERE id = {second}")
        failing(connection, "ROLLBACK")
        connection.close()

    threads = [threading.Thread(target=one, args=pair) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def lock_wait(server: Server) -> None:
    holder, waiter = server.connect(), server.connect()
    failing(holder, "BEGIN; UPDATE ai_jobs SET status = 'held' WHERE id = 1")
    thread = threading.Thread(target=failing, args=(waiter, "UPDATE ai_jobs SET status = 'late' WHERE id = 1"))
    thread.start()
    time.sleep(0.4)
    failing(holder, "COMMIT")
    thread.join()
    failing(holder, "BEGIN; LOCK TABLE ai_jobs")
    failing(waiter, "SET lock_timeout = '50ms'; SELECT count(*) FROM ai_jobs")
    failing(holder, "COMMIT")
    holder.close()
    waiter.close()


def workload(server: Server, full: bool) -> None:
    """What the recorder makes happen; the short form has one of each kind that a prefix could hide."""
    connection = server.connect()
    failing(connection, "CREATE TABLE ai_jobs (id int PRIMARY KEY, status text, credits int NOT NULL DEFAULT 9)")
    failing(connection, "INSERT INTO ai_jobs VALUES (1, 'new'), (2, 'new')")
    failing(connection, "INSERT INTO ai_jobs VALUES (1, 'again')")
    failing(connection, "SELECT 1 / 0")
    failing(connection, "SELECT pg_sleep(1.02) /* deadlock detected, says a user */")
    deadlock(server)
    with contextlib.suppress(psycopg2.Error):
        server.connect(user="locked", password="wrong")
    if full:
        lock_wait(server)
        rare(server, connection)
    connection.close()


def rare(server: Server, connection: Any) -> None:
    failing(connection, "SELECT\n\tno_such_column\n\nFROM ai_jobs")
    failing(connection, "INSERT INTO ai_jobs (id, credits) VALUES (9, NULL)")
    failing(connection, "SET statement_timeout = '120ms'; SELECT pg_sleep(5)")
    failing(connection, "RESET statement_timeout")
    failing(connection, "SET work_mem = '64kB'; SELECT count(*) FROM (SELECT generate_series(1, 90000) g ORDER BY 1 DESC) t")
    failing(connection, "DO $$ BEGIN RAISE WARNING 'stock is low: errors 0'; RAISE EXCEPTION 'no credit left' USING ERRCODE = 'P0001', HINT = 'top up'; END $$")
    failing(connection, "CHECKPOINT")
    idle = server.connect()
    failing(idle, "SET idle_in_transaction_session_timeout = '50ms'; BEGIN; SELECT 1")
    time.sleep(0.2)
    victim = server.connect()
    failing(connection, f"SELECT pg_terminate_backend({victim.get_backend_pid()})")
    with contextlib.suppress(psycopg2.Error):
        server.connect(dbname="missing")
    with contextlib.suppress(psycopg2.Error):
        server.connect(user="nobody_here")
    crowd = []
    with contextlib.suppress(psycopg2.Error):
        for _ in range(14):
            crowd.append(server.connect())
    for one in crowd:
        one.close()
    time.sleep(0.2)


def problem_of(row: dict[str, Any]) -> Any:
    """The problem, from the server's own class and what the workload did; LOG records by their message."""
    state, message = row.get("state_code", "00000"), row["message"]
    if re.search(r"still waiting for|wartet immer noch|仍在等待|still waits", message):
        return "db.lock_timeout"
    if re.search(r"acquired \w+Lock|detected deadlock while|avoided deadlock|nach \d+\.\d+ ms|在.*毫秒后|temporary file", message):
        return lab.ANY
    if duration := re.search(r"^(?:duration|Dauer|执行时间)[:：] ?(\d+\.\d+)", message):
        return "db.slow_query" if float(duration[1]) >= 1000 else ["db.slow_query", None]
    if "terminated by signal" in message:
        return ["process.crash", "memory.out_of_memory"]
    if row["error_severity"] not in ERRORS:
        return lab.ANY if state == "57P02" else None
    if state in BY_STATE:
        return BY_STATE[state]
    if state == "57014":
        return "db.statement_timeout"
    if state == "28000":
        return ["db.auth_failed", "db.error"]
    return "db.constraint_violation" if state.startswith("23") else "db.error"


def fields_of(row: dict[str, Any]) -> dict[str, Any]:
    message = row["message"]
    duration = re.search(r"^duration: (\d+\.\d+) ms", message)
    return {
        "severity_text": row["error_severity"],
        "source": "postgres",
        "message": message.split("\n")[0] if "\n" not in message and len(message) < 120 else None,
        "duration_ms": float(duration[1]) if duration else None,
    }


def sqlstate_of(state: str | None) -> dict[str, str]:
    """Stated only where it is a class of failure."""
    return {"sqlstate": state} if state and state != "00000" else {}


def text_records(text: str, setup: Setup, truth: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The text log's records, each joined with the server's JSON record of the same process and rank."""
    queues: dict[str, list[dict[str, Any]]] = defaultdict(list)
    by_pid = "(?P<pid>" in setup.starts
    for row in truth:
        queues[str(row["pid"]) if by_pid else ""].append(row)
    records: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    current: dict[str, Any] | None = None
    starts, continued = re.compile(setup.starts), re.compile(rf"(?:{CONTINUED})[:：] ")
    for line in text.removesuffix("\n").split("\n"):
        match = starts.match(line)
        if not match:
            assert current is not None, line
            current["lines"] += 1
            continue
        pid = match.group("pid") if by_pid else ""
        if continued.match(line[match.end() :]):
            current = last[pid]
            current["lines"] += 1
            continue
        row = queues[pid].pop(0)
        assert row["message"].split("\n")[0].strip() in line, (line, row)
        current = lab.expect(line, 1, problem_of(row), **fields_of(row), process_id=pid or None)
        if setup.name == "sqlstate":
            current.update(sqlstate_of(row.get("state_code")))
        last[pid] = current
        records.append(current)
    left = [row for queue in queues.values() for row in queue]
    assert not left, left[:2]
    return records


def json_records(text: str) -> list[dict[str, Any]]:
    rows = []
    for line in text.splitlines():
        row = json.loads(line)
        rows.append(lab.expect(line, 1, problem_of(row), **fields_of(row), process_id=str(row["pid"]), **sqlstate_of(row.get("state_code"))))
    return rows


def csv_records(text: str, truth: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """csvlog rows: a newline inside quotes is not an end; joined with the JSON log in order per process."""
    import csv
    import io

    queues: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in truth:
        queues[str(row["pid"])].append(row)
    lines, at, rows = text.split("\n"), 0, []
    reader = csv.reader(io.StringIO(text))
    for fields in reader:
        row = queues[fields[3]].pop(0)
        count = reader.line_num - at
        rows.append(lab.expect(lines[at], count, problem_of(row), **fields_of(row), process_id=fields[3], **sqlstate_of(fields[12])))
        at = reader.line_num
    return rows


def collected(home: Path, kind: str) -> str:
    return "".join(path.read_text() for path in sorted((home / "data" / "log").glob(f"*.{kind}")))


def record(setup: Setup) -> None:
    with cluster() as home:
        settings = {"logging_collector": "on", "log_destination": "stderr,jsonlog,csvlog", "log_filename": "s.log",
                    "log_line_prefix": setup.prefix, "lc_messages": setup.messages, "log_connections": "on", **setup.settings}  # fmt: skip
        server = Server(home, settings)
        with server.started():
            workload(server, setup.full)
        shown = [(str(home), "/var/lib/postgresql"), (str(server.port), "5432")]
        logs = {kind: lab.neutral(collected(home, kind), shown) for kind in ("log", "json", "csv")}
        truth = [json.loads(line) for line in logs["json"].splitlines()]
        lab.save(f"postgres/{setup.name}", logs["log"], text_records(logs["log"], setup, truth))
        if setup.full:
            lab.save("postgres/jsonlog", logs["json"], json_records(logs["json"]))
            lab.save("postgres/csvlog", logs["csv"], csv_records(logs["csv"], truth))


def record_explain_and_crash() -> None:
    """auto_explain, bound parameters, statement logging with hostile text, and a backend killed by signal 9."""
    setup = Setup("explain_crash", "%m [%p] ", r"\d{4}-\S+ \S+ UTC \[(?P<pid>\d+)\] ")
    with cluster() as home:
        server = Server(home, {"logging_collector": "on", "log_destination": "stderr,jsonlog", "log_filename": "s.log",
            "log_line_prefix": setup.prefix, "session_preload_libraries": "auto_explain", "log_duration": "off",
            "auto_explain.log_min_duration": "100ms", "auto_explain.log_analyze": "on", "log_min_duration_statement": "100ms",
            "log_statement": "mod", "restart_after_crash": "on", "lc_messages": "C"})  # fmt: skip
        with server.started():
            connection = server.connect()
            failing(connection, "CREATE TABLE notes (id int, body text)")
            failing(connection, "INSERT INTO notes VALUES (1, 'ERROR:  deadlock detected\nFATAL:  sorry, too many clients already')")
            failing(connection, "SELECT pg_sleep(1.05), 'ERROR:  deadlock detected' AS body FROM notes WHERE id = 1")
            victim = server.connect()
            os.kill(victim.get_backend_pid(), 9)
            lab.until(lambda: "ready to accept" in collected(home, "log").split("signal 9")[-1])
            with contextlib.suppress(psycopg2.Error):
                victim.close()
        shown = [(str(home), "/var/lib/postgresql"), (str(server.port), "5432")]
        text, rows = (lab.neutral(collected(home, kind), shown) for kind in ("log", "json"))
        lab.save("postgres/explain_crash", text, text_records(text, setup, [json.loads(line) for line in rows.splitlines()]))


def record_syslog() -> None:
    """The server's own syslog messages, received on /dev/log and written as rsyslog writes them (tab as #011)."""
    path = Path("/dev/log")
    if path.exists():
        print("postgres/syslog: skipped, a syslog daemon is running here")
        return
    packets: list[bytes] = []
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(path))
    path.chmod(0o666)
    receiver.settimeout(0.5)
    done = threading.Event()

    def receive() -> None:
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                packets.append(receiver.recv(65536))

    thread = threading.Thread(target=receive)
    thread.start()
    try:
        with cluster() as home:
            server = Server(home, {"log_destination": "syslog", "log_line_prefix": "[%p] %q%u@%d ", "lc_messages": "C"})
            with server.started():
                workload(server, False)
            time.sleep(0.7)
            shown = [(str(home), "/var/lib/postgresql"), (str(server.port), "5432")]
    finally:
        done.set()
        thread.join()
        receiver.close()
        path.unlink()
    lines = []
    for packet in packets:
        text = re.sub(r"^<\d+>(\w+ +\d+ [\d:]+) ", r"\1 db-1 ", packet.decode().rstrip("\0\n"))
        lines.append(text.replace("\t", "#011"))
    text = lab.neutral("\n".join(lines) + "\n", shown)
    lab.save("postgres/syslog", text, syslog_records(text))


def syslog_records(text: str) -> list[dict[str, Any]]:
    """Pieces `[n-1]`, `[n-2]`… of one message; DETAIL and the like are messages of their own in syslog's numbering."""
    head = re.compile(r"\w+ +\d+ [\d:]+ db-1 postgres\[(\d+)\]: \[(\d+)-(\d+)\] (?:\[\d+\] (?:\w+@\w+ )?(\w+):  (.*))?")
    records: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    for line in text.removesuffix("\n").split("\n"):
        match = head.match(line)
        assert match, line
        pid, _, piece, severity, message = match.groups()
        if piece != "1" or re.fullmatch(CONTINUED, severity or ""):
            last[pid]["lines"] += 1
            continue
        guess = {"deadlock detected": "40P01", "duplicate key": "23505", "division by zero": "22012", "password auth": "28P01"}
        state = next((code for words, code in guess.items() if message.startswith(words)), "00000")
        row = {"error_severity": severity, "message": message, "state_code": state}
        last[pid] = lab.expect(line, 1, problem_of(row), **fields_of(row), process_id=pid)
        records.append(last[pid])
    return records


def main() -> None:
    for setup in SETUPS:
        record(setup)
    record_explain_and_crash()
    record_syslog()


if __name__ == "__main__":
    main()
