"""Which lines are one record, and what is read from it: the traps that real programs set."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.test_parse_wrappers import NOW, records
from triage.parse import ParseOptions, cut, open_from, parse, postgres_codes
from triage.schema import LINES, Resource

FRAME = ["Traceback (most recent call last):", '  File "/srv/a.py", line 1, in f', "    raise ValueError(1)"]
PG = "2026-11-23 17:21:28.265 UTC"


def attributes(one: dict[str, Any]) -> dict[str, str]:
    return {pair["key"]: pair["value"] for pair in one["attributes"] or []}


def test_postgres_lines_of_interleaved_processes_join_by_process() -> None:
    found = records(
        f"{PG} [66] ERROR:  deadlock detected", f"{PG} [67] LOG:  duration: 1.5 ms  statement: SELECT 1",
        f"{PG} [66] DETAIL:  Process 66 waits for ShareLock;", "\tProcess 67 waits.", f"{PG} [67] ERROR:  other",
        f"{PG} [66] STATEMENT:  UPDATE x", "\tSET y = 1", f"{PG} [67] STATEMENT:  SELECT 2",
    )  # fmt: skip
    assert [(one["process_id"], one["line_count"], one["message"]) for one in found] == [
        ("66", 5, "deadlock detected"), ("67", 1, "duration: 1.5 ms  statement: SELECT 1"), ("67", 2, "other"),
    ]  # fmt: skip
    assert attributes(found[0])["postgres.detail"] == "Process 66 waits for ShareLock;\nProcess 67 waits."
    assert attributes(found[0])["postgres.statement"] == "UPDATE x\nSET y = 1"
    assert (found[1]["duration_ms"], attributes(found[1])["postgres.statement"]) == (1.5, "SELECT 1")


@pytest.mark.parametrize(("word", "english"), [("FEHLER", "ERROR"), ("错误", "ERROR"), ("日志", "LOG"), ("致命错误", "FATAL")])
def test_postgres_severities_of_other_languages_are_told_in_english(word: str, english: str) -> None:
    (one,) = records(f"{PG} [66] {word}:  text")
    assert (one["severity_text"], one["source"]) == (english, "postgres")


def test_a_translated_message_has_the_code_that_it_means() -> None:
    tables = tomllib.loads(Path(postgres_codes.__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    told = [(code, fragment) for table in tables.values() for code, fragments in table.items() for fragment in fragments]
    found = records(*(f"2026-02-03 10:00:00.000 UTC [812] FATAL:  {fragment} …" for _, fragment in told))
    assert [one["sqlstate"] for one in found] == [code for code, _ in told]
    (other,) = records("2026-02-03 10:00:00.000 UTC [812] FATAL:  division by zero")
    assert other["sqlstate"] is None


def test_an_application_that_quotes_postgres_is_no_postgres() -> None:
    (one,) = records("2026-11-23 17:22:05.123 | INFO     | app:run:12 - user says: ERROR:  deadlock detected")
    assert (one["source"], one["severity_text"]) == ("app", "INFO")


def test_sqlalchemy_detail_lines_and_blank_lines_stay_inside_the_traceback() -> None:
    found = records(
        "2026-11-23 17:21:32,636 ERROR app.db: failed", *FRAME,
        "sqlalchemy.exc.IntegrityError: (psycopg2.errors.UniqueViolation) duplicate key", "DETAIL:  Key (id)=(1) exists.",
        "HINT:  look", "", "[SQL: INSERT INTO x]", "(Background on this error at: https://sqlalche.me/e/20/gkpj)",
        "2026-11-23 17:21:32,637 INFO app.db: next",
    )  # fmt: skip
    assert [one["line_count"] for one in found] == [10, 1]
    assert found[0]["exception_type"] == "sqlalchemy.exc.IntegrityError"


def test_user_text_with_newlines_belongs_to_its_header() -> None:
    found = records("2026-11-23 17:21:32,636 INFO app.ai: prompt=first", "MemoryError: no error at all", "Killed by a joke")
    assert [(one["line_count"], one["severity_number"], one["exception_type"]) for one in found] == [(3, 9, None)]


def test_the_chain_names_what_was_raised_last_and_its_root() -> None:
    (one,) = records(
        "ERROR:app:failed", *FRAME, "KeyError: 'k'", "",
        "The above exception was the direct cause of the following exception:", "", *FRAME, "app.errors.Refused: no",
    )  # fmt: skip
    assert (one["exception_type"], one["exception_message"]) == ("app.errors.Refused", "no")
    assert attributes(one)["exception.root_type"] == "KeyError"


def test_billiards_quoted_traceback_is_one_record_with_the_inner_exception() -> None:
    (one,) = records(
        "[2026-11-23 17:22:56,644: ERROR/MainProcess] Task handler raised error: WorkerLostError('x Job: 5.')",
        *FRAME, "billiard.einfo.ExceptionWithTraceback: ", '"""', *FRAME,
        "billiard.exceptions.WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL) Job: 5.", '"""',
    )  # fmt: skip
    assert (one["line_count"], one["exception_type"]) == (11, "billiard.exceptions.WorkerLostError")


