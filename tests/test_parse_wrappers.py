"""Each carrier is taken off by sight, alone, nested and mixed with others in one stream."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from triage.parse import ParseOptions, parse
from triage.schema import LINES, Resource

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HEAD = "2026-11-23 17:21:32,636 INFO app.ai: ready"


def parsed(*texts: str, **columns: list[Any]) -> pl.DataFrame:
    """What the parser makes of some lines."""
    data: dict[str, Any] = {name: columns.get(name, [None] * len(texts)) for name in LINES}
    data |= {"text": list(texts), "position": list(range(len(texts))), "seq": [0] * len(texts)}
    return parse(pl.DataFrame(data, schema=LINES), Resource("given"), ParseOptions(now=NOW))


def records(*texts: str, **columns: list[Any]) -> list[dict[str, Any]]:
    """The records of some lines."""
    return parsed(*texts, **columns).to_dicts()


def json_file(log: str, stream: str = "stdout", time: str = "2026-11-23T17:21:32.700000001Z") -> str:
    return json.dumps({"log": log, "stream": stream, "time": time}, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(
    ("line", "service", "stream", "observed"),
    [
        (f"2026-11-23T17:21:32.700000001Z {HEAD}", "given", None, True),
        (f"2026-11-23T18:21:32.700000001+01:00 {HEAD}", "given", None, True),
        (json_file(HEAD + "\n"), "given", "stdout", True),
        (json_file("\x1b[32m" + HEAD + "\x1b[0m\r\n", "stderr"), "given", "stderr", True),
        (json.dumps({"stream": "stderr", "time": "2026-11-23T17:21:32.7Z", "log": HEAD + "\n"}), "given", "stderr", True),
        (f"2026-11-23T17:21:32.7Z stderr F {HEAD}", "given", "stderr", True),
        (f"web-1  | {HEAD}", "web", None, False),
        (f"web_12       | {HEAD}", "web", None, False),
        (f"\x1b[36mjointo-server-app  | \x1b[0m{HEAD}", "jointo-server-app", None, False),
        (f"web-1  | 2026-11-23T17:21:32.700000001Z {HEAD}", "web", None, True),
        (f"<14>Nov 23 17:21:32 host web[12]: {HEAD}", "web", None, False),
        (f"2026-11-23T17:21:32.7+00:00 host web[12]: {HEAD}", "web", None, True),
        (f"<14>1 2026-11-23T17:21:32.7Z host web 12 - - {HEAD}", "web", None, True),
        (f"2026-11-23T17:21:32.700000+00:00 app[web.1]: {HEAD}", "app", None, True),
        (f"\ufeff{HEAD}\r", "given", None, False),
        ("\x00" + HEAD + "\x00", "given", None, False),
    ],
)  # fmt: skip
def test_a_carrier_is_taken_off(line: str, service: str, stream: str | None, observed: bool) -> None:
    (one,) = records(line)
    assert (one["body"], one["message"], one["severity_text"]) == (HEAD, "ready", "INFO")
    assert (one["service_name"], one["log_iostream"]) == (service, stream)
    assert (one["observed_timestamp"] is not None) == observed
    assert one["timestamp"].replace(microsecond=0) == datetime(2026, 11, 23, 17, 21, 32, tzinfo=UTC)


def test_carriers_may_be_mixed_line_by_line() -> None:
    found = records(json_file(HEAD + "\n"), f"web-1  | {HEAD}", HEAD, f"2026-11-23T17:21:32.7Z stdout F {HEAD}")
    assert [one["body"] for one in found] == [HEAD] * 4


@pytest.mark.parametrize(
    "line",
    [
        "INFO     | app.x:run:12 - text",
        " id | name ",
        "2026-11-23 17:21:32.636 | INFO     | app:run:1 - a | b | c",
        "2026-11-23T17:21:32.700Z INFO app.module: text",
        '{"log":"text","level":"info"}',
    ],
)
def test_what_only_looks_like_a_carrier_stays(line: str) -> None:
    (one,) = records(line)
    assert (one["body"], one["service_name"]) == (line, "given")


def test_pieces_of_16_kib_are_joined_stream_by_stream() -> None:
    long = "x" * 16384
    found = records(
        json_file(f"INFO:app:{long}"), json_file("ERROR:app:other\n", "stderr"), json_file(long), json_file("end\n"),
    )  # fmt: skip
    assert [(one["body"], one["log_iostream"]) for one in found] == [
        (f"INFO:app:{long}{long}end", "stdout"), ("ERROR:app:other", "stderr"),
    ]  # fmt: skip
    assert (found[0]["first_line"], found[0]["last_line"], found[0]["line_count"]) == (0, 3, 1)


def test_json_that_was_split_is_read_once_it_is_whole() -> None:
    text = json.dumps({"event": "done", "level": "warning", "pad": "y" * 20_000})
    (one,) = records(json_file(text[:16384]), json_file(text[16384:] + "\n"))
    assert (one["message"], one["severity_text"]) == ("done", "warning")


def test_cri_partial_lines_are_joined() -> None:
    found = records(
        "2026-11-23T17:21:32.1Z stdout P INFO:app:one ", "2026-11-23T17:21:32.1Z stderr F WARNING:app:x",
        "2026-11-23T17:21:32.2Z stdout F two",
    )  # fmt: skip
    assert [one["body"] for one in found] == ["INFO:app:one two", "WARNING:app:x"]


def test_stamps_inside_a_long_line_of_docker_logs_are_removed() -> None:
    stamp = "2026-11-23T17:21:32.700000001Z "
    (one,) = records(f"{stamp}INFO:app:{'x' * 16375}{stamp}rest")
    assert one["body"] == f"INFO:app:{'x' * 16375}rest"


def test_compose_services_are_assembled_apart() -> None:
    found = records(
        "web-1    | ERROR:app:failed", "worker-1  | INFO:app:fine", "web-1    | Traceback (most recent call last):",
        'web-1    |   File "x.py", line 1, in f', "worker-1  | INFO:app:fine", "web-1    | ValueError: x",
    )  # fmt: skip
    assert [(one["service_name"], one["line_count"]) for one in found] == [("web", 4), ("worker", 1), ("worker", 1)]
    assert found[0]["exception_type"] == "ValueError"


def test_stdout_and_stderr_are_assembled_apart() -> None:
    found = records(
        "ERROR:    Exception in ASGI application", 'INFO:     1.1.1.1:1 - "GET / HTTP/1.1" 500 x',
        "Traceback (most recent call last):", "KeyError: 'k'",
        log_iostream=["stderr", "stdout", "stderr", "stderr"],
    )  # fmt: skip
    assert [(one["line_count"], one["exception_type"]) for one in found] == [(3, "KeyError"), (1, None)]


def test_colours_inside_the_quotes_of_an_access_line_hide_nothing() -> None:
    line = '\x1b[32mINFO\x1b[0m:     127.0.0.1:5 - "\x1b[1mGET /ok HTTP/1.1\x1b[0m" \x1b[31m404 Not Found\x1b[0m'
    (one,) = records(line)
    assert (one["status_code"], "\x1b" in one["body"]) == (404, False)


@pytest.mark.parametrize("escape", ["\x1b", "", "^[", "\\u001b", "\\033", "\ufffd"])
def test_colours_whose_escape_was_lost_or_written_out_hide_nothing(escape: str) -> None:
    (one,) = records(f"{escape}[32mINFO{escape}[0m:     took rate(x[5m]) {escape}[1m1 s{escape}[0m")
    assert (one["severity_text"], one["message"]) == ("INFO", "took rate(x[5m]) 1 s")


def test_a_range_of_minutes_is_no_colour() -> None:
    (one,) = records("INFO:app:rate(x[0m]) and [31m] of rate(y[1m])")
    assert one["message"] == "rate(x[0m]) and [31m] of rate(y[1m])"


def test_lines_copied_from_docker_desktop_lose_its_local_times() -> None:
    at = "2026-02-03 18:00:01 "
    found = records(
        at + "[2026-02-03 10:00:01,500: INFO/MainProcess] ready", at + "INFO:     Started", at + "Traceback (most recent call last):",
        at + '  File "x.py", line 1, in f', at + "app.errors.RefusedError: no", at, at + "2026-02-03 10:00:01.700 UTC [1] LOG:  ready",
        at + "ERROR app.core boom",
    )  # fmt: skip
    assert [(one["line_count"], one["source"], one["exception_type"]) for one in found] == [
        (1, "celery", None), (1, "app", None), (4, "app", "app.errors.RefusedError"), (1, "postgres", None), (1, "app", None),
    ]  # fmt: skip
    assert found[0]["timestamp"] == datetime(2026, 2, 3, 10, 0, 1, 500_000, tzinfo=UTC)


def test_a_viewers_time_before_the_parts_of_a_traceback_is_taken_off_and_so_are_names_behind_it() -> None:
    for at, second in (("2026-02-03 18:00:01.250\t", 18), ("2026-02-03T18:00:01+02:00 ", 16)):
        (one,) = records(at + '  File "x.py", line 1, in f', at + "    return g()", at + "redis.exceptions.ConnectionError: gone")
        assert (one["line_count"], one["exception_type"], one["timestamp"].hour) == (3, "redis.exceptions.ConnectionError", second)
    (one,) = records("2026-02-03 18:00:01 api-1         | 2026-02-03 10:00:01,500 ERROR app.core boom")
    assert (one["service_name"], one["message"], one["timestamp"].hour) == ("api", "boom", 10)


@pytest.mark.parametrize(
    ("line", "service", "text"),
    [
        ('{"date":1770112800.5,"log":"INFO:app:hello","kubernetes":{"container_name":"web","host":"n1"}}', "web", "hello"),
        ('{"container_id":"0ab","container_name":"/web","source":"stdout","log":"INFO:app:hello"}', "web", "hello"),
        ('{"container_name":"web","message":"INFO:app:hello","source_type":"docker_logs","timestamp":"2026-02-03T10:00:00.5Z"}', "web", "hello"),
        ("web-5c79bd8f6d-x2k9p web INFO:app:hello", "web", "hello"),
        ("[web-5c79bd8f6d-x2k9p] INFO:app:hello", "web", "hello"),
        ("web.1.0abcdefghijk@node-1    | INFO:app:hello", "web", "hello"),
        ("10:00:00 web.1     | INFO:app:hello", "web", "hello"),
        ("2026-02-03T10:00:00.5Z app[148ed] ord [info] INFO:app:hello", "app", "hello"),
        ("[  123.456789] host-1 web[12]: INFO:app:hello", "web", "hello"),
        ("   2026-02-03T10:00:00.50-0400 [APP/PROC/web/0] ERR INFO:app:hello", "web", "hello"),
        ("Tue 2026-02-03 10:00:00 UTC host-1 web[12]: INFO:app:hello", "web", "hello"),
    ],
)
def test_shippers_and_viewers_are_taken_off(line: str, service: str, text: str) -> None:
    (one,) = records(line)
    assert (one["service_name"], one["scope_name"], one["message"]) == (service, "app", text)


def test_an_object_with_a_level_of_its_own_is_no_shippers() -> None:
    (one,) = records('{"level":"error","message":"INFO:app:quoted","container_name":"web","labels":{"a":"b"}}')
    assert (one["severity_text"], one["message"]) == ("error", "INFO:app:quoted")


def test_journal_export_gives_host_level_and_container() -> None:
    entry = {"__REALTIME_TIMESTAMP": "1795454488265000", "MESSAGE": list(b"plain"), "PRIORITY": "3", "_HOSTNAME": "h",
             "CONTAINER_NAME": "web", "_PID": "7"}  # fmt: skip
    (one,) = records(json.dumps(entry))
    assert (one["body"], one["host_name"], one["severity_number"], one["container_name"]) == ("plain", "h", 17, "web")


def test_syslog_chunks_of_one_postgres_message_are_one_record() -> None:
    head = "Nov 23 21:34:00 db-1 postgres[8715]:"
    (one,) = records(
        f"{head} [5-1] [8715] u@d ERROR:  duplicate key value", f"{head} [5-2] [8715] u@d STATEMENT:  INSERT",
        f"{head} [5-3] #011INTO x",
    )  # fmt: skip
    assert (one["line_count"], one["process_id"], one["source"]) == (3, "8715", "postgres")
    assert {pair["key"]: pair["value"] for pair in one["attributes"]}["postgres.statement"] == "INSERT\nINTO x"
