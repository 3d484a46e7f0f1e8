"""Layouts of one program each that fit no habit: Tornado and Jupyter, vLLM, LiteLLM, Odoo, OpenStack, AWS Lambda, Bitnami's images."""

from __future__ import annotations

from triage.parse.layout import ISO, TIME_ONLY, Layout

_UPPER = r"TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|CRIT|FATAL|EXCEPTION|SUCCESS"
_LETTER = r"\[(?P<level>[DIWEFC]) "

LAYOUTS = (
    Layout("general.tornado_iso", "app", rf"(?P<head>{_LETTER}{ISO} (?P<logger>[\w.:\-]+)\] )"),
    Layout("general.tornado", "app", rf"(?P<head>{_LETTER}(?P<ts>\d{{6}} \d\d:\d\d:\d\d) (?P<logger>[\w.:\-]+)\] )", clock="tornado"),
    Layout("general.tornado_time", "app", rf"(?P<head>{_LETTER}{TIME_ONLY} (?P<logger>[\w.:\-]+)\] )", clock="time"),
    Layout(  # vLLM and SGLang: INFO 05-14 10:00:00 [api_server.py:1043] text
        "general.month_day",
        "app",
        r"(?P<head>(?:\((?P<thread>[\w\-]+)(?: pid=(?P<pid>\d+))?\) )?(?P<level>" + _UPPER + r") (?P<ts>\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(?P<frac>\d+))? "
        r"(?:\[?(?P<place>[\w./\-]+:\d+)\] )?)",
        clock="month_day",
    ),
    Layout(  # Odoo: 2026-02-03 10:00:00,123 12 INFO db odoo.modules.loading: text
        "general.odoo",
        "app",
        rf"(?P<head>{ISO} (?P<pid>\d+) (?P<level>{_UPPER}) (?P<database>[\w.\-]+|\?) (?P<logger>odoo|openerp|werkzeug|[a-z_]\w*(?:\.\w+)+): )",
        tier=1,
    ),
    Layout(  # OpenStack's oslo.log: 2017-05-16 00:00:04.500 2931 INFO nova.compute.manager [req-… - - - - -] text
        "general.oslo",
        "app",
        rf"(?P<head>(?:[\w.\-]+\.log\S* )?{ISO} (?P<pid>\d+) (?P<level>{_UPPER}) (?P<logger>[\w.]+) \[(?P<req>req-[\w\-]+|-)[^\]]*\] )",
        tier=1,
    ),
    Layout(  # LiteLLM, whose loggers are named by two words: 10:00:00 - LiteLLM Proxy:ERROR: proxy_server.py:12 - text
        "general.litellm",
        "app",
        rf"(?P<head>{TIME_ONLY} - (?P<logger>LiteLLM(?: \w+)?):(?P<level>{_UPPER}): (?P<place>\S+:\d+) - )",
        tier=1,
        clock="time",
    ),
    Layout(  # the scripts of Bitnami's images: postgresql 10:00:00.12 INFO  ==> text
        "general.bitnami",
        "other",
        rf"(?P<head>(?P<logger>[a-z][a-z0-9\-]*) +{TIME_ONLY}(?: (?P<level>DEBUG|INFO|WARN|ERROR) +==>| |$) *)",
        tier=1,
        clock="time",
    ),
    Layout(  # AWS Lambda: [ERROR]	2026-02-03T10:00:00.123Z	<request id>	text
        "general.lambda",
        "app",
        rf"(?P<head>\[(?P<level>{_UPPER})\][\t ]{ISO}(?P<zone>Z)[\t ](?P<req>[0-9a-f]{{8}}-[0-9a-f\-]{{27}})[\t ])",
        tier=1,
    ),
)