def test_an_exception_group_is_one_record() -> None:
    (one,) = records(
        "ERROR:app:batch", "  + Exception Group Traceback (most recent call last):", '  |   File "x.py", line 1, in f',
        "  | ExceptionGroup: batch failed (2 sub-exceptions)", "  +-+---------------- 1 ----------------",
        "    | ValueError: a", "    +---------------- 2 ----------------", "    | KeyError: 'b'",
        "    +------------------------------------",
    )  # fmt: skip
    assert (one["line_count"], one["exception_type"]) == (9, "ExceptionGroup")
    assert attributes(one)["exception.root_type"] == "ValueError"


@pytest.mark.parametrize("final", ["NotImplementedError", "KeyboardInterrupt", "app.Odd", "SyntaxError: invalid syntax"])
def test_the_final_line_may_lack_a_message_or_a_usual_name(final: str) -> None:
    (one,) = records("ERROR:app:failed", *FRAME, final)
    assert one["exception_type"] == final.split(":")[0]


def test_a_traceback_after_an_info_line_ended_the_program() -> None:
    found = records("INFO:app:done", *FRAME, "SystemError: x")
    assert [(one["line_count"], one["severity_number"], one["message"]) for one in found] == [
        (1, 9, "done"), (4, 17, "SystemError: x"),
    ]  # fmt: skip


def test_celerys_line_by_line_traceback_is_joined_again() -> None:
    head = "[2026-11-23 17:22:55,484: WARNING/ForkPoolWorker-{}] "
    one, two = head.format(1), head.format(2)
    found = records(
        f"{one}Exception ignored in: <function x>", f"{two}plain text on stderr", f"{one}Traceback (most recent call last):",
        f'{one}  File "x.py", line 1, in f', f"{one}    f()", f"{one}    ^", f"{one}OSError: closed", f"{one}another text",
    )  # fmt: skip
    assert [one["line_count"] for one in found] == [6, 1, 1]
    assert found[0]["exception_type"] == "OSError"


def test_celerys_reconnect_message_keeps_its_second_line() -> None:
    found = records(
        "[2026-11-23 17:23:04,811: ERROR/MainProcess] consumer: Cannot connect to amqp://x: refused.",
        "Trying again in 2.00 seconds... (1/None)", "", "[2026-11-23 17:23:06,811: INFO/MainProcess] Connected to amqp://x",
    )  # fmt: skip
    assert [one["line_count"] for one in found] == [3, 1]


