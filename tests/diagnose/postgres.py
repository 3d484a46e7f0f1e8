"""What a statement meets in the database, and what the server writes about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.diagnose.failures import Failure, database

if TYPE_CHECKING:
    from tests.diagnose.stack import Broken, Stack

SLOW_STATEMENT_MS = 500
LOCK_NOTICE_S = 1.0  # deadlock_timeout: when log_lock_waits speaks
_REFUSED = {  # broken part -> the server's words, the client's class and words
    "db.too_many_connections": ("sorry, too many clients already", 'connection to server at "db", port 5432 failed: FATAL:  sorry, too many clients already'),
    "db.auth_failed": ('password authentication failed for user "app"', 'connection to server at "db", port 5432 failed: FATAL:  password authentication failed for user "app"'),
}  # fmt: skip


def statement(stack: Stack, kind: str, second: float) -> tuple[float, Failure | None]:
    """When it is over, and how it failed."""
    pid = 100 + stack.random.randrange(40)
    writes = kind in ("job", "chat", "task")
    table = stack.random.choice(("items", "orders", "documents", "credits"))
    number = stack.random.randrange(99999)
    sql = (f"UPDATE {table} SET state = 'done' WHERE id = {number}" if writes
           else f"SELECT t.id, count(*) FROM {table} t JOIN events e ON e.{table}_id = t.id WHERE t.owner = {number} GROUP BY 1"
           if kind == "report" else f"SELECT * FROM {table} WHERE id = {number}")  # fmt: skip
    for refused in (_connection, _write_errors if writes else _none):
        if found := refused(stack, second, pid, sql, table):
            return found
    took = stack.random.uniform(0.05, 0.3) if kind == "report" else stack.random.uniform(0.003, 0.03)
    if (slow := stack.hit("db.slow_query", second)) and not writes:
        took = stack.random.lognormvariate(1.2, 0.5) * (2 if kind == "report" else 1) * max(0.3, slow.share)
    if writes and (lock := stack.hit("db.lock_timeout", second)):
        took = _wait(stack, lock, second, pid, sql)
    return _answer(stack, second, took, pid, sql)


def _none(stack: Stack, second: float, pid: int, sql: str, table: str) -> None:
    return None


def _connection(stack: Stack, second: float, pid: int, sql: str, table: str) -> tuple[float, Failure] | None:
    for problem, (server, client) in _REFUSED.items():
        if stack.hit(problem, second):
            stack.voices.postgres(second, pid, "FATAL", server)
            return second + 0.01, database(problem, "OperationalError", client, None)
    if stack.hit("db.connection_lost", second) or stack.hit("db.down", second):
        text = 'connection to server at "db", port 5432 failed: Connection refused'
        return second + 0.01, database("db.connection_lost", "OperationalError", text, None, ("\tIs the server running on that host and accepting TCP/IP connections?",))
    return None


def _write_errors(stack: Stack, second: float, pid: int, sql: str, table: str) -> tuple[float, Failure] | None:
    voices = stack.voices
    if stack.hit("db.deadlock", second):
        end, other = second + LOCK_NOTICE_S, pid + 50
        first, last = stack.random.randrange(9999), stack.random.randrange(9999)
        more = (f"DETAIL:  Process {pid} waits for ShareLock on transaction {first}; blocked by process {other}.",
                f"Process {other} waits for ShareLock on transaction {last}; blocked by process {pid}.",
                "HINT:  See server log for query details.")  # fmt: skip
        detail = "\n\t".join([more[0][9:], more[1], f"Process {pid}: {sql}", f"Process {other}: {sql}"])
        voices.postgres(end, pid, "ERROR", "deadlock detected", detail=detail, hint="See server log for query details.",
                        context=f'while updating tuple (0,7) in relation "{table}"', statement=sql)  # fmt: skip
        return end, database("db.deadlock", "errors.DeadlockDetected", "deadlock detected", sql, more)
    if stack.hit("db.disk_full", second):
        text = f'could not extend file "base/16384/{stack.random.randrange(9999)}": No space left on device'
        voices.postgres(second, pid, "ERROR", text, hint="Check free disk space.", statement=sql)
        return second + 0.01, database("db.disk_full", "errors.DiskFull", text, sql, ("HINT:  Check free disk space.",))
    if stack.hit("db.constraint_violation", second):
        sql = f"INSERT INTO {table} (id) VALUES ({stack.random.randrange(99)})"
        text = f'duplicate key value violates unique constraint "{table}_pkey"'
        detail = f"Key (id)=({stack.random.randrange(99)}) already exists."
        voices.postgres(second, pid, "ERROR", text, detail=detail, statement=sql)
        return second + 0.01, database("db.constraint_violation", "errors.UniqueViolation", text, sql, (f"DETAIL:  {detail}",))
    return None


def _wait(stack: Stack, lock: Broken, second: float, pid: int, sql: str) -> float:
    """Behind a transaction that holds the row until the end of the fault."""
    took = lock.end - second + stack.random.uniform(0, 0.3)
    transaction = 70000 + int(lock.start)
    if took > LOCK_NOTICE_S:
        stack.voices.postgres(
            second + LOCK_NOTICE_S, pid, "LOG", f"process {pid} still waiting for ShareLock on transaction {transaction} after 1000.{stack.random.randrange(999):03d} ms",
            detail=f"Process holding the lock: 99. Wait queue: {pid}.", context='while updating tuple (3,14) in relation "items"', statement=sql)  # fmt: skip
        stack.note("db.lock_timeout", second + LOCK_NOTICE_S)
    return took


def _answer(stack: Stack, second: float, took: float, pid: int, sql: str) -> tuple[float, Failure | None]:
    limit = stack.load.statement_timeout_s
    if limit and took > limit:
        text = "canceling statement due to statement timeout"
        stack.voices.postgres(second + limit, pid, "ERROR", text, statement=sql)
        return second + limit, database("db.statement_timeout", "errors.QueryCanceled", text, sql)
    if took * 1000 > SLOW_STATEMENT_MS:
        stack.voices.postgres(second + took, pid, "LOG", f"duration: {took * 1000:.3f} ms  statement: {sql}")
        stack.note("db.slow_query", second + took)
    return second + took, None
