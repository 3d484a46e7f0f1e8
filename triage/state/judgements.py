"""What settings of programs mean for their logs, and the fix for each: a table for Postgres, a few rules for Celery."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from triage.state.process import Process

_QUIET = ("CRITICAL", "ERROR", "FATAL", "WARN", "WARNING")
_HEALTH = "healthcheck: {{test: {test}, interval: 15s, timeout: 5s, retries: 3}}  # in the compose file"
_CHECKS = {
    "postgres": '["CMD-SHELL", "pg_isready -U $$POSTGRES_USER"]',
    "redis-server": '["CMD", "redis-cli", "ping"]',
    "rabbitmq-server": '["CMD", "rabbitmq-diagnostics", "-q", "ping"]',
    "celery": '["CMD-SHELL", "celery -A {app} inspect ping -d celery@$$HOSTNAME"]',
}
_IMAGES = {"redis": "redis-server", "valkey": "redis-server", "rabbitmq": "rabbitmq-server"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `level` is ok, note or problem; `fix` can be copied."""

    level: str
    subject: str
    message: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A setting that is wrong where `wrong` holds for its value; `better` is the value to set, by ALTER SYSTEM."""

    setting: str
    level: str
    wrong: Callable[[str], bool]
    message: str
    better: str
    restart: bool = False


def _number(text: str) -> float:
    return float(text) if text.lstrip("-").replace(".", "", 1).isdigit() else 0.0


_POSTGRES = (
    Rule("log_min_duration_statement", "problem", lambda v: _number(v) < 0, "slow statements are not logged", "'1s'"),
    Rule("log_min_duration_statement", "note", lambda v: _number(v) > 1000, "only statements slower than {value} ms are logged", "'1s'"),
    Rule("log_min_duration_statement", "note", lambda v: v == "0", "every statement is logged: a busy server fills its log", "'1s'"),
    Rule("log_line_prefix", "problem", lambda v: not any(p in v for p in ("%m", "%t", "%n")), "its lines carry no time: log_line_prefix is '{value}'", "'%m [%p] %q%u@%d '"),
    Rule("log_line_prefix", "problem", lambda v: "%p" not in v, "its lines carry no process: who blocks whom cannot be told", "'%m [%p] %q%u@%d '"),
    Rule("log_line_prefix", "note", lambda v: "%d" not in v or "%u" not in v, "its lines name no role and database", "'%m [%p] %q%u@%d '"),
    Rule("log_lock_waits", "problem", lambda v: v == "off", "sessions that wait for a lock are not logged", "on"),
    Rule("deadlock_timeout", "note", lambda v: _number(v) > 1000, "waits for locks are logged, and deadlocks found, only after {value} ms", "'1s'"),
    Rule("log_temp_files", "note", lambda v: _number(v) < 0, "sorts that spill to disk are not logged", "'10MB'"),
    Rule("logging_collector", "problem", lambda v: v == "on", "it logs into files of its own: the engine sees nothing", "off", restart=True),
    Rule("log_timezone", "note", lambda v: v not in ("UTC", "Etc/UTC", "GMT", "Etc/GMT"), "its clock prints {value}", "'UTC'"),
    Rule("idle_in_transaction_session_timeout", "note", lambda v: v == "0", "a session idle in a transaction keeps its locks for ever", "'5min'"),
)  # fmt: skip


def postgres(name: str, settings: Mapping[str, str], options: Sequence[str] = ()) -> Iterator[Finding]:
    """Findings about a server's settings; `options` are how psql reaches it."""
    psql = shlex.join(["docker", "exec", name, "psql", *options])
    found = [rule for rule in _POSTGRES if rule.setting in settings and rule.wrong(settings[rule.setting])]
    said: set[str] = set()
    for rule in found:
        if rule.setting in said:  # the gravest of a setting comes first
            continue
        said.add(rule.setting)
        value = settings[rule.setting]
        yield Finding(
            rule.level,
            name,
            f"Postgres: {rule.message.format(value=value)} ({rule.setting} = {value or 'nothing'})",
            _alter(name, rule, psql),
        )
    if settings.get("is_superuser") == "on":
        role = "CREATE ROLE triage LOGIN PASSWORD '…' IN ROLE pg_monitor"
        fix = f'{psql} -c "{role}"; then in triage.toml: [probes] postgres_user = "triage"'
        yield Finding("note", name, "Postgres: probes ask as a superuser; reading needs no more than pg_monitor", fix)
    if not any(rule.level == "problem" for rule in found):
        yield Finding("ok", name, "Postgres logs what is needed")