def test_celery_task_fields() -> None:
    head = "[2026-11-23 17:22:55,484: INFO/ForkPoolWorker-2] Task a.b[0608-1] "
    done, again, due = records(
        head + "succeeded in 0.5s: {'x': 1}", head + "retry: Retry in 1s: ConnectionError('AIHubMix')",
        "[2026-11-23 17:22:57,784: INFO/MainProcess] Scheduler: Sending due task heartbeat (capp.ok)",
    )  # fmt: skip
    assert (done["task_id"], done["task_name"], done["duration_ms"]) == ("0608-1", "a.b", 500.0)
    assert attributes(done) == {"celery.state": "succeeded", "celery.runtime_s": "0.5"}
    assert (again["exception_type"], attributes(again)["celery.retry_in_s"]) == ("ConnectionError", "1")
    assert (due["source"], due["task_name"], attributes(due)["beat.entry"]) == ("beat", "capp.ok", "heartbeat")


def test_rabbitmq_lines_of_one_moment_are_one_record() -> None:
    head = "2026-11-23 17:24:36.784703+00:00 [error] <0.673.0> "
    found = records(head + "closing AMQP connection", head + "missed heartbeats from client, timeout: 2s", head[:-9] + "<0.674.0> x")
    assert [one["line_count"] for one in found] == [2, 1]


def test_redis_logo_and_celery_banner_are_no_errors() -> None:
    found = records(
        "1:M 23 Nov 2026 17:21:51.059 * Running mode=standalone", "                _._", "      _.-``__ ''-._  Redis 7.0",
        "", "1:M 23 Nov 2026 17:21:51.060 # Server initialized",
    )  # fmt: skip
    assert [one["line_count"] for one in found] == [4, 1]
    assert all(one["severity_number"] < 17 for one in found)


def test_the_stream_is_no_severity() -> None:
    (one,) = records("[2026-11-23 17:22:55,484: INFO/MainProcess] ready", log_iostream=["stderr"])
    assert one["severity_number"] == 9


@pytest.mark.parametrize(
    ("line", "zone", "observed", "expected"),
    [
        ("[2026-11-23 17:22:55,484: INFO/MainProcess] x", None, None, "2026-11-23T17:22:55.484"),
        ("[2026-11-23 17:22:55,484: INFO/MainProcess] x", "Asia/Shanghai", None, "2026-11-23T09:22:55.484"),
        ("[2026-11-23 17:22:55,484: INFO/MainProcess] x", "+08:00", None, "2026-11-23T09:22:55.484"),
        ("[2026-11-23 17:22:55,484: INFO/MainProcess] x", None, "2026-11-23T09:22:55.5", "2026-11-23T09:22:55.5"),
        ("2026-11-23 17:22:55.484 CST [1] LOG:  x", None, "2026-11-23T09:22:55.5", "2026-11-23T09:22:55.5"),
        ("2026-11-23 17:22:55.484 CST [1] LOG:  x", "Asia/Shanghai", None, "2026-11-23T09:22:55.484"),
        ("2026-11-23 17:22:55.484 UTC [1] LOG:  x", "Asia/Shanghai", "2026-11-23T09:00:00", "2026-11-23T17:22:55.484"),
        ("INFO:     Started server process [1]", None, "2026-11-23T09:22:55.5", "2026-11-23T09:22:55.5"),
        ("17:22:55.484 | INFO | app:f:1 - x", None, None, "2026-11-24T17:22:55.484"),
        ("no time at all", None, None, "2026-11-24T00:00:00"),
    ],
)
def test_which_clock_counts(line: str, zone: str | None, observed: str | None, expected: str) -> None:
    at = datetime.fromisoformat(observed).replace(tzinfo=UTC) if observed else None
    data = {"text": [line], "position": [0], "seq": [0], "observed_timestamp": [at]}
    lines = pl.DataFrame({name: data.get(name, [None]) for name in LINES}, schema=LINES)
    found = parse(lines, Resource("x"), ParseOptions(tz=zone, now=NOW))
    assert found["timestamp"][0] == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_line_without_a_time_takes_that_of_the_record_before() -> None:
    found = records("2026-11-23 17:21:32,636 INFO app.ai: x", 'INFO:     1.1.1.1:1 - "GET / HTTP/1.1" 200 OK')
    assert found[0]["timestamp"] == found[1]["timestamp"]


