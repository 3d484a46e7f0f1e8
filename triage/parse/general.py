"""Layouts by habit: a time, fields in brackets or between separators, a level. Formats that no one program owns.

`general.dated` is asked last before a time alone; what its fields mean is read afterwards by their form (`read`).
The rest are formats of one program each that fit no habit: Tornado and Jupyter, vLLM, Odoo, OpenStack, AWS Lambda.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from triage.parse.layout import ISO, LEVEL, NUMERIC_ZONE, TIME_ONLY, Layout, ascii_classes

if TYPE_CHECKING:
    from triage.parse.heads import Heads

_UPPER = r"TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|CRIT|FATAL|EXCEPTION|SUCCESS"
_ANY_CASE = r"(?i:TRACE|DEBUG|VERBOSE|INFO|NOTICE|WARNING|WARN|ERROR|ERR|CRITICAL|CRIT|FATAL|ALERT|PANIC|SEVERE|EMERG)"
_GROUP = r"(?:\[[^\]\n]{0,80}\]|\([^)\n]{0,80}\)|\{[^}\n]{0,80}\})"
_WORD = r"[\w.\-/#@$]{1,60}(?:\[[^\]\n]{0,40}\])?"
_SEPARATOR = r"(?: *[|:;,] *| +- +)"
_FIELDS = rf"(?:{_WORD} +)?(?:{_GROUP} *(?:[-|:;,] *)?|{_WORD}{_SEPARATOR}){{0,6}}(?:{_WORD} +)?"
_DOTTED = r"[A-Za-z_]\w*(?:\.[\w\-]+)+(?::[\w<>]+:\d+|:\d+)?"
_AFTER = r"(?: *[-|:;,] *| +|$)"
_LEVEL = rf"(?:(?P<level>(?:{_UPPER}))\b{_AFTER}|\[ *(?P<level2>{_ANY_CASE}|[DIWEFC]) *\] *(?:[-|:;,] *)?)"
_MORE = rf"(?P<more>(?:(?:[\[(]{_DOTTED}[\])] *(?:[-|:;,] *)?|{_DOTTED}{_AFTER})){{0,2}})"
_LETTER = r"\[(?P<level>[DIWEFC]) "

LAYOUTS = (
    Layout(
        "general.dated",
        "app",
        rf"(?P<head>\[?{ISO}{NUMERIC_ZONE}\]?(?: *[-|:;,] *| +)?(?P<fields>{_FIELDS}){_LEVEL}{_MORE})",
        tier=8,
        tags=frozenset({"fields"}),
    ),
    Layout("general.timed", "app", rf"(?P<head>{TIME_ONLY}(?: *[-|:;,] *| +)(?P<fields>(?:[\w.\-]+ )?{_FIELDS}){_LEVEL}{_MORE})",
           tier=8, clock="time", tags=frozenset({"fields"})),
    Layout("general.time", "app", rf"(?P<head>{TIME_ONLY}:? +)", tier=9, clock="time", tags=frozenset({"weak"})),
    Layout("general.level_bracket", "app", rf"(?P<head>\[(?P<level>{_UPPER})\] +)", tier=4, clock="none"),
    Layout(  # Alembic's own configuration: INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.
        "general.level_logger", "app", rf"(?P<head>(?P<level>{_UPPER}) +\[(?P<logger>[\w.\-]+)\] )", tier=4, clock="none",
    ),
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
    Layout(
        "general.month_day_first", "app",
        r"(?P<head>(?P<ts>\d\d-\d\d \d\d:\d\d:\d\d)(?:[.,](?P<frac>\d+))? +(?P<level>" + _UPPER + r") +)", clock="month_day",
    ),
    Layout(  # Odoo: 2026-02-03 10:00:00,123 12 INFO db odoo.modules.loading: text
        "general.odoo",
        "app",
        rf"(?P<head>{ISO} (?P<pid>\d+) (?P<level>{_UPPER}) (?P<database>[\w.\-]+|\?) (?P<logger>[a-z_]\w*(?:\.\w+)*): )",
        tier=1,
    ),
    Layout(  # OpenStack's oslo.log: 2017-05-16 00:00:04.500 2931 INFO nova.compute.manager [req-… - - - - -] text
        "general.oslo",
        "app",
        rf"(?P<head>(?:[\w.\-]+\.log\S* )?{ISO} (?P<pid>\d+) (?P<level>{_UPPER}) (?P<logger>[\w.]+) \[(?P<req>req-[\w\-]+|-)[^\]]*\] )",
        tier=1,
    ),
    Layout(  # Home Assistant and others: 2026-02-03 10:00:00.123 ERROR (MainThread) [homeassistant.core] text
        "general.thread_logger",
        "app",
        rf"(?P<head>\[?{ISO}{NUMERIC_ZONE}\]? +{LEVEL} +\((?P<thread>[^)\n]{{1,60}})\) (?:\[(?P<logger>[\w.\-]+)\] )?)",
        tier=1,
    ),
    Layout(  # AWS Lambda: [ERROR]	2026-02-03T10:00:00.123Z	<request id>	text
        "general.lambda",
        "app",
        rf"(?P<head>\[(?P<level>{_UPPER})\][\t ]{ISO}(?P<zone>Z)[\t ](?P<req>[0-9a-f]{{8}}-[0-9a-f\-]{{27}})[\t ])",
        tier=1,
    ),
)

_PLACE = ascii_classes(r"\b([\w./\-]+\.py(?::\w+)?:\d+|[\w./\-]+\.py\[line:\d+\])")
_LOGGER = ascii_classes(r"(?:^|[\s\[({|:;,])([A-Za-z_]\w*(?:\.[A-Za-z_][\w\-]*)+)(?:\(\w*\))?(?:$|[\s\])}|:;,])")
_PID = ascii_classes(r"(?:\b(?i:pid)[ =:]?|\[|^| )(\d{1,7})(?:\]|$|[\s|:;,])")
_THREAD = ascii_classes(r"\b(MainThread|MainProcess|Thread-\d+(?: ?\([\w.]+\))?|[\w\-]*(?:Executor|PoolWorker)[\w\-]*|asyncio_\d+)")


def read(frame: pl.DataFrame, groups: pl.DataFrame, heads: Heads) -> pl.DataFrame:
    """The level in either form, and logger, process, thread and place by theirs."""
    text = pl.select(pl.format("{} {}", groups["fields"].fill_null(""), groups["more"].fill_null(""))).to_series()
    place = text.str.extract(_PLACE)
    plain = text.str.replace_all(_PLACE, " ")
    heads.attribute(frame["row"], "code.place", place)
    return frame.with_columns(
        level=frame["level"].fill_null(groups["level2"]), logger=plain.str.extract(_LOGGER), pid=plain.str.extract(_PID),
        thread=plain.str.extract(_THREAD),
    )  # fmt: skip
