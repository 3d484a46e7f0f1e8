"""What the database logs: statements by shape, deadlocks as graphs, lock waits, checkpoints, files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.lake_factory import APP, DB, START, Story, write
from triage.analyse import (
    Window,
    checkpoints,
    deadlock_pairs,
    deadlocks,
    lock_waits,
    saturation,
    slow_queries,
    temp_files,
)
from triage.analyse.statements import _shape, fingerprint, relations, shape
from triage.query import Session

HOUR = Window(START, START + timedelta(hours=1))
Lake = Callable[[Story], Session]
DETAIL = """Process 812 waits for ShareLock on transaction 726; blocked by process 813.
Process 813 waits for ShareLock on transaction 725; blocked by process 812.
Process 812: UPDATE accounts SET balance = balance - 5,
  seen = now()
WHERE id = 2
Process 813: UPDATE orders SET state = 'paid' WHERE id = 1"""
BODY = (
    "2026-02-03 10:12:01.123 UTC [812] ERROR:  deadlock detected\n"
    "2026-02-03 10:12:01.123 UTC [812] DETAIL:  " + DETAIL.replace("\n", "\n\t") + "\n"
    "2026-02-03 10:12:01.123 UTC [812] HINT:  See server log for query details.\n"
    '2026-02-03 10:12:01.123 UTC [812] CONTEXT:  while updating tuple (0,2) in relation "accounts"\n'
    "2026-02-03 10:12:01.123 UTC [812] STATEMENT:  UPDATE accounts SET balance = balance - 5,\n\t  seen = now()\n\tWHERE id = 2"
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lambda story: Session(write(story.frame(), tmp_path))


class TestShape:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("SELECT * FROM t WHERE id = 5", "select *  from t where id = 17;"),
            ("SELECT * FROM t WHERE id = $1", "SELECT * FROM t WHERE id = 3"),
            ("SELECT * FROM t WHERE id = %(id)s", "SELECT * FROM t WHERE id = 3"),
            ("SELECT * FROM t WHERE id IN (1, 2, 3)", "SELECT * FROM t WHERE id IN (4)"),
            ("INSERT INTO t VALUES (1, 'a')", "INSERT INTO t VALUES (2, 'b'), (3, 'c')"),
            ("SELECT 1 -- five\n", "SELECT 2"),
            ("SELECT * FROM t WHERE a = 'it''s' AND b = -4.5", "SELECT * FROM t WHERE a = 'x' AND b = 2"),
            ("SELECT $tag$ text $tag$", "SELECT 'x'"),
            ("FROBNICATE 12 'a' (1,2)", "FROBNICATE 7 'b' (3,4)"),
            ("EXECUTE p(1)", "EXECUTE p(2)"),
        ],
    )
    def test_values_do_not_matter(self, one: str, other: str) -> None:
        assert shape(one) == shape(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("SELECT * FROM t WHERE id = 5", "SELECT * FROM u WHERE id = 5"),
            ("SELECT * FROM t WHERE a = 5", "SELECT * FROM t WHERE b = 5"),
            ("SELECT * FROM t1", "SELECT * FROM t2"),
            ("UPDATE t SET a = 1", "DELETE FROM t"),
        ],
    )
    def test_structure_does(self, one: str, other: str) -> None:
        assert shape(one) != shape(other)

    def test_no_value_is_left_in_it(self) -> None:
        assert "secret" not in shape("SELECT * FROM users WHERE phone = 'secret-13800138000' LIMIT 10")

    def test_the_fingerprint_is_the_same_everywhere(self) -> None:
        assert fingerprint(shape("SELECT * FROM t WHERE id = 5")) == "2074cf2f5ec6514f"

    def test_relations_are_the_tables(self) -> None:
        assert relations("SELECT * FROM a JOIN b ON a.x = b.x") == ("a", "b")
        assert relations("not sql at all (") == ()

    def test_a_very_long_statement_is_masked_without_parsing(self) -> None:
        rows = ", ".join(f"({number}, 'x')" for number in range(20_000))
        assert len(shape(f"INSERT INTO t VALUES {rows}")) < 100


class TestSlowQueries:
    def test_executions_of_one_shape_are_added_up(self, lake: Lake) -> None:
        story = Story()
        for number, ms in enumerate([1000, 2000, 3000, 4000]):
            story.slow_query(number * 20, ms, f"SELECT * FROM jobs WHERE id = {number}")
        story.slow_query(500, 20, "SELECT * FROM jobs WHERE id = 9", problem=None)
        (query,) = slow_queries(lake(story), HOUR)
        assert (query.count, query.total_ms, query.mean_ms, query.max_ms) == (4, 10_000, 2500, 4000)
        assert query.p95_ms == pytest.approx(3850)
        assert query.query == "SELECT * FROM jobs WHERE id = ?"
        assert len(query.record_ids) == 4

    def test_a_plan_and_its_statement_are_one_execution(self, lake: Lake) -> None:
        story = Story()
        sql = "SELECT pg_sleep(1)"
        story.add(10, DB, f"duration: 1001.218 ms  plan:\n\tQuery Text: {sql}\n\tResult  (cost=0.00..0.01 rows=1)",
                  "db.slow_query", duration_ms=1001.218, process_id="7")  # fmt: skip
        story.slow_query(10.001, 1001.8, sql, pid=7)
        (query,) = slow_queries(lake(story), HOUR)
        assert query.count == 1
        assert query.max_ms == 1001.8
        assert query.plan is not None
        assert "Result" in query.plan

    def test_two_plans_and_two_statements_are_two(self, lake: Lake) -> None:
        story = Story()
        for pid in (7, 8):
            story.add(10, DB, "duration: 1500.0 ms  plan:\n\tQuery Text: SELECT 1\n\tResult  (cost=0)",
                      "db.slow_query", duration_ms=1500.0, process_id=str(pid))  # fmt: skip
            story.slow_query(10, 1500.5, "SELECT 1", pid=pid)
        (query,) = slow_queries(lake(story), HOUR)
        assert query.count == 2

    def test_a_statement_that_waited_for_a_lock_is_marked(self, lake: Lake) -> None:
        story = Story()
        story.add(12, DB, "process 700 acquired ShareLock on transaction 7 after 1900.000 ms", process_id="700")
        story.slow_query(12.1, 2000, "UPDATE jobs SET a = 1")
        story.slow_query(50, 2000, "UPDATE jobs SET a = 1")
        (query,) = slow_queries(lake(story), HOUR)
        assert (query.count, query.waiting) == (2, 1)


class TestDeadlocks:
    def add(self, story: Story, at: float, **fields: object) -> None:
        story.add(at, DB, BODY, "db.deadlock", process_id="812", sqlstate="40P01", **fields)

    @pytest.mark.parametrize("attributes", [{}, {"postgres.detail": DETAIL}], ids=["body", "attributes"])
    def test_the_graph_is_read(self, lake: Lake, attributes: dict[str, str]) -> None:
        story = Story()
        self.add(story, 10, attributes=attributes)
        (deadlock,) = deadlocks(lake(story), HOUR)
        first, second = deadlock.processes
        assert deadlock.victim == 812
        assert (first.pid, first.waits_for, first.lock, first.relation) == (
            812, 813, "ShareLock on transaction 726", "accounts")  # fmt: skip
        assert (second.pid, second.waits_for, second.relation) == (813, 812, "orders")
        assert first.query == "UPDATE accounts SET balance = balance - 5,\n  seen = now()\nWHERE id = 2"
        assert second.query == "UPDATE orders SET state = 'paid' WHERE id = 1"

    def test_the_waiting_message_of_the_same_deadlock_is_not_a_second(self, lake: Lake) -> None:
        story = Story()
        story.add(10, DB, "process 812 detected deadlock while waiting for ShareLock on transaction 726 after 1000.1 ms")
        self.add(story, 10)
        assert len(deadlocks(lake(story), HOUR)) == 1

    def test_recurring_pairs_are_found_whatever_their_values(self, lake: Lake) -> None:
        story = Story()
        self.add(story, 10)
        self.add(story, 100)
        (pair,) = deadlock_pairs(deadlocks(lake(story), HOUR))
        assert (pair.count, pair.relations) == (2, ("accounts", "orders"))

    def test_the_application_s_copy_is_not_a_report_of_the_server(self, lake: Lake) -> None:
        story = Story()
        story.add(10, APP, "OperationalError: deadlock detected\nDETAIL:  " + DETAIL, "db.deadlock")
        assert deadlocks(lake(story), HOUR) == ()


class TestServer:
    def test_still_waiting_and_acquired_are_one_wait(self, lake: Lake) -> None:
        story = Story()
        lock = "ShareLock on transaction 730"
        story.add(10, DB, f"process 95 still waiting for {lock} after 1000.1 ms\n"
                  "DETAIL:  Process holding the lock: 96. Wait queue: 95.")  # fmt: skip
        story.add(12, DB, f"process 95 acquired {lock} after 3000.5 ms")
        (wait,) = lock_waits(lake(story), HOUR)
        assert (wait.pid, wait.holders, wait.waited_ms, wait.acquired) == (95, (96,), 3000.5, True)

    def test_checkpoints_files_and_connections(self, lake: Lake) -> None:
        story = Story()
        story.add(1, DB, "checkpoint complete: wrote 42 buffers (0.3%); write=0.002 s, sync=0.008 s, total=0.011 s; "
                  "sync files=36, distance=149 kB, estimate=149 kB")  # fmt: skip
        story.add(2, DB, 'temporary file: path "base/pgsql_tmp/x", size 2457600')
        story.add(3, APP, "QueuePool limit of size 5 overflow 10 reached", "db.pool_exhausted")
        session = lake(story)
        (checkpoint,), (file,), (pool,) = checkpoints(session, HOUR), temp_files(session, HOUR), saturation(session, HOUR)
        assert (checkpoint.buffers, checkpoint.total_s, checkpoint.distance_kb) == (42, 0.011, 149)
        assert file.bytes == 2457600
        assert (pool.kind, pool.count, pool.limit) == ("pool", 1, 15)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM t WHERE id = 874431 AND status <> 'error' LIMIT 10",
        "SELECT data->>'key7', data->'other' FROM t WHERE data->>'key7' = '5' AND tags @> '{1}'",
        "SELECT now() - interval '5 days', '7'::int, $1, x[3], 1.5e3, -4 FROM \"t 6\" WHERE \"x\" = 7",
        "SELECT date_trunc('day', at) FROM t WHERE name LIKE '%9%' AND note ILIKE 'a' || 'b' AND c = 'it''s 5'",
        "INSERT INTO t (a, b) VALUES (1, 'a'), (2, 'b')",
        "SELECT /* request 5 */ a -- of user 6\nFROM t WHERE d >= '2020-01-01'::date AND e = 'a' 'b'",
        "SELECT $$a 5$$, $t$5$t$, E'it\\'s 5' = '6', to_char(x, 'YYYY')",
        "VACUUM t5",
        "SELECT not even = 'sql",
    ],
)
def test_statements_made_alike_before_they_are_parsed_keep_their_shape(statement: str) -> None:
    assert shape(statement) == _shape(statement)