def test_a_pause_ends_a_record_that_nothing_else_ends() -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    found = records("INFO:app:x", "goes on", "much later", observed_timestamp=[start, start, start + timedelta(seconds=9)])
    assert [one["line_count"] for one in found] == [2, 1]


def test_pretty_printed_json_is_one_record() -> None:
    found = records("{", '  "event": "x",', '  "list": [', "    1", "  ]", "}", "plain")
    assert [one["line_count"] for one in found] == [6, 1]


def test_csvlog_fields_may_hold_newlines_and_other_programs_heads() -> None:
    (one,) = records(
        '2026-11-23 17:21:28.265 UTC,"u","d",11,"[local]",6741.1,1,"SELECT",2026-11-23 17:21:20 UTC,3/1,0,ERROR,22012,'
        '"division by zero",,,,,,"SELECT', "ERROR:app:no head", 'FROM x",,,"psql","client backend",,0',
    )  # fmt: skip
    assert (one["line_count"], one["sqlstate"], one["message"]) == (3, "22012", "division by zero")


def test_a_prefix_of_ones_own_is_read_by_option() -> None:
    lines = pl.DataFrame({name: ["p=12;d=shop;ERROR:  x"] if name == "text" else [None] for name in LINES}, schema=LINES)
    lines = lines.with_columns(position=pl.lit(0, pl.Int64), seq=pl.lit(0, pl.Int32))
    (one,) = parse(lines, Resource("x"), ParseOptions(prefix="p=%p;d=%d;", now=NOW)).to_dicts()
    assert (one["process_id"], one["severity_text"], attributes(one)["postgres.database"]) == ("12", "ERROR", "shop")


def test_open_from_keeps_the_record_that_may_still_grow() -> None:
    texts = ["INFO:app:one", "ERROR:app:two", "Traceback (most recent call last):"]
    data = {"text": texts, "position": [0, 1, 2], "seq": [0] * 3, "observed_timestamp": [NOW] * 3}
    lines = pl.DataFrame({name: data.get(name, [None] * 3) for name in LINES}, schema=LINES)
    assert open_from(cut([(lines, Resource("x"))], ParseOptions())) == [1]


@pytest.mark.parametrize(
    ("lines", "kind", "text", "root"),
    [
        (["java.lang.IllegalStateException: no", "\tat com.acme.X.y(X.java:1)", "Caused by: java.io.IOException: eof", "\t... 2 more"],
         "java.lang.IllegalStateException", "no", "java.io.IOException"),
        (["/app/index.js:3", "    throw new Error('no');", "    ^", "", "TypeError: no", "    at f (/app/index.js:3:7)", "", "Node.js v20.1.0"],
         "TypeError", "no", None),
        (["app.rb:3:in `foo': no (RuntimeError)", "\tfrom app.rb:7:in `<main>'"], "RuntimeError", "no", None),
        (['  File "x.py", line 3', "    def f(:", "          ^", "SyntaxError: no"], "SyntaxError", "no", None),
        (["kombu.exceptions.OperationalError: no"], "kombu.exceptions.OperationalError", "no", None),
        (["socket.gaierror: no"], "socket.gaierror", "no", None),
        (["psycopg2.errors.DeadlockDetected: no"], "psycopg2.errors.DeadlockDetected", "no", None),
        (["╭──── Traceback (most recent call last) ────╮", "│ x.py:3 in <module> │", "╰─────────────╯", "ValueError: no"], "ValueError", "no", None),
        (["ERROR:    Traceback (most recent call last):", '  File "x.py", line 1, in lifespan', "ValueError: no", ""], "ValueError", "no", None),
        (["System.IO.IOException (0x80004005): no", " ---> System.Net.Sockets.SocketException (111): refused", "   at A.B.C(String s) in C.cs:line 3",
          "--- End of inner exception stack trace ---", "at A.B.D()"], "System.IO.IOException", "no", "System.Net.Sockets.SocketException"),
        (["fail: Shop.Orders[1]", "      It failed.", "      A.B+CException: no", "         at A.B.C() in C.cs:line 3"], "A.B+CException", "no", None),
        (["PHP Fatal error:  Uncaught PDOException: no in /x.php:3", "Stack trace:", "#0 {main}"], "PDOException", "no", None),
        (["    return f()", '  File "x.py", line 3, in f', "    g()", "psycopg2.OperationalError: no"], "psycopg2.OperationalError", "no", None),
        (['  File "x.py", line 3, in f', "KeyError: 1", "", "During handling of the above exception, another exception occurred:", "",
          "Traceback (most recent call last):", '  File "x.py", line 5, in g', "ValueError: no"], "ValueError", "no", None),
    ],
)  # fmt: skip
def test_exceptions_without_a_traceback_of_pythons_own_form(lines: list[str], kind: str, text: str, root: str | None) -> None:
    one, following = records(*lines, "INFO:app:next")
    assert (one["line_count"], one["exception_type"], one["exception_message"]) == (len(lines), kind, text)
    level = 21 if lines[0].startswith("PHP Fatal") else 17
    assert (one["severity_number"], one["source"], attributes(one).get("exception.root_type")) == (level, "app", root)
    assert following["message"] == "next"


