"""Probes on real servers in containers of a real engine; and the proof that none of them can write."""

from __future__ import annotations

import json
import pwd
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.collect_engine import Restartable, engine, until
from tests.stack import setup
from triage.collect import docker
from triage.errors import PatternError
from triage.state import doctor, probes
from triage.state.process import Process, described
from triage.state.programs import argv, environment, queues
from triage.state.snapshot import Manner, take

__all__ = ["engine"]
SHIPPED = {probe.id: probe for probe in probes.load()}
SECRET = "hunter2-of-redis"
MOUNTS = ("-v", "/usr:/usr:ro", "-v", "/etc:/etc:ro", "--network", "none")


@pytest.fixture(scope="module")
def servers(engine: Restartable) -> Restartable:
    """Postgres with a locked row and an idle transaction, and Redis with a password and a queue of three."""
    base, binaries = engine.engine.ensure_base(), setup.postgres_bin()
    engine.docker("tag", base, "postgres:test")
    engine.docker("tag", base, "registry.example:5000/library/redis:test")
    start = (
        f"mkdir /tmp/d && chown postgres /tmp/d && exec setpriv --reuid postgres --regid postgres --clear-groups sh -c '"
        f"{binaries}/initdb -D /tmp/d/data -U owner -A trust --no-sync -E UTF8 --locale=C.UTF-8 >/dev/null"
        f" && exec {binaries}/postgres -D /tmp/d/data -c unix_socket_directories=/tmp -c max_connections=20 -c fsync=off'"
    )
    env = ("-e", "PGHOST=/tmp", "-e", "POSTGRES_USER=owner", "-e", "POSTGRES_DB=postgres")
    engine.docker("run", "-d", "--name", "db", *MOUNTS, *env, "postgres:test", "sh", "-c", start)
    redis = ("redis-server", "--requirepass", SECRET, "--save", "")
    engine.docker("run", "-d", "--name", "cache", *MOUNTS, "-e", f"REDIS_PASSWORD={SECRET}",
                  "registry.example:5000/library/redis:test", *redis)  # fmt: skip
    engine.docker("tag", base, "rabbitmq:test")
    node = {
        "HOME": "/tmp", "RABBITMQ_LOGS": "-", "RABBITMQ_MNESIA_BASE": "/tmp/mnesia", "RABBITMQ_LOG_BASE": "/tmp/log",
        "RABBITMQ_ENABLED_PLUGINS_FILE": "/tmp/plugins", "RABBITMQ_PID_FILE": "/tmp/pid", "LANG": "C.UTF-8",
        "RABBITMQ_NODENAME": "rabbit@localhost", "ERL_MAX_PORTS": "4096",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
    }  # fmt: skip
    env = tuple(word for name, value in node.items() for word in ("-e", f"{name}={value}"))
    user = pwd.getpwnam("rabbitmq")
    engine.docker("run", "-d", "--name", "broker", *MOUNTS, *env, "--user", f"{user.pw_uid}:{user.pw_gid}",
                  "rabbitmq:test", "/usr/lib/rabbitmq/bin/rabbitmq-server")  # fmt: skip
    until(lambda: sql(engine, "SELECT 1") == "1", 60)
    until(lambda: "Server startup complete" in engine.engine.docker_logs("broker"), 60)
    declare = "rabbit_amqqueue:declare(rabbit_misc:r(<<\"/\">>, queue, <<\"ai_tasks\">>), true, false, [], none, <<\"t\">>)."
    engine.docker("exec", "broker", "rabbitmqctl", "eval", declare)
    until(lambda: engine.docker(*cli("PING"), check=False) == "PONG")
    return engine


def sql(servers: Restartable, text: str) -> str:
    return servers.docker("exec", "db", "psql", "-U", "owner", "-d", "postgres", "-XAtqc", text, check=False)


def cli(*words: str) -> tuple[str, ...]:
    return "exec", "-e", f"REDISCLI_AUTH={SECRET}", "cache", "redis-cli", *words


def session(script: str) -> None:
    """A session of its own in the container, in the background until the container ends."""
    api = docker.connect().client.api
    words = ["sh", "-c", f"({script}; sleep 300) | psql -U owner -d postgres -Xq"]
    api.exec_start(api.exec_create("db", words)["Id"], detach=True)


