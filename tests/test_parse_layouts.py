"""One line of each layout, without options: what it is from, its level, logger, process and message."""

from __future__ import annotations

from datetime import UTC, datetime
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
    f"{T} CET, DB=jointo, USR=app, CLIENT=10.0.0.1, APP=psql,LOG:  ready": {"source": "postgres", "message": "ready"},
    f"{T} UTC:10.0.0.1:app@jointo:[12]:LOG: duration: 0.5 ms statement: x": {"source": "postgres", "process_id": "12", "duration_ms": 0.5},
    f"{T}.790 UTC 64bf2ff1.21fc1e 0 jointo app [local] 2227230 5LOG:  ready": {"source": "postgres", "process_id": "2227230", "message": "ready"},
    f'"{T}.269 UTC","app","jointo",12,"10.0.0.1:5",00000001.000003e9,1,"SELECT","{T} UTC",1/1,0,LOG,00000,"ready",,,,,,,,,"psql","client backend",0': {
        "source": "postgres", "process_id": "12", "message": "ready"},
    f"waiting for server to start....{T}.456 UTC [48] LOG:  ready": {"source": "postgres", "process_id": "48", "message": "ready"},
    "PostgreSQL init process complete; ready for start up.": {"source": "postgres"},
    # what a level and a colon do not make Postgres
    f"{T},123 ERROR: something failed": {"source": "app", "severity_text": "ERROR", "message": "something failed"},
    f"{T},123 app ERROR: something failed": {"source": "app", "scope_name": "app", "message": "something failed"},
    "[123] ERROR: something failed": {"source": "app", "process_id": "123", "message": "something failed"},
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
    "2026-02-03 10:00.07 [error    ] limited                        n=2": {
        "timestamp": datetime(2026, 2, 3, 10, 0, 7, tzinfo=UTC), "severity_text": "error", "message": "limited"},
    f"{T}.670 36 ERROR connection error: refused": {"process_id": "36", "scope_name": None, "message": "connection error: refused"},
    "10:00:00 - LiteLLM Proxy:ERROR: proxy_server.py:123 - boom": {"scope_name": "LiteLLM Proxy", "message": "boom"},
    "postgresql 10:00:00.12 INFO  ==> Loading": {"source": "other", "scope_name": "postgresql", "severity_text": "INFO", "message": "Loading"},
    "redis 10:00:00.12 Welcome": {"scope_name": "redis", "message": "Welcome"},
    # the same fields in the order of somebody's format string
    f"{T},123 INFO     [app.core] [core.py:42] [trace_id=4bf92f3577b34da6a3ce929d0e0e4736 sampled=True] - hello": {
        "scope_name": "app.core", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "message": "hello"},
    f"{T}.336 | INFO     | PID:19 | TID:140228931271552 | app.tasks:page:34 - hello": {
        "scope_name": "app.tasks", "process_id": "19", "thread_name": "140228931271552", "message": "hello"},
    f"{T},123 [12345:MainThread] INFO app.core: hello": {"process_id": "12345", "thread_name": "MainThread", "scope_name": "app.core"},
    f"{T},123 [main] INFO  com.acme.Y - hello": {"thread_name": "main", "scope_name": "com.acme.Y", "message": "hello"},
    f"{T},123 app.core[12345] ERROR redis failed": {"scope_name": "app.core", "process_id": "12345", "message": "redis failed"},
    f"{T},123\tWARNING\tapp.core\tcore.py:42\thello": {"severity_number": 13, "scope_name": "app.core", "message": "hello"},
    f"{T},123 ERROR error: refused": {"severity_text": "ERROR", "scope_name": None, "message": "error: refused"},
    f"{T},123 INFO (1, 2)": {"process_id": None, "message": "(1, 2)"},
    f"{T},123 ERROR config.yaml not found": {"scope_name": None, "message": "config.yaml not found"},
    f"{T},123 starting 3 jobs: error budget left": {"severity_text": None, "message": "starting 3 jobs: error budget left"},
    f"{T},123 INFO [user_id=12 job_id=j1] hello": {"user_id": "12", "job_id": "j1", "message": "hello"},
    f"[{T},123: WARNING] hello": {"severity_text": "WARNING", "message": "hello"},
    f"[ERROR:{T},167:signal.py:280:send] hello": {"severity_text": "ERROR", "message": "hello"},
    f"INFO|{T},123|app.core|hello": {"scope_name": "app.core", "message": "hello"},
    f"{T} UTC+0800 INFO hello": {"timestamp": datetime(2026, 2, 3, 2, tzinfo=UTC), "message": "hello"},
    "03-02-2026 10:00:00 INFO hello": {"timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC), "message": "hello"},
    "Tue Feb  3 10:00:00 2026 ERROR app.core hello": {"timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC), "scope_name": "app.core"},
    "[02/03/26 10:00:00] ERROR    hello       core.py:12": {"timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC), "message": "hello"},
    "02-03 10:00 root         INFO     hello": {"timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC), "scope_name": "root", "message": "hello"},
    "[2026-02-03, 10:00:00 UTC] {taskinstance.py:13} ERROR - hello": {"timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC), "message": "hello"},
    "Feb 03 10:00:00 PM  ERROR hello": {"timestamp": datetime(2026, 2, 3, 22, tzinfo=UTC), "severity_text": "ERROR", "scope_name": None},
    "26-02-03 10:00:00 ERROR hello": {"timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC), "severity_text": "ERROR"},
    "1770112800123 ERROR hello": {"timestamp": datetime(2026, 2, 3, 10, 0, 0, 123_000, tzinfo=UTC), "message": "hello"},
    f"[{T}] production.ERROR: hello": {"severity_text": "ERROR", "scope_name": "production", "message": "hello"},
    "[INFO/MainProcess] hello": {"thread_name": "MainProcess", "message": "hello"},
    "app.core - ERROR - hello": {"severity_text": "ERROR", "scope_name": "app.core", "message": "hello"},
    "WARNING hello": {"severity_text": "WARNING", "message": "hello"},
    "2026-02-03T10:00:00.123Z\tERROR\tReconciler error": {"severity_text": "ERROR", "message": "Reconciler error"},
    "03 Feb 10:00:00 # Opening port: bind: Address already in use": {"source": "redis", "severity_number": 13},
    # Celery under another logger's format, and of before 3.1
    f"{T},123 [celery.app.trace] [INFO] Task a.b[0608e3a1-2222-4333-8444-555566667777] succeeded in 0.5s: None": {
        "source": "celery", "task_name": "a.b", "duration_ms": 500.0},
    f"{T},100 INFO beat: Scheduler: Sending due task mail (app.mail)": {"source": "beat", "task_name": "app.mail"},
    f"[{T},123: INFO/MainProcess] [a.b(0608-1)] hello": {"task_id": "0608-1", "task_name": "a.b", "message": "hello"},
    f"[{T},123: CRITICAL/MainProcess] beat raised exception <class 'OSError'>: OSError('x')": {"source": "beat"},
    # access lines in other layouts, and how long they took
    f'[{T} +0000] [7] [INFO] 10.0.0.1:5 - - [03/Feb/2026:10:00:00 +0000] "GET /x 2" 503 5 "-" "curl"': {"process_id": "7", "status_code": 503},
    '10.0.0.1 - - [03/Feb/2026:10:00:00 +0000] "GET /x HTTP/1.1" 200 612 "-" "curl" rt=0.250': {"duration_ms": 250.0},
    '10.0.0.1 - - [03/Feb/2026:10:00:00 +0000] "GET /x HTTP/1.1" 200 612 "-" "curl" 512 0.234 [web] [] 10.0.0.2:80': {"duration_ms": 234.0},
    '10.0.0.1:5 - - [03/Feb/2026:10:00:00] "WSCONNECT /ws" - -': {"source": "app", "timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC)},
    "INFO:tornado.access:500 GET /x (10.0.0.1) 12.5ms": {"status_code": 500, "duration_ms": 12.5},
    "[pid: 12|app: 0|req: 5/10] 10.0.0.1 () {4 vars in 5 bytes} [Tue Feb  3 10:00:00 2026] GET /x => generated 1 bytes in 5 msecs (HTTP/1.1 500) 2": {
        "status_code": 500, "duration_ms": 5.0, "process_id": "12"},
    f'{T},123 DEBUG urllib3.connectionpool https://acme.example:443 "GET /x HTTP/1.1" 500 None': {"status_code": None},
    f'https {T.replace(" ", "T")}.186641Z app/edge/0a1b 10.0.0.1:5 10.0.0.2:80 0.001 0.250 0.000 502 - 34 366 "GET https://a.example:443/x?y=1 HTTP/2.0" "curl" - -': {
        "source": "nginx", "status_code": 502, "duration_ms": 251.0, "timestamp": datetime(2026, 2, 3, 10, 0, 0, 186_641, tzinfo=UTC)},
    f'h2 {T.replace(" ", "T")}.186641Z app/edge/0a1b 10.0.0.1:5 - -1 -1 -1 503 - 34 366 "GET https://a.example:443/x HTTP/2.0" "curl" - -': {
        "status_code": 503, "duration_ms": None},
    f'{T.replace(" ", "T")}.186641Z edge-1 10.0.0.1:5 10.0.0.2:80 0.001 0.250 0.000 502 502 34 366 "GET https://a.example:443/x?y=1 HTTP/1.1" "curl" - -': {
        "source": "nginx", "status_code": 502, "duration_ms": 251.0},
    f'{T.replace(" ", "T")}.186641Z edge-1 10.0.0.1:5 - -1 -1 -1 504 0 0 0 "GET http://a.example:80/x HTTP/1.1" "curl" - -': {"status_code": 504, "duration_ms": None},
    '2026-02-03T10:00:00.100000+00:00 heroku[router]: at=error code=H12 desc="Request timeout" method=GET path="/x" host=a.example request_id=0a1b-2c fwd="10.0.0.1" dyno=web.1 connect=1ms service=30001ms status=503 bytes=0 protocol=https': {
        "source": "nginx", "severity_text": "error", "status_code": 503, "duration_ms": 30001.0, "request_id": "0a1b-2c", "process_id": None},
    'sock=client at=warning code=H18 desc="Interrupted" method=POST path="/x" dyno=web.1 connect=2ms service=40ms status=503 bytes=7': {
        "severity_text": "warning", "duration_ms": 40.0},
    '10.0.0.1 - [10.0.0.1] - - [03/Feb/2026:10:00:00 +0000] "GET /x HTTP/1.1" 499 0 "-" "curl" 512 0.234 [web] 10.0.0.2:80 0 0.2 499': {
        "status_code": 499, "duration_ms": 234.0},
    """INFO: ('10.0.0.1', 39320) - "GET /x HTTP/1.1" 500""": {"status_code": 500, "severity_text": "INFO"},
    '10.0.0.1 -  -  [03/Feb/2026:10:00:00 +0000] "GET /x HTTP/1.1" 200 - "-" "-"  293': {"status_code": 200},
    'a.example 10.0.0.1 - app [03/Feb/2026:10:00:00 +0000] "GET /x HTTP/1.1" 200 368 "-" "curl"': {"status_code": 200},
    '10.0.0.1:53332 [03/Feb/2026:10:00:00.143] front~ back/web1 0/0/7/1457/1487 502 11394 - - ---- 2/1/0/0/0 0/0 {curl} {} "GET /x HTTP/1.1"': {
        "source": "nginx", "status_code": 502, "duration_ms": 1487.0, "timestamp": datetime(2026, 2, 3, 10, 0, 0, 143_000, tzinfo=UTC)},
    "1770112800.123    812 10.0.0.7 TCP_MISS/503 1523 GET http://a.example/x - HIER_DIRECT/10.1.1.1 text/html": {
        "source": "nginx", "status_code": 503, "duration_ms": 812.0, "timestamp": datetime(2026, 2, 3, 10, 0, 0, 123_000, tzinfo=UTC)},
    "1770112800.123      0 10.0.0.7 NONE_NONE/000 0 CONNECT a.example:443 - HIER_NONE/- -": {"status_code": None, "duration_ms": 0.0},
    # a word and a dash: a sentence behind a bare level, a logger where a format sets it apart
    "ERROR timeout - retrying": {"severity_text": "ERROR", "scope_name": None, "message": "timeout - retrying"},
    "ERROR - worker - hello": {"scope_name": "worker", "message": "hello"},
    "ERROR app.core - hello": {"scope_name": "app.core", "message": "hello"},
    "WARNING retry: attempt 2 of 5": {"severity_text": "WARNING", "scope_name": None, "message": "retry: attempt 2 of 5"},
    "WARNING worker: hello": {"scope_name": "worker", "message": "hello"},
    "INFO root - hello": {"scope_name": "root", "message": "hello"},
    f"{T},123 ERROR worker - hello": {"scope_name": "worker", "message": "hello"},
    # objects of other loggers
    '{"level":400,"level_name":"ERROR","channel":"app","message":"boom"}': {"severity_text": "ERROR", "scope_name": "app"},
    '{"severity":"ERROR","jsonPayload":{"message":"boom","logger":"app"},"timestamp":"2026-02-03T10:00:00Z"}': {"message": "boom", "scope_name": "app"},
    '{"level":"ERROR","fields":{"message":"boom"},"target":"app::core","timestamp":"2026-02-03T10:00:00Z"}': {"message": "boom"},
    '{"event":"boom","level":"error","exception":[{"exc_type":"KeyError","exc_value":"x","frames":[]}]}': {"exception_type": "KeyError"},
    '{"_time":"2026-02-03T10:00:00.5Z","message":"boom"}': {"timestamp": datetime(2026, 2, 3, 10, 0, 0, 500_000, tzinfo=UTC)},
    '{"time_local":"03/Feb/2026:10:00:00 +0000","request":"GET /x HTTP/1.1","status":"502","request_time":"1.5"}': {
        "timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC), "status_code": 502, "duration_ms": 1500.0},
    '{"level":"info","msg":"x","latency":35}': {"duration_ms": None},
    '{"level":"info","msg":"x","latency":0.035}': {"duration_ms": 35.0},
    '{"level":"info","msg":"x","duration_seconds":2}': {"duration_ms": 2000.0},
    "event='user login' level=warning logger='app.auth' user_id=7": {"severity_number": 13, "message": "user login", "user_id": "7"},
    "E, [2026-02-03T10:00:00.123456 #12] ERROR -- : boom": {"severity_text": "ERROR", "process_id": "12", "message": "boom"},
    # neighbours
    f"{T}.123  INFO 12 --- [           main] com.acme.App : hello": {"thread_name": "main", "scope_name": "com.acme.App", "message": "hello"},
    "081109 203615 148 INFO dfs.DataNode: gone": {"scope_name": "dfs.DataNode", "process_id": "148", "message": "gone"},
    "17/06/09 20:10:40 WARN executor.Backend: gone": {"severity_text": "WARN", "message": "gone"},
    "03-17 16:13:38.811  1702  2395 E Window: gone": {"severity_number": 17, "process_id": "1702", "message": "gone"},
    "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass": {"process_id": "19939", "message": "check pass"},
    "Jun 14 15:16:01 kernel: oom_reaper: reaped process 7 (x)": {"source": "kernel", "message": "oom_reaper: reaped process 7 (x)"},
    'heroku[router]: at=error code=H12 status=503': {"source": "other"},
    '2026-02-03T10:00:00+00:00 heroku[router]: at=error code=H12 status=503': {"severity_text": "error", "status_code": 503},
    "app | INFO:     10.0.0.1:5 - \"GET /x HTTP/1.1\" 500 Internal Server Error": {"service_name": "app", "status_code": 500},
    f"app | {T},123 | INFO | hello": {"severity_text": "INFO", "scope_name": "app", "message": "hello"},
    "redis-1  | hello": {"service_name": "redis", "source": "redis"},
    'web-proxy-1  | 10.0.0.1 - - [03/Feb/2026:10:00:00 +0000] "GET /x HTTP/1.1" 200 1': {"service_name": "web-proxy", "source": "nginx"},
    'api-1  | 10.0.0.1 - - [03/Feb/2026:10:00:00 +0000] "GET /x HTTP/1.1" 200 1': {"service_name": "api", "source": "app"},
    "Error response from daemon: port is already allocated": {"source": "other", "severity_number": 17},
    "[pod/app-5c79b/app] 2026-02-03 10:00:00,123 ERROR app.x boom": {"service_name": "app", "scope_name": "app.x", "message": "boom"},
    "[error] 7#7: *3 upstream timed out": {"source": "nginx", "severity_text": "error", "process_id": "7", "message": "upstream timed out"},
    'nginx: [emerg] host not found in upstream "api:8000" in /etc/nginx/nginx.conf:3': {"source": "nginx", "severity_number": 24},
    f"{T}.123456+00:00 [erro] <0.183.0> boom": {"source": "rabbitmq", "severity_number": 17, "process_id": "<0.183.0>", "message": "boom"},
    "[warning] <0.183.0> boom": {"source": "rabbitmq", "severity_text": "warning", "message": "boom"},
    f"10.0.0.9 {T}.123 UTC [812] app@jointo ERROR:  boom": {"source": "postgres", "process_id": "812", "message": "boom"},
    f"[local] {T}.123 UTC [812] app@jointo LOG:  ready": {"source": "postgres", "process_id": "812", "message": "ready"},
    f" {T}.123 UTC [1] LOG:  ready": {"source": "postgres", "process_id": "1", "message": "ready"},
    f"{T}.123 KST [812] 오류:  없음": {"source": "postgres", "severity_text": "ERROR"},
    f"{T}.123 UTC [1] LOG C-0x55: jointo/app@10.0.0.9:5001 login attempt": {"source": "other", "severity_text": "LOG", "process_id": "1"},
    "psql: error: connection refused": {"severity_number": 17, "message": "connection refused"},
    '[GIN] 2026/02/03 - 10:00:00 | 502 |     213.4µs |      127.0.0.1 | POST     "/v1/jobs"': {
        "source": "app", "status_code": 502, "duration_ms": 0.2134, "timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC)},
    "[GIN] 2026/02/03 - 10:00:00 | 20260203100000123456789 | 429 |  1.25s | 10.0.0.9 |    POST /v1/jobs": {
        "status_code": 429, "duration_ms": 1250.0, "request_id": "20260203100000123456789"},
    "[GIN] 2026/02/03 - 10:00:00 | 200 | 1m2.5s | 10.0.0.9 | GET /": {"status_code": 200, "duration_ms": None},
    "[GIN-debug] Listening and serving HTTP on :8080": {"severity_number": 5, "message": "Listening and serving HTTP on :8080"},
    "[ERR] 2026/02/03 - 10:00:00 | 20260203100000123456789 | relay error": {
        "severity_number": 17, "request_id": "20260203100000123456789", "message": "relay error"},
    f"{T}.123Z pid=1 tid=abc class=Worker jid=b4a5 elapsed=1.0 INFO: done".replace(" 10:", "T10:"): {"process_id": "1", "thread_name": "abc", "message": "done"},
    "fail: Shop.Orders[20004] boom": {"severity_number": 17, "scope_name": "Shop.Orders", "message": "boom"},
    "2026-02-03T10:00:00.123+0000 E QUERY    [conn12] boom 1532ms": {
        "source": "other", "severity_number": 17, "scope_name": "QUERY", "thread_name": "conn12", "duration_ms": 1532.0},
    "[03-Feb-2026 10:00:00 UTC] PHP Fatal error:  boom": {"severity_number": 21, "message": "boom", "timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC)},
    "PHP Warning:  Undefined variable": {"severity_number": 13, "message": "Undefined variable"},
    "[Nest] 41  - 02/03/2026, 10:00:00 AM   ERROR [Orders] boom": {
        "severity_text": "ERROR", "scope_name": "Orders", "process_id": "41", "message": "boom", "timestamp": datetime(2026, 2, 3, 10, tzinfo=UTC)},
    "(node:18) [DEP0018] DeprecationWarning: old": {"severity_number": 13, "process_id": "18", "message": "DeprecationWarning: old"},
    "2026-02-03T10:00:00Z INF pkg/server/watcher.go:123 > hello": {"severity_number": 9, "message": "hello"},
    '{"DownstreamStatus":504,"Duration":30003554321,"RequestMethod":"POST","RequestPath":"/v1/jobs","level":"info","msg":"x"}': {
        "status_code": 504, "duration_ms": 30003.554321},
    "[Wed Feb 19 06:41:04 2026] [21034]     0 21034  850  34  13  6  0  0 chrome": {"severity_number": None},
    '{"severity":"ERROR","message":"Traceback (most recent call last):\\n  File \\"a.py\\", line 1, in f\\nValueError: no"}': {
        "exception_type": "ValueError", "message": "ValueError: no"},
    "dependency failed to start: container app-db-1 is unhealthy": {"source": "other", "severity_number": 17},
    "npm ERR! code 1": {"severity_number": 17, "message": "code 1"},
    'fatal: [db1]: UNREACHABLE! => {"changed": false}': {"source": "other", "severity_number": 17},
    "thread 'main' panicked at src/main.rs:3:5:": {"source": "other", "severity_number": 17},
    "/app/x.py:12: DeprecationWarning: old": {"source": "app", "severity_number": 13},
    "[2026-02-03 10:00:00,123: INFO/MainProcess] Task Send mail[8a0b5b3e-6c1c-4f2e-8d8f-1a2b3c4d5e6f] succeeded in 0.5s: None": {
        "source": "celery", "task_name": "Send mail", "task_id": "8a0b5b3e-6c1c-4f2e-8d8f-1a2b3c4d5e6f", "duration_ms": 500.0},
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
    lines = [line for line in LINES if not line.startswith(("heroku", "10:00:00"))]
    assert [one["line_count"] for one in records(*lines)] == [1] * len(lines)