def test_an_exceptions_name_in_a_sentence_or_behind_a_head_is_no_exception() -> None:
    found = records("INFO:app:user wrote", "MemoryError: really", "ValueErrors: 0 today")
    assert [(one["line_count"], one["exception_type"]) for one in found] == [(3, None)]
    (plain,) = records("Handled ValueError: no")
    assert (plain["exception_type"], plain["severity_number"]) == (None, None)


def test_loggings_own_error_ends_before_its_call_stack() -> None:
    (one,) = records(
        "--- Logging error ---", *FRAME, "TypeError: not all arguments converted", "Call stack:", '  File "x.py", line 3', "Message: 'a'", "Arguments: (1,)",
    )  # fmt: skip
    assert (one["line_count"], one["exception_message"]) == (9, "not all arguments converted")


def test_blank_lines_before_the_first_words_belong_to_them() -> None:
    banner, line = records(" ", " -------------- ai@w1 v5.4.0 (opalescent)", "--- ***** ----- ", "INFO:app:next")
    assert (banner["line_count"], banner["source"], banner["first_line"]) == (3, "celery", 0)
    assert line["line_count"] == 1


def test_rich_leaves_out_the_time_that_stands_above() -> None:
    found = records("[02/03/26 10:00:00] INFO     one        x.py:1", "                    ERROR    two        x.py:2", "                             more")
    assert [(one["message"], one["severity_text"], one["line_count"]) for one in found] == [("one", "INFO", 1), ("two", "ERROR", 2)]
    assert found[0]["timestamp"] == found[1]["timestamp"]


def test_a_bare_traceback_below_an_info_line_of_celery_is_its_own_record() -> None:
    line = "[2026-11-23 17:22:55,484: INFO/MainProcess] celery@w1 ready."
    assert [one["line_count"] for one in records(line, *FRAME, "ValueError: 1")] == [1, 4]