def triage(lake: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "triage", "--lake", str(lake), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.engine
def test_blocking_saturation_and_queue_are_told_in_json_and_sql(servers: Restartable, tmp_path: Path) -> None:
    sql(servers, "CREATE TABLE jobs (id int); INSERT INTO jobs VALUES (1)")
    session("echo 'BEGIN; UPDATE jobs SET id = 2;'")
    until(lambda: sql(servers, "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") == "1")
    session("echo 'UPDATE jobs SET id = 3;'")
    session("echo 'UPDATE jobs SET id = 4;'")
    until(lambda: sql(servers, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == "2")
    servers.docker(*cli("RPUSH", "celery", "a", "b", "c"))
    lake = tmp_path / "lake"
    done = triage(lake, "snapshot", "--format", "json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert SECRET not in done.stdout + done.stderr
    asked = {name for name, probe in SHIPPED.items() if probe.program != "celery" and not probe.needs}
    assert {row["probe"] for row in json.loads(done.stdout)} == asked

    def named(name: str) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = json.loads(triage(lake, "sql", "--name", name, "--format", "json").stdout)
        return rows

    chain = named("blocking_chain")
    idle = sql(servers, "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'")
    assert {row["query"] for row in chain} == {"UPDATE jobs SET id = 3;", "UPDATE jobs SET id = 4;"}
    (holder,) = {(r["blocked_by"], r["blocker_state"], r["blocker_query"]) for r in chain if r["blocked_by"] == idle}
    assert holder == (idle, "idle in transaction", "UPDATE jobs SET id = 2;")
    (used,) = named("connection_saturation")
    assert (used["sessions"], used["idle_in_transaction"], used["max_connections"]) == (3, 1, 20)
    assert used["used_percent"] == 15.0
    queues = {(q["service_name"], q["queue"], q["messages"], q["consumers"]) for q in named("queue_lengths")}
    assert queues == {("cache", "celery", 3, None), ("broker", "ai_tasks", 0, 0)}


@pytest.mark.engine
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("INSERT INTO kept VALUES (2)", "cannot execute INSERT in a read-only transaction"),
        ("DROP TABLE kept", "cannot execute DROP TABLE in a read-only transaction"),
        ("SELECT nextval('numbers')", "cannot execute nextval() in a read-only transaction"),
        ("SET TRANSACTION READ WRITE; DROP TABLE kept", "transaction read-write mode must be set before any query"),
        ("COMMIT; DROP TABLE kept", "cannot execute DROP TABLE in a read-only transaction"),
    ],
)
def test_a_writing_query_past_the_check_fails_on_the_server(servers: Restartable, statement: str, said: str) -> None:
    sql(servers, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS n; CREATE SEQUENCE IF NOT EXISTS numbers")
    assert probes.writes(statement), "the check refuses it in the first place"
    forced = replace(SHIPPED["postgres_sessions"], query=statement)
    (row,) = take(docker.connect(), docker.connect().find(["db"]), [forced]).to_dicts()
    assert said in row["error"]
    assert sql(servers, "SELECT count(*) FROM kept") == "1"


@pytest.mark.engine
def test_a_hanging_and_a_failing_program_delay_nothing_and_are_told(servers: Restartable) -> None:
    engine = docker.connect()
    servers.docker("kill", "-s", "STOP", "cache")
    try:
        began = time.monotonic()
        rows = take(engine, engine.find(["db", "cache"]), list(SHIPPED.values()), Manner(limit_s=2))
        assert time.monotonic() - began < 15
    finally:
        servers.docker("kill", "-s", "CONT", "cache")
    failed = {(r["probe"], r["error"]) for r in rows.to_dicts() if r["error"]}
    assert failed == {("redis_queue", "no answer within 2 s"), ("redis_memory", "no answer within 2 s")}
    assert {"postgres_databases"} <= set(rows.filter(rows["error"].is_null())["probe"])
    until(lambda: "redis-cli" not in servers.docker("top", "cache"))
    missing = replace(SHIPPED["postgres_sessions"], query="SELECT 1 FROM nowhere")
    (row,) = take(engine, engine.find(["db"]), [missing]).to_dicts()
    assert 'relation "nowhere" does not exist' in row["error"]


@pytest.mark.engine
def test_a_role_that_may_only_monitor_suffices_and_cannot_write(servers: Restartable) -> None:
    sql(servers, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS n; CREATE ROLE reader LOGIN IN ROLE pg_monitor")
    engine = docker.connect()
    how = Manner(settings={"postgres_user": "reader"})
    asked = [probe for probe in SHIPPED.values() if probe.program == "psql"]
    rows = take(engine, engine.find(["db"]), asked, how)
    assert rows["error"].drop_nulls().is_empty() and {p.id for p in asked if not p.needs} <= set(rows["probe"])
    settings = {v[0]["value"]: v[1]["value"] for v in rows.filter(probe="postgres_settings")["values"]}
    assert settings["is_superuser"] == "off"
    may = "SELECT has_table_privilege('reader', 'kept', 'INSERT, UPDATE, DELETE, TRUNCATE'), rolsuper, rolcreatedb FROM pg_roles"
    assert sql(servers, f"{may} WHERE rolname = 'reader'") == "f|f|f"
    (row,) = take(engine, engine.find(["db"]), [replace(SHIPPED["postgres_sessions"], query="DELETE FROM kept")], how).to_dicts()
    assert "permission denied" in row["error"] or "read-only transaction" in row["error"]
    assert sql(servers, "SELECT count(*) FROM kept") == "1"


@pytest.mark.engine
def test_the_doctor_sees_how_far_a_log_reaches_back_and_which_zone_it_tells(servers: Restartable) -> None:
    line = "TZ=CST-8 busybox date '+%Y-%m-%d %H:%M:%S,123 INFO shop: one more line of the log'"
    busy = f"for k in $(seq 40); do {line}; done; yes 'a line that fills the log' | head -n 20000; for k in 1 2 3; do {line}; done; sleep 600"
    servers.run("busy", busy, "--log-driver", "json-file", "--log-opt", "max-size=100k", "--log-opt", "max-file=2")
    until(lambda: servers.docker("logs", "--tail", "1", "busy").endswith("of the log"))
    found = list(doctor.check(docker.connect(), None, list(SHIPPED.values()), Manner()))
    own = {(f.level, f.message): f.fix or "" for f in found if f.subject == "busy"}
    (reach,) = [(level, told) for level, told in own if "2 × 102.4 kB reach back" in told]
    assert reach[0] == "problem" and "minutes" in reach[1]
    assert "--tz +08:00" in next(fix for (_, told), fix in own.items() if "local times of UTC+08:00" in told)
    assert {f.subject for f in found if "log_lock_waits = off" in f.message} == {"db"}
    assert any("agree" in f.message for f in found), "the engine's clock is this machine's"
    assert all(f.fix for f in found if f.level != "ok")


@pytest.mark.parametrize("probe", SHIPPED.values(), ids=lambda probe: probe.id)
def test_every_shipped_probe_can_only_read(probe: probes.Probe) -> None:
    words = argv(probe, Process("image", ("celery", "-A", "shop", "worker"), {}), probe.command)
    assert words[0] == probe.program and words[0] in probes.PROGRAMS
    if probe.query is not None:
        assert probes.writes(probe.query) is None
        assert words[words.index("-c") :: 2] == ["-c"] * 4
        steps = words[words.index("-c") + 1 :: 2]
        assert (steps[0], steps[2], steps[3]) == ("BEGIN READ ONLY", probe.query, "ROLLBACK")
    else:
        asked = " ".join(probe.command) if probe.program == "celery" else probe.command[0]
        assert asked in probes.PROGRAMS[probe.program]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity", 'SELECT "pg_cancel_backend"(1)',
        "SELECT pg_catalog.pg_reload_conf()", "WITH gone AS (DELETE FROM jobs RETURNING 1) SELECT * FROM gone",
        "SELECT 1; DROP TABLE jobs", "SELECT 1;", "SELECT * INTO copied FROM jobs", "SELECT * FROM jobs FOR UPDATE",
        "SELECT set_config('transaction_read_only', 'off', true)", "COPY jobs TO PROGRAM 'sh'", "SELECT lo_import('/etc/x')",
        "SELECT * FROM dblink('', 'DROP TABLE jobs') AS t(a int)", "SELECT 1 \\! sh", "SELECT my_own_function(1)",
        "EXPLAIN ANALYZE DELETE FROM jobs", "SELECT pg_advisory_lock(1)", "SELECT pg_sleep(60)", "SELECT 1 FROM",
    ],
)  # fmt: skip
def test_a_query_that_might_write_or_end_a_session_is_refused(query: str) -> None:
    assert probes.writes(query)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"LLEN", "{queue}"', '"DEL", "celery"', "a probe only reads: `redis-cli DEL` is not allowed"),
        ('"LLEN", "{queue}"', '"LLEN", "-h"', "not a plain word: '-h'"),
        ('"LLEN", "{queue}"', '"LLEN", "a; rm"', "not a plain word: 'a; rm'"),
        ('"redis-cli"', '"sh"', "a probe may not run `sh`"),
        ("permission", "permision", "unknown key `permision`"),
    ],
)
def test_a_hostile_or_mistaken_file_is_refused_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    shipped = Path(probes.data_dir("patterns")) / "probes" / "redis_queue.toml"
    path.write_text(shipped.read_text().replace(old, new))
    number = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if new in line)
    with pytest.raises(PatternError) as raised:
        probes.read(path)
    assert (raised.value.message, raised.value.where) == (said, f"{path}:{number}")


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("celery", ["purge"]), ("celery", ["control", "shutdown"]), ("celery", ["inspect", "ping", "x"]), ("celery", ["inspect"]),
        ("rabbitmqctl", ["purge_queue", "q"]), ("rabbitmqctl", ["eval", "x"]), ("redis-cli", ["CONFIG", "GET"]),
    ],
)  # fmt: skip
def test_a_command_beyond_the_list_is_refused(tmp_path: Path, program: str, command: list[str]) -> None:
    text = (
        f'[probe]\ntitle = {{ en = "x" }}\nprogram = "{program}"\nruns = ["x"]\nsupports = []\npermission = "x"\n'
        f'columns = ["x"]\ncommand = {json.dumps(command)}\n'
    )
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(PatternError, match="a probe only reads"):
        probes.read(tmp_path / "mine.toml")


