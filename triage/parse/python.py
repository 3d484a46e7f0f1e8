"""Layouts of Python programs: logging, uvicorn, gunicorn, Flask, Django, loguru, structlog.

Programs choose their own formats, so the dated layouts describe habits (level before the logger or after it, with
brackets, dashes or bars between) and not single programs.
"""

from __future__ import annotations

from triage.parse.layout import ISO, LEVEL, LOGGER, NUMERIC_ZONE, OTHER_STAMP, TIME_ONLY, Layout

STAMP = r"\[?" + ISO + NUMERIC_ZONE + r"\]?"
# Not an address and a port: `… - INFO - 127.0.0.1:5000 - "GET /` is uvicorn's access line in a format of one's own.
PLACE = r"(?P<place>[A-Za-z_/<][\w./<>\-]*:\d+|[A-Za-z_/<][\w./<>\-]*:[\w<>.]+:\d+)"
PID = r"(?P<pid>\d+)"
_UP = r"(?P<level>TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|FATAL|EXCEPTION|SUCCESS)"

UVICORN_ACCESS = (
    r"(?P<head>" + _UP + r": {1,9})(?P<client>[0-9a-zA-Z.:\[\]_\-]*) - "
    r'"(?P<method>[A-Z]+) (?P<path>[^" ]*)(?: HTTP/[\d.]+)?" (?P<status>\d{3})\b'
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
        r"|Unhandled exception|Exception in callback |Exception happened during processing of request from |--- Logging error ---"
        r"|Error in sys\.excepthook:|Fatal Python error: |Exception in ASGI application|Process [A-Z]\w+-\d+(?::\d+)*:$)",
        clock="none",
        tags=frozenset({"error"}),
    ),
    Layout(
        "python.announced_warning",
        "app",
        r"(?P<head>)(?:(?:Not Found|Forbidden|Bad Request|Method Not Allowed|Unauthorized|Gone|Conflict)(?: \([^)]*\))?: /"
        r"|Exception ignored in[: ]|Task was destroyed but it is pending!|Unclosed client session|[\w./\-]+\.py:\d+: \w*Warning: )",
        clock="none",
        tags=frozenset({"warning"}),
    ),
    Layout(
        "python.gunicorn",
        "app",
        r"(?P<head>\[" + ISO + r" (?P<zone>[+-]\d{4})\] \[" + PID + r"\] \[" + LEVEL + r"\] ?)",
        tags=frozenset({"traceback"}),
    ),
    Layout(
        "python.basic",
        "app",
        r"(?P<head>(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL|NOTSET|Level \d+|TRACE|NOTICE|SUCCESS)"
        r":(?P<logger>[A-Za-z_][^\s:]*):(?:(?P<line>\d+):)?)",
    ),
    Layout(
        "python.loguru",
        "app",
        r"(?P<head>" + STAMP + r" ?\| ?(?:(?P<pid>\d+) ?\| ?)?" + LEVEL + r" *\| ?"
        r"(?:(?P<logger>[\w.<>$\-]+)(?::(?P<function>[\w<>.\-]*):(?P<line>\d+) ?[-|] ?| ?\| ?))?)",
        tier=1,
    ),
    Layout(
        "python.structlog",
        "app",
        r"(?P<head>(?:\[?" + ISO + NUMERIC_ZONE + r"\]? )?\[(?P<level>[a-z]+) {1,8}\] )",
        tier=0,
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
    Layout(
        "python.level_first",
        "app",
        r"(?P<head>\[?" + LEVEL + r" *\]?(?: -|:| \||,)? *\[?" + ISO + NUMERIC_ZONE + r"\]?"
        r"(?:(?: -|:| \||,)? \[?(?P<logger>[A-Za-z_][\w\-]*(?:\.[\w\-]+)+|[a-z_][\w]*)\]?(?::(?P<line>\d+))?(?::| -| \|))?(?: -| \||:)? ?)",
        tier=2,
    ),
    Layout(  # 2026-02-03 10:00:00,123 - app.ai - ERROR - message
        "python.dashed_logger_level",
        "app",
        r"(?P<head>" + STAMP + r" - (?:\[?" + PID + r"\]? - )?(?P<logger>[^\s\-\[][^\s\[]*)(?: \[?" + PLACE + r"\]?)? - "
        r"(?:\[?(?P<thread>[\w\-]+)\]? - )?\[?" + LEVEL + r"\]?"
        r"(?: - \[?(?P<where>[A-Za-z_/<][\w./<>\-]*:\d+)\]?)?(?: - | |: ?))",
        tier=1,
    ),
    Layout(
        "python.dashed_level",
        "app",
        r"(?P<head>" + STAMP + r" - \[?" + LEVEL + r"\]?(?: - \[?(?P<logger>[A-Za-z_][\w.\-]*)\]?(?::(?P<line>\d+))?(?: -)|: | -) ?)",
        tier=2,
    ),
    Layout(  # 2026-02-03 10:00:00,123 [INFO] app.ai: message, with or without pid, thread, place
        "python.bracketed",
        "app",
        r"(?P<head>" + STAMP + r"(?: -|:)? ?(?:\[" + PID + r"\] ?)?(?:\[(?P<thread>(?:MainThread|Thread-\d+[^\]]*|[\w\-]+Executor[^\]]*|MainProcess|ForkPoolWorker-\d+|asyncio[^\]]*))\] ?)?"
        r"\[ *" + LEVEL + r" *\]:? ?"
        r"(?:\[" + r"(?P<req>[0-9a-fA-F]{8}-[0-9a-fA-F\-]{4,27}|[0-9a-f]{16,32}|req[\w\-]+|-)\] ?)?"
        r"(?:\[(?P<place>[\w./\-]+\.py:\d+(?::[\w<>]+)?)\] ?)?"
        r"(?:\[?(?:(?P<logger>[A-Za-z_][\w\-]*(?:\.[\w\-]+)+|[a-z_]\w*)(?::(?P<line>\d+))?)\]?(?::| -|\]) ?)?(?:- )?)",
        tier=1,
    ),
    Layout(  # 2026-02-03 10:00:00,123 INFO app.ai message; the logger must look like one
        "python.dated",
        "app",
        r"(?P<head>" + STAMP + r":? (?:\| )?(?:\[?" + PID + r"\]? )?" + LEVEL + r" *:?(?: \||(?: \[(?P<pid2>\d+)\]))? +"
        r"(?:(?:\[(?P<thread>[\w\- .#/]+)\] )?\[?(?P<logger>[A-Za-z_][\w\-]*(?:\.[\w\-]+)+|__\w+__|root|httpx|uvicorn|celery|kombu"
        r"|sqlalchemy|django|asyncio|werkzeug|urllib3|openai|aiohttp|botocore|boto3|requests|alembic|redis|pika|httpcore"
        r"|gunicorn|fastapi|starlette|[a-z_]\w*(?::| -|\]:?))\]?(?:[:(](?P<line>\d+)[)\]]?| [(\[](?P<place>[\w./<>\-]+:[\w<>.:]*\d+)[)\]])?(?::| -| \||) *)?(?:- )?)",
        tier=3,
    ),
    Layout(  # 2026-02-03 10:00:00,123 app.ai INFO message, also with [pid] or a thread between
        "python.dated_logger_first",
        "app",
        r"(?P<head>" + STAMP + r":? (?:\[?" + PID + r"\]? )?(?:\[(?P<thread>[\w\- .#/@:]+)\] )?\[?" + LOGGER + r"\]?(?:[:(](?P<line>\d+)\)?)?:? +\[?" + LEVEL + r"\]?(?: -|:)? +(?:- )?)",
        tier=4,
    ),
    Layout(
        "python.dated_bare",
        "app",
        r"(?P<head>" + STAMP + r"(?: -|:| \||,)? *)",
        tier=9,
    ),
    Layout(
        "python.other_clock",
        "app",
        r"(?P<head>\[?" + OTHER_STAMP + r"\]?(?: ?[\-|:] ?| ?, ?| )(?:(?P<logger>[A-Za-z_][\w.]*) ?[\-|:] ?)?\[?" + LEVEL + r"\]?(?: ?[\-|:] ?| +))",
        tier=3,
        clock="loose",
    ),
    Layout(  # rich's handler and short formats: the date comes from the receive time or the record before
        "python.time_only",
        "app",
        r"(?P<head>\[?" + TIME_ONLY + r"\]?(?: ?[\-|:] ?| +)\[?" + LEVEL + r"\]?(?: *[\-|:] ?| +)"
        r"(?:(?P<logger>[A-Za-z_][\w]*(?:\.\w+)*)(?::(?P<function>[\w<>]+):(?P<line>\d+))?(?::| -) )?)",
        tier=3,
        clock="time",
    ),
    Layout(  # pytest's live log: WARNING  app.ai:ai.py:12 message
        "python.pytest",
        "app",
        r"(?P<head>" + _UP + r" +(?P<logger>[\w.]+):(?P<place>[\w.]+\.py:\d+) )",
        clock="none",
        tier=1,
    ),
    Layout(
        "python.epoch",
        "app",
        r"(?P<head>\[?(?P<ts>1\d{9}\.\d{1,6})\]?(?: ?[\-|:] ?| )\[?" + LEVEL + r"\]?(?: ?[\-|:] ?| +))",
        clock="epoch",
        tier=3,
    ),
    Layout(  # Django's runserver: [23/Nov/2026 17:22:05] "GET / HTTP/1.1" 200 12
        "python.runserver",
        "app",
        r"(?P<head>\[(?P<ts>\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d)\] (?:" + LEVEL + r" )?(?:\[(?P<logger>[\w.]+)(?::(?P<line>\d+))?\] )?)"
        r'(?:"(?P<method>[A-Z]+) (?P<path>[^" ]*)(?: HTTP/[\d.]+)?" (?P<status>\d{3})\b)?',
        clock="clf",
    ),
)