REASON = "  Field required [type=missing, input_value={}, input_type=dict]"
VISIT = "    For further information visit https://errors.pydantic.dev/2.14/v/missing"


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (["2 validation errors for Job", "prompt", REASON, VISIT, "sizes.0.tagged-union[A, B].kind", REASON, VISIT], None),
        (["2 validation errors for Job", "prompt", "  field required (type=value_error.missing)", "size -> 0", "  no (type=type_error.integer)"], None),
        (["1 validation error for Job", "  Value error, no [type=value_error, input_value={}, input_type=dict]", VISIT], None),
        (["pydantic_core._pydantic_core.ValidationError: 1 validation error for Job", "prompt", REASON, VISIT],
         "pydantic_core._pydantic_core.ValidationError"),
        (["ValidationError: 1 validation error for Job", "prompt", REASON, VISIT], "ValidationError"),
        (["PAYLOAD 2 validation errors for Job", "prompt", REASON, VISIT, "size", REASON, VISIT], None),
    ],
)  # fmt: skip
def test_a_validation_error_without_a_traceback_is_one_record_and_takes_no_more(lines: list[str], kind: str | None) -> None:
    before, one, plain, following = records("Loading", *lines, "ready", "INFO:app:next")
    assert (before["message"], plain["message"], following["message"]) == ("Loading", "ready", "next")
    assert (one["line_count"], one["source"], one["severity_number"], one["exception_type"]) == (len(lines), "app", 17, kind)


def test_tracebacks_one_after_another_are_records_of_their_own_however_the_stream_is_cut() -> None:
    found = records(*FRAME, "ValueError: a", *FRAME, "KeyError: b", *FRAME, "OSError: c", "INFO:app:next")
    assert [one["exception_type"] for one in found] == ["ValueError", "KeyError", "OSError", None]


def test_a_redirected_traceback_without_indentation_is_one_record() -> None:
    head = "[2026-02-03 10:00:00,123: WARNING/MainProcess] "
    lines = [
        "Traceback (most recent call last):", 'File "/srv/app/beat.py", line 9, in tick', "self.sync()",
        'File "/srv/app/beat.py", line 12, in sync', "cursor.execute(sql)", "OSError: connection already closed",
    ]  # fmt: skip
    first, second = records(*(head + line for line in lines), head.replace("WARNING", "INFO") + "Writing entries...")
    assert (first["line_count"], first["exception_type"]) == (6, "OSError")
    assert second["source"] == "beat"


def test_a_count_of_validation_errors_takes_no_line_without_a_reason() -> None:
    assert [one["line_count"] for one in records("1 validation error for Job", "Loading", "ready", "INFO:app:next")] == [1, 1, 1, 1]
    assert [one["line_count"] for one in records("0 validation errors for x.csv", "prompt", REASON)] == [1, 2]


def test_a_validation_error_below_its_traceback_stays_there() -> None:
    (one,) = records(*FRAME, "pydantic_core.ValidationError: 1 validation error for Job", "prompt", REASON, VISIT)
    assert (one["line_count"], one["exception_type"]) == (7, "pydantic_core.ValidationError")