def test_a_program_is_reached_as_its_container_was_told() -> None:
    script = "[ -s /d/PG_VERSION ] || initdb -U shop && exec /usr/lib/postgresql/15/bin/postgres -p $PORT -c unix_socket_directories=/tmp"
    server = described({"Path": "sh", "Args": ["-c", script], "Config": {"Image": "base", "Env": ["PORT=5433", "POSTGRES_PASSWORD=x"]}})
    probe = SHIPPED["postgres_sessions"]
    assert probe.fits(server) and not SHIPPED["redis_memory"].fits(server)
    given = environment(probe, server, {}, "orders")
    assert (given["PGUSER"], given["PGDATABASE"], given["PGPORT"], given["PGHOST"], given["PGPASSWORD"]) == (
        "shop", "orders", "5433", "/tmp", "x",
    )  # fmt: skip
    assert environment(probe, server, {"postgres_user": "reader"}).get("PGPASSWORD") is None, "another role's"
    cache = Process("base", ("redis-server", "--port", "6380", "--requirepass", SECRET), {})
    words = argv(SHIPPED["redis_memory"], cache, ("INFO", "memory"))
    assert words == ["redis-cli", "-p", "6380", "INFO", "memory"] and SECRET not in words
    assert environment(SHIPPED["redis_memory"], cache, {}) == {"REDISCLI_AUTH": SECRET}
    worker = Process("shop:1", ("python3", "-m", "celery", "-A", "shop.app", "worker", "-Q", "a,b"), {})
    assert argv(SHIPPED["celery_ping"], worker, ("inspect", "ping"))[:7] == [
        "python3", "-m", "celery", "-A", "shop.app", "inspect", "ping",
    ]  # fmt: skip
    assert queues(worker) == ("a", "b")
    beat = Process("shop:1", ("celery", "-A", "shop.app", "beat"), {})
    client = Process("tools:1", ("pg_dump", "-h", "postgres", "-U", "postgres"), {})
    assert not any(one.fits(process) for one in SHIPPED.values() for process in (beat, client))
