"""One line of each layout, without options: what it is from, its level, logger, process and message."""

from __future__ import annotations

from typing import Any

import pytest

from tests.test_parse_wrappers import records

T = "2026-02-03 10:00:00"
LINES: dict[str, dict[str, Any]] = {
    # Postgres, by the prefixes that its packagers and hosts set
    f"{T} UTC:10.0.0.1(48808):app@jointo:[18762]:LOG:  ready": {"source": "postgres", "process_id": "18762", "sqlstate": None, "message": "ready"},
    f"{T} UTC [23505]: [3-1] user=app,db=jointo - PG-57014 ERROR:  x": {"source": "postgres", "process_id": "23505", "sqlstate": "57014"},
    f"{T} UTC-5eefe116.22f4-LOG:  could not": {"source": "postgres", "process_id": "8948", "message": "could not"},
    f"51-{T} UTC-619553d1.33-2-10.0.0.1-app-jointo-{T}.562 UTC LOG:  x": {"source": "postgres", "process_id": "51"},
    f"{T}.123 UTC|app|jointo|10.1.2.3(55000)|23505|7|23505|{T} UTC|3/4|0|652fbc8a.5bd1|ERROR:  x": {"process_id": "23505", "sqlstate": "23505"},
    f"{T}.406 UTC [25] ERROR:  42704: unknown parameter": {"sqlstate": "42704", "message": "unknown parameter"},
    " sql_error_code = 28000 FATAL:  no entry": {"source": "postgres", "severity_text": "FATAL", "sqlstate": "28000"},
    "2026-02-03T10:00:00+00:00 app[postgres.1]: [DATABASE] [9-1]  sql_error_code = 57014 ERROR:  x": {"source": "postgres", "sqlstate": "57014"},
    f"{T}.000 CET [12] ERREUR:  interblocage": {"source": "postgres", "severity_text": "ERROR", "message": "interblocage"},
    # what a level and a colon do not make Postgres
    f"{T},123 ERROR: something failed": {"source": "app", "severity_text": "ERROR", "message": "something failed"},
    f"{T},123 app ERROR: something failed": {"source": "app", "scope_name": "app", "message": "something failed"},
    "[123] ERROR: something failed": {"source": "other", "message": "[123] ERROR: something failed"},
    # Python by habit
    f'{T},123 - uvicorn.access - INFO - 127.0.0.1:1 - "GET / HTTP/1.1" 200': {"scope_name": "uvicorn.access", "status_code": 200},
    f"[{T},000] {{scheduler_job.py:123}} ERROR - finished": {"severity_text": "ERROR", "message": "finished"},
    f"[{T},123] [PID 12] [Thread-4] [dramatiq.worker.Consumer] [CRITICAL] gone": {"severity_text": "CRITICAL", "process_id": "12",
        "thread_name": "Thread-4", "scope_name": "dramatiq.worker.Consumer", "message": "gone"},
    f"{T},123:ERROR:superset.views.base:boom": {"severity_text": "ERROR", "scope_name": "superset.views.base", "message": "boom"},
    f"{T},123 [E] boom": {"severity_number": 17, "message": "boom"},
    f"{T},123 x.py[line:12] ERROR boom": {"severity_text": "ERROR", "message": "boom"},
    f"{T},123 12 INFO jointo odoo.modules.loading: loading": {"process_id": "12", "scope_name": "odoo.modules.loading", "message": "loading"},
    f"{T}.500 29 INFO nova.compute [req-3ea4 - - - -] started": {"request_id": "req-3ea4", "scope_name": "nova.compute", "message": "started"},
    f"{T}.123 ERROR (MainThread) [homeassistant.core] boom": {"scope_name": "homeassistant.core", "thread_name": "MainThread"},
    "[E 260203 10:00:00 web:2239] boom": {"severity_number": 17, "scope_name": "web:2239", "message": "boom"},
    "ERROR 02-03 10:00:00 [engine.py:41] boom": {"severity_text": "ERROR", "message": "boom"},
    "10:00:00 - LiteLLM:ERROR: proxy_server.py:123 - boom": {"severity_text": "ERROR"},
    "INFO  [alembic.runtime.migration] Context": {"scope_name": "alembic.runtime.migration", "message": "Context"},
    f"{T} [warning  ] limited                   [app.ai] job_id=j-1 n=2": {"message": "limited", "scope_name": "app.ai", "job_id": "j-1"},
    # neighbours
    "081109 203615 148 INFO dfs.DataNode: gone": {"scope_name": "dfs.DataNode", "process_id": "148", "message": "gone"},
    "17/06/09 20:10:40 WARN executor.Backend: gone": {"severity_text": "WARN", "message": "gone"},
    "03-17 16:13:38.811  1702  2395 E Window: gone": {"severity_number": 17, "process_id": "1702", "message": "gone"},
    "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass": {"process_id": "19939", "message": "check pass"},
    'heroku[router]: at=error code=H12 status=503': {"source": "other"},
    '2026-02-03T10:00:00+00:00 heroku[router]: at=error code=H12 status=503': {"severity_text": "error", "status_code": 503},
    "[pod/app-5c79b/app] 2026-02-03 10:00:00,123 ERROR app.x boom": {"service_name": "app", "scope_name": "app.x", "message": "boom"},
    '{"level":50,"time":1767261600000,"pid":1,"msg":"boom"}': {"severity_number": 17, "message": "boom"},
    '{"textPayload":"2026-02-03 10:00:00.000 UTC [12]: [1-1] db=a,user=b ERROR:  x","timestamp":"2026-02-03T10:00:01Z"}': {
        "source": "postgres", "process_id": "12", "message": "x"},
    '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1767261600000000000","severityNumber":17,"body":{"stringValue":"boom"}}]}]}]}': {
        "severity_number": 17, "message": "boom"},
}  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), LINES.items(), ids=[line[:50] for line in LINES])
def test_a_line_is_read_by_its_layout(line: str, expected: dict[str, Any]) -> None:
    (record,) = records(line)
    assert {name: record[name] for name in expected} == expected


def test_every_line_of_the_table_is_a_record_of_its_own_in_one_stream() -> None:
    lines = [line for line in LINES if not line.startswith(("[123] ERROR", "heroku", "10:00:00"))]
    assert [one["line_count"] for one in records(*lines)] == [1] * len(lines)