@pytest.mark.parametrize(
    ("message", "method", "status", "took"),
    [
        ("GET /x -> 500 in 30000ms", "GET", 500, 30000.0), ("POST /x 201 12.3ms", "POST", 201, 12.3),
        ('"GET /x" status=500 duration=1.2s', "GET", 500, 1200.0), ("GET /x HTTP/1.1 404 Not Found", "GET", 404, None),
        ("request completed method=GET path=/x status=503 elapsed_ms=812", "GET", 503, 812.0),
        ("Request finished: GET /x, status=404, duration=0.25", "GET", 404, 250.0), ("HTTP PUT /x responded 200 in 12.5 ms", "PUT", 200, 12.5),
        ("[r-1] 10.0.0.1:99 - GET /x 500 (9 ms)", "GET", 500, 9.0), ("GET /x 200 2 - 1.5 ms", "GET", 200, 1.5), ("GET /x - 500 - 3s", "GET", 500, 3000.0),
        ("GET /x client_ip=10.0.0.1 status=200 latency=9", "GET", 200, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("layout", ["2026-02-03 10:00:00,123 INFO app.mw: {}", "2026-02-03 10:00:00.123 | INFO     | app.mw:log:31 - {}", "json"])
def test_a_middlewares_line_tells_the_request(layout: str, message: str, method: str, status: int, took: float | None) -> None:
    line = json.dumps({"level": "info", "message": message}) if layout == "json" else layout.format(message)
    (one,) = records(line)
    assert (one["status_code"], one["duration_ms"], one["message"]) == (status, took, message)
    assert (attributes(one)["http.request.method"], attributes(one)["url.path"]) == (method, "/x")


def test_pairs_of_structlog_and_logfmt_tell_the_request() -> None:
    pairs = "method=GET path=/x status=503 elapsed_ms=812"
    for line in (f"2026-02-03T10:00:00Z [info     ] request_finished               [app] {pairs}", f"time=2026-02-03T10:00:00Z level=info msg=done {pairs}"):
        (one,) = records(line)
        assert (one["status_code"], one["duration_ms"], attributes(one)["url.path"]) == (503, 812.0, "/x")


@pytest.mark.parametrize(
    "message",
    ["retry 500 in 30 s", "GET /x 500 ms", "GET /items 500 rows", "GET /x/500", "GET /x took 500 ms", "GET /x failed, retry 500 in 30 s",
     "calling GET /x -> 500", "prompt=GET /x -> 500", "user says method=GET path=/x status=500", "prompt=why method=GET path=/x status=500",
     "method=GET path=https://acme.example/x status=500", "DELETE FROM x WHERE path='/x' AND status=500"],
)  # fmt: skip
def test_words_that_look_like_a_request_tell_none(message: str) -> None:
    (one,) = records(f"2026-02-03 10:00:00,123 INFO app.ai: {message}")
    assert (one["status_code"], one["duration_ms"], "url.path" in attributes(one)) == (None, None, False)


@pytest.mark.parametrize(
    "head",
    ["2026-02-03 10:00:00,123 INFO app.mw: ", "2026-02-03 10:00:00,123 - app.mw - ERROR - ", "INFO:     ", "ERROR:app:", "2026-02-03 10:00:00.123 UTC [6] LOG:  ",
     "[2026-02-03 10:00:00,123: INFO/MainProcess] ", '{"level":"info","message":""}', 'time=2026-02-03T10:00:00Z level=info msg=""'],
)  # fmt: skip
def test_a_head_with_nothing_behind_it_has_an_empty_message(head: str) -> None:
    (one,) = records(head)
    assert (one["message"], one["body"]) == ("", head)


def test_rabbitmqs_report_without_a_time_is_one_record_and_its_events_are_not_joined() -> None:
    found = records(
        "[info] <0.9.0> accepting AMQP connection", "[info] <0.9.0> connection authenticated",
        "[error] <0.7.0> ** Generic server x terminating", "[error] <0.7.0> ** Last message in was poll", "[error] <0.7.0>   crasher:",
    )  # fmt: skip
    assert [one["line_count"] for one in found] == [1, 1, 3]


def test_a_pythons_warning_takes_only_its_source() -> None:
    found = records("/app/x.py:3: UserWarning: old", "  warn()", "beat: Starting...")
    assert [one["line_count"] for one in found] == [2, 1]


def test_a_lower_case_level_opens_a_record_only_outside_of_another() -> None:
    found = records("error:  Error: connect ECONNREFUSED", "    at x (util.js:1:1)", "info: ready")
    assert [(one["severity_number"], one["line_count"]) for one in found] == [(17, 2), (9, 1)]
    (one,) = records("INFO:app:git said", "error: pathspec 'x' did not match")
    assert one["line_count"] == 2


def test_exceptions_printed_one_below_the_other_are_records_of_their_own() -> None:
    found = records("openai.AuthenticationError: a", "openai.NotFoundError: b", "INFO:app:x", "ValueError: c", "KeyError: d")
    assert [one["line_count"] for one in found] == [1, 1, 3]


def test_nothing_goes_on_with_an_access_line_of_djangos_server() -> None:
    found = records('[03/Feb/2026 10:00:00] "GET / HTTP/1.1" 302 0', "gone", *FRAME, "ValueError: 1", "[03/Feb/2026 10:00:01] started", "and more")
    assert [one["line_count"] for one in found] == [1, 1, 4, 2]
