"""Layouts of Python programs and servers that have one of their own: uvicorn, gunicorn, Flask, Django, structlog.

What programs choose for themselves with logging or loguru is in `habits.py`.
"""

from __future__ import annotations

from triage.parse.layout import ISO, LEVEL, NUMERIC_ZONE, Layout

_UP = r"(?P<level>TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|FATAL|EXCEPTION|SUCCESS)"

UVICORN_ACCESS = (
    r"(?P<head>" + _UP + r": {1,9})(?P<client>[0-9a-zA-Z.:\[\]_\-]*|\('[0-9a-fA-F.:]+', \d+\)) - "
    r'"(?P<method>[A-Z]+) (?P<path>[^" ]*)(?: HTTP/[\d.]+)?" (?P<status>\d{3})\b'
)

_RUNSERVER = (
    r"(?P<head>\[(?P<ts>\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d)(?:[.,](?P<frac>\d{1,9}))?\] (?:" + LEVEL + r" )?(?:\[(?P<logger>[\w.]+)(?::(?P<line>\d+))?\] )?)"
)

LAYOUTS = (
    Layout("python.uvicorn_access", "app", UVICORN_ACCESS, tier=0, single=True),
    Layout(  # the same logger under gunicorn or a formatter of one's own
        "python.uvicorn_access_bare",
        "app",
        r'(?P<head>)(?P<client>[0-9a-fA-F.:\[\]]+:\d+) - "(?P<method>[A-Z]+) (?P<path>[^" ]*)(?: HTTP/[\d.]+)?" (?P<status>\d{3})\b',
        single=True,
        clock="none",
    ),
    Layout(  # Django's django.server without a date
        "python.runserver_bare",
        "app",
        r'(?P<head>)"(?P<method>[A-Z]+) (?P<path>[^" ]*) HTTP/[\d.]+" (?P<status>\d{3}) (?P<size>\d+|-)\s*$',
        single=True,
        clock="none",
    ),
    Layout(  # what Python and its frameworks write without a logger's head, and what goes on with a traceback
        "python.announced_error",
        "app",
        r"(?P<head>)(?:Internal Server Error: /|Service Unavailable: /|Exception in thread |(?:Task|Future) exception was never retrieved"
        r"|Unhandled [eE]xception|Exception in callback |Exception happened during processing of request from |--- Logging error ---"
        r"|Error in sys\.excepthook:|Fatal Python error: |Exception in ASGI application|Process [A-Z]\w+-\d+(?::\d+)*:$)",
        clock="none",
        tags=frozenset({"error"}),
    ),
    Layout(
        "python.announced_warning",
        "app",
        r"(?P<head>)(?:(?:Not Found|Forbidden|Bad Request|Method Not Allowed|Unauthorized|Gone|Conflict)(?: \([^)]*\))?: /"
        r"|Exception ignored in[: ]|Task was destroyed but it is pending!|Unclosed client session"
        r"|[\w./\-]+\.py:\d+: (?:Security|C(?:Pending)?Deprecation)Warning: )",  # Celery's are of many lines,
        clock="none",
        tags=frozenset({"warning"}),
    ),
    Layout(  # the source below it is indented
        "python.warning", "app", r"(?P<head>)[\w./\\:\-]+\.py:\d+: \w*Warning: ", tier=1, clock="none", single=True, tags=frozenset({"warning"}),
    ),
    Layout(
        "python.gunicorn",
        "app",
        r"(?P<head>\[" + ISO + r" (?P<zone>[+-]\d{4})\] \[(?P<pid>\d+)\] \[" + LEVEL + r"\] ?)",
        tags=frozenset({"traceback"}),
    ),
    Layout(
        "python.basic",
        "app",
        r"(?P<head>(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL|NOTSET|Level \d+|TRACE|NOTICE|SUCCESS)"
        r":(?P<logger>[A-Za-z_][^\s:]*):(?:(?P<line>\d+):)?)",
    ),
    Layout(
        "python.structlog",
        "app",
        r"(?P<head>(?:\[?" + ISO + NUMERIC_ZONE + r"\]? )?\[(?P<level>[a-z]+) {1,8}\] )",
        tier=0,
        tags=frozenset({"pairs"}),
    ),
    Layout(  # structlog before 20.2, whose default has a point before the seconds and may print no level
        "python.structlog_default",
        "app",
        r"(?P<head>(?P<ts>\d{4}-\d\d-\d\d \d\d:\d\d\.\d\d) (?:\[(?P<level>[a-z]+) {1,8}\] )?)",
        clock="structlog",
        tags=frozenset({"pairs"}),
    ),
    Layout(
        "python.flask",
        "app",
        r"(?P<head>\[" + ISO + r"\] " + LEVEL + r" in (?P<logger>[\w.\-]+): )",
    ),
    Layout("python.uvicorn", "app", r"(?P<head>" + _UP + r": {1,9})", tier=3),
    Layout(  # Django's "verbose": INFO 2026-02-03 10:00:00,123 views 1234 140 message
        "python.level_first_django",
        "app",
        r"(?P<head>\[?" + LEVEL + r"\]? \[?" + ISO + NUMERIC_ZONE + r"\]? (?P<logger>[\w.]+) (?P<pid>\d+) (?P<thread>\d+) )",
        tier=1,
    ),
    Layout(  # pytest's live log: WARNING  app.ai:ai.py:12 message
        "python.pytest",
        "app",
        r"(?P<head>" + _UP + r" +(?P<logger>[\w.]+):(?P<place>[\w.]+\.py:\d+) )",
        clock="none",
        tier=1,
    ),
    Layout(  # Django's runserver: [23/Nov/2026 17:22:05] "GET / HTTP/1.1" 200 12
        "python.runserver",
        "app",
        _RUNSERVER + r'"(?P<method>[A-Z]+) (?P<path>[^" ]*)(?: HTTP/[\d.]+)?" (?P<status>\d{3})\b',
        clock="clf",
        single=True,
    ),
    Layout("python.runserver_text", "app", _RUNSERVER, tier=1, clock="clf"),
)