def _alter(name: str, rule: Rule, psql: str) -> str:
    then = f"; docker restart {shlex.quote(name)}" if rule.restart else ' -c "SELECT pg_reload_conf()"'
    return f'{psql} -c "ALTER SYSTEM SET {rule.setting} = {rule.better}"{then}'


def celery(name: str, process: Process, nodes: Sequence[Mapping[str, str]]) -> Iterator[Finding]:
    """Findings about a worker, from its command and the settings that its nodes tell."""
    words = process.arguments("celery")
    level = (process.option(("celery",), "-l", "--loglevel") or "WARNING").upper()
    conf: dict[str, str] = {}
    for node in nodes:
        conf |= node
    if level in _QUIET:
        yield Finding(
            "problem",
            name,
            f"Celery logs from {level} on: no line says that a task was received or succeeded",
            "celery … worker --loglevel=INFO",
        )
    if "asctime" not in conf.get("worker_log_format", "asctime"):
        yield Finding(
            "problem",
            name,
            "Celery's worker_log_format has no time",
            "app.conf.worker_log_format = '[%(asctime)s: %(levelname)s/%(processName)s] %(message)s'",
        )
    if not all(part in conf.get("worker_task_log_format", "task_id task_name") for part in ("task_id", "task_name")):
        yield Finding(
            "note",
            name,
            "Celery's worker_task_log_format does not name the task",
            "app.conf.worker_task_log_format = '[%(asctime)s: %(levelname)s/%(processName)s] %(task_name)s[%(task_id)s]: %(message)s'",
        )
    if conf.get("worker_hijack_root_logger") == "false":
        yield Finding(
            "note",
            name,
            "the application formats the worker's log: check that time, level and task are in it",
            "triage explain --source celery < some.log",
        )
    if not {"-E", "--task-events"} & set(words) and conf.get("worker_send_task_events") != "true":
        yield Finding(
            "note", name, "Celery sends no task events: other monitors see nothing of its tasks", "celery … worker -E"
        )
    if "worker_max_tasks_per_child" not in conf and not process.option(("celery",), "--max-tasks-per-child"):
        yield Finding(
            "note",
            name,
            "a child of the worker is never replaced: what it leaks stays",
            "celery … worker --max-tasks-per-child=100",
        )
    if not {"task_time_limit", "task_soft_time_limit"} & conf.keys() and not process.option(
        ("celery",), "--time-limit", "--soft-time-limit"
    ):
        yield Finding(
            "note",
            name,
            "tasks have no time limit: one that hangs keeps its process",
            "app.conf.task_soft_time_limit, app.conf.task_time_limit = 300, 330",
        )
    if level not in _QUIET:
        yield Finding(
            "ok",
            name,
            f"Celery answers and logs from {level} on: {', '.join(sorted(row.get('node', '') for row in nodes))}",
        )


def health_check(process: Process) -> str:
    """A health check for a compose file that fits the program."""
    kind = next((name for name in _CHECKS if process.place(name) is not None), None) or _IMAGES.get(process.repository)
    test = _CHECKS.get(kind or process.repository, '["CMD-SHELL", "curl -fsS http://localhost:8000/health"]')
    application = process.option(("celery",), "-A", "--app") or "app"
    return _HEALTH.format(test=test.replace("{app}", application))
