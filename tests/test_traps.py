"""What a parser and a library of patterns for these programs go wrong about, one test each.

Traps that only a window or an engine can show have theirs elsewhere:
- `WorkerLostError … Job: 5` names no task: test_analyse_tasks.py, `test_open_when_its_worker_was_lost_is_lost_by_inference`
- a plan and its statement are one execution, one deadlock is one report: test_analyse_postgres.py,
  `test_a_plan_and_its_statement_are_one_execution`, `test_the_waiting_message_of_the_same_deadlock_is_not_a_second`
- exit code 137 and the engine's own `oom` event: test_analyse_state.py; here only what the lines say
- the engine keeps its last 256 events: test_state_engine.py, `test_what_the_engine_has_forgotten_is_concluded_or_noted`
- counts add up: test_pipeline.py, `test_counts_add_up`; in the report, test_query.py, `test_totals_add_up`
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.test_parse_wrappers import parsed
from triage.classify.library import Library
from triage.classify.redact import redact_text

LIBRARY = Library.load()
TASK = "app.tasks.slow[6f1f0e9a-3c1b-4a52-9d6e-0f2b7c1d4e5a]"


def told(*lines: str, **columns: list[Any]) -> list[dict[str, Any]]:
    """The classified records of some lines."""
    return LIBRARY.classify(parsed(*lines, **columns)).to_dicts()


@pytest.mark.parametrize(
    "lines",
    [
        ["2026-02-03 10:00:00,123 ERROR app.api: 1 validation error for Job", "prompt", "  Field required [type=missing, input_value={}, input_type=dict]"],
        ['INFO:     10.0.0.1:44120 - "POST /api/v1/ai/jobs HTTP/1.1" 422 Unprocessable Entity'],
    ],
    ids=["pydantic's message", "FastAPI's access line"],
)
def test_a_validation_failure_is_told_without_the_word_validationerror(lines: list[str]) -> None:
    assert not any("ValidationError" in line for line in lines)
    assert [row["problem"] for row in told(*lines)] == ["api.validation_error"]


def test_the_kill_of_a_hard_time_limit_and_an_exit_code_are_no_shortage_of_memory() -> None:
    head = "[2026-02-03 10:00:0{},517: ERROR/MainProcess] "
    limit, kill, code, event = told(
        head.format(1) + f"Hard time limit (1s) exceeded for {TASK}",
        head.format(2) + "Process 'ForkPoolWorker-2' pid:11639 exited with 'signal 9 (SIGKILL)'",
        "worker exited with code 137",
        "2026-02-03T10:00:00.000000001Z container oom 4c01db0b339c7f4e0a4f6d1c2b3a4958677685948372615049382716f5e4d3c2 (image=x:1, name=worker)",
    )
    assert limit["problem"] == "task.timeout"
    assert {problem.partition(".")[0] for row in (limit, kill, code) for problem in row["problems"]} == {"task", "process"}
    assert event["problem"] == "memory.out_of_memory"


def test_one_deadlock_with_lock_waits_logged_is_counted_once() -> None:
    prefix = "2026-02-03 10:00:00.265 UTC [11266] "
    waiting, deadlock = told(
        prefix + "LOG:  process 11266 detected deadlock while waiting for ShareLock on transaction 726 after 1000.165 ms",
        prefix + "ERROR:  deadlock detected",
    )
    assert "db.deadlock" not in (waiting["problems"] or [])
    assert deadlock["problem"] == "db.deadlock"


def test_the_engines_clock_dates_what_prints_no_date_or_no_zone() -> None:
    received = datetime(2026, 2, 3, 10, 0, 0, 123_456, tzinfo=UTC)
    stamp = "2026-02-03T10:00:00.123456789Z "
    lines = (
        "INFO:     Application startup complete.", "[2026-02-03 18:00:00,123: INFO/MainProcess] celery@a ready.",
        "1:M 03 Feb 2026 18:00:00.123 * Ready to accept connections tcp",
    )  # fmt: skip
    assert [row["timestamp"] for row in told(*(stamp + line for line in lines))] == [received] * 3


def test_the_stream_is_no_severity() -> None:
    (row,) = told("[2026-02-03 10:00:00,123: INFO/MainProcess] Task app.tasks.x received", log_iostream=["stderr"])
    assert (row["log_iostream"], row["severity_number"], row["problem"]) == ("stderr", 9, None)


def test_a_compose_prefix_needs_no_replica_number() -> None:
    (row,) = told("jointo-server-app  | INFO:     Application startup complete.")
    assert (row["service_name"], row["message"]) == ("jointo-server-app", "Application startup complete.")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("openai.AuthenticationError: Error code: 401 - {'error': {'message': 'Incorrect API key provided: KEY. You can find yours at https://x.'}}",
         "provider.invalid_api_key"),
        ("openai.RateLimitError: Error code: 429 - {'error': {'message': 'Rate limit reached', 'code': 'rate_limit_exceeded'}}", "provider.rate_limited"),
        ("openai.RateLimitError: Error code: 429 - Rate limit reached for requests", "provider.rate_limited"),
        ("openai.error.RateLimitError: Rate limit reached for gpt-4 in organization org-x on requests per min.", "provider.rate_limited"),
    ],
    ids=["401 repeats the key", "429 of openai 1", "429 of openai 3", "429 of openai 0"],
)  # fmt: skip
def test_a_provider_s_refusals_are_told_in_each_version_and_give_no_key_away(line: str, problem: str) -> None:
    key = "sk-" + "a1B2c3D4" * 5
    (row,) = told(redact_text(line.replace("KEY", key), b"salt"))
    assert row["problem"] == problem
    assert key not in row["body"]


def test_processes_that_take_turns_keep_their_own_lines() -> None:
    at = "2026-02-03 10:00:00.000 UTC [{}] {}"
    one, other = told(
        at.format(1, 'ERROR:  duplicate key value violates unique constraint "a_key"'),
        at.format(2, 'ERROR:  relation "b" does not exist at character 15'),
        at.format(1, "DETAIL:  Key (id)=(1) already exists."),
        at.format(2, "STATEMENT:  SELECT * FROM b"),
        at.format(1, "STATEMENT:  INSERT INTO a VALUES (1)"),
    )
    found = [{pair["key"]: pair["value"] for pair in row["attributes"]} for row in (one, other)]
    assert [(row["process_id"], row["line_count"]) for row in (one, other)] == [("1", 3), ("2", 2)]
    assert [row["postgres.statement"] for row in found] == ["INSERT INTO a VALUES (1)", "SELECT * FROM b"]
    assert "postgres.detail" not in found[1]
