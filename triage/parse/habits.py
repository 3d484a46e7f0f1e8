"""Heads by habit: a time, a level, and fields between them or behind, in the order that somebody's format string has.

No program owns these. A layout finds the time and the level, and what stands between; the fields behind the level are
peeled off the message one by one for as long as they have the form of a field (`fields.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from triage.parse import fields, logfmt
from triage.parse.layout import ISO, NUMERIC_ZONE, OTHER_STAMP, SLASHED, TIME_ONLY, YEARLESS_STAMP, Layout

if TYPE_CHECKING:
    from triage.parse.heads import Heads

_SHORT = r"DBG|INF|WRN|ERR|FTL|VRB|TRC"  # Serilog
_UPPER = rf"TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|CRIT|FATAL|EXCEPTION|SUCCESS|SEVERE|Level \d+|{_SHORT}"
_ANY_CASE = (
    r"(?i:TRACE|DEBUG|VERBOSE|INFORMATION|INFO|SUCCESS|NOTICE|WARNING|WARN|ERROR|ERR|EXCEPTION|CRITICAL|CRIT|FATAL|ALERT|PANIC"
    rf"|SEVERE|EMERGENCY|EMERG)|Level \d+|{_SHORT}"
)
_S = r"[ \t]"
_BETWEEN = rf"(?:{_S}*(?:[|:;,]|=>){_S}*|{_S}+--?{_S}+|{_S}+)"
# Anything short may stand before the level; the first word that can be one is it.
_GROUP = r"(?:\[[^\]\n]*\]|\([^)\n]*\)|\{[^}\n]*\}|<[^>\n]*>)"
_WORD = r"[\w.\-/#@$]+(?:\[[^\]\n]*\]|\(\d*\))?"
_BEFORE = rf"(?:{_WORD}{_S}+)??(?:{_GROUP}{_S}*(?:[-|:;,]{_S}*)?|{_WORD}(?:{_S}*[|:;,]{_S}*|{_S}+-{_S}+))*?(?:{_WORD}{_S}+)??"
# Without a time: a name that looks like one, or anything in brackets.
_NAMES = rf"(?:\[[^\]\n]*\]{_S}*(?:[-|:]{_S}*)?|[A-Za-z_][\w.\-]*(?:{_S}*[|:]{_S}*|{_S}+-{_S}+|{_S}{{2,}})|[A-Za-z_]\w*(?:\.\w+)+{_S})"
_THREAD = r"(?:/(?P<thread>[\w\-]+))?"
_LEVEL = (
    rf"(?:[\[(<]{_S}*(?P<boxed>{_ANY_CASE}|[DIWEFC]){_THREAD}{_S}*[\])>](?P<after_box>{_BETWEEN}?)"
    rf"|(?P<level>{_ANY_CASE})(?P<after>{_BETWEEN}|$))"
)
_FIRST = rf"(?:(?P<level>{_UPPER}|(?i:DEBUG|INFO|WARN|WARNING|ERROR):)|[\[(<]{_S}*(?P<boxed>{_ANY_CASE}){_S}*[\])>]){_BETWEEN}"
_MARGIN = r" {2,}([0-9A-Za-z_\-]+\.py:[0-9]+)\s*$"
_TAGS = frozenset({"fields"})


def _clocked(name: str, stamp: str, clock: str, zone: str = NUMERIC_ZONE) -> tuple[Layout, ...]:
    """The habits around one way of writing a time."""
    time = rf"[\[(<]?{stamp}{zone}[\])>]?-?"
    inside = rf"[\[(<]{stamp}{zone}{_BETWEEN}(?P<level>{_UPPER})"
    return (
        Layout(f"habit.{name}", "app", rf"(?P<head>(?P<time>{time}{_BETWEEN}?)(?P<fields>{_BEFORE}){_LEVEL})", tier=3, clock=clock, tags=_TAGS),
        Layout(f"habit.{name}_inside", "app", rf"(?P<head>{inside}(?P<fields>[^\]\n]*)\](?P<after>{_BETWEEN}?))", tier=2, clock=clock, tags=_TAGS),
        Layout(f"habit.level_{name}", "app", rf"(?P<head>{_FIRST}{time}(?P<after>{_BETWEEN}|$))", tier=2, clock=clock, tags=_TAGS),
        Layout(  # [ERROR:2026-02-03 10:00:00,123:signal.py:280:send] text
            f"habit.level_{name}_inside", "app",
            rf"(?P<head>[\[(<](?P<level>{_UPPER}){_BETWEEN}{stamp}{zone}(?P<fields>{_BETWEEN}[^\]\n]*)?\](?P<after>{_BETWEEN}?))",
            tier=2, clock=clock, tags=_TAGS,
        ),
    )  # fmt: skip


LAYOUTS = (
    *_clocked("iso", ISO, "iso"),
    *_clocked("slashed", SLASHED, "slashed"),
    *_clocked("other", OTHER_STAMP, "loose"),
    *_clocked("yearless", YEARLESS_STAMP, "yearless"),
    *_clocked("time", r"(?P<ts>[0-2]\d:[0-5]\d(?::[0-5]\d)?)(?:[.,](?P<frac>\d{1,9}))?", "time", zone=""),
    *_clocked("epoch", r"(?P<ts>1\d{9}(?:\d{3}|\.\d{1,6})?)", "epoch", zone=""),
    Layout("habit.level_boxed", "app", rf"(?P<head>\[{_S}*(?P<level>{_ANY_CASE}){_THREAD}{_S}*\](?P<after>{_BETWEEN}|$))",
           tier=4, clock="none", tags=_TAGS),
    Layout("habit.level", "app", rf"(?P<head>(?P<level>{_UPPER})(?P<after>{_S}*\|{_S}*|{_S}+-{_S}+|{_S}+))", tier=4, clock="none", tags=_TAGS),
    Layout("habit.named", "app", rf"(?P<head>(?P<fields>{_NAMES}{{1,3}}?)(?:(?P<level>{_UPPER})|\[{_S}*(?P<boxed>{_UPPER}){_S}*\])(?P<after>{_BETWEEN}|$))",
           tier=5, clock="none", tags=_TAGS, unless=r"^[\w.]*(?:Error|Exception|Warning|Exit)\b"),
    Layout(  # app | 2026-02-03 10:00:00,123 | INFO | text
        "habit.named_iso", "app",
        rf"(?P<head>(?P<fields>{_NAMES}{{1,2}}?)[\[(<]?{ISO}{NUMERIC_ZONE}[\])>]?{_BETWEEN}"
        rf"(?:(?P<level>{_UPPER})|[\[(<]{_S}*(?P<boxed>{_ANY_CASE}){_S}*[\])>])(?P<after>{_BETWEEN}|$))",
        tier=5, tags=_TAGS,
    ),
    Layout(  # rich leaves out a time that is the line's before
        "habit.level_indented", "app", r"(?P<head> {10,40}(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)(?P<after> +))",
        clock="none", tags=_TAGS,
    ),
    Layout("habit.dated", "app", rf"(?P<head>\[?{ISO}{NUMERIC_ZONE}\]?(?: -|:| \||,)? *)", tier=9),
    Layout("habit.dated_otherwise", "app", rf"(?P<head>\[?{OTHER_STAMP}{NUMERIC_ZONE}\]?(?: -|:| \||,)? *)", tier=9, clock="loose"),
    Layout("habit.timed", "app", rf"(?P<head>\[?{TIME_ONLY}\]?:? +)", tier=9, clock="time", tags=frozenset({"weak"})),
)  # fmt: skip


def read(frame: pl.DataFrame, groups: pl.DataFrame, heads: Heads) -> pl.DataFrame:
    """The level in either of its forms, and what the fields before and behind it say."""
    names = set(groups.columns)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)

    def group(*of: str) -> pl.Series:
        present = [groups[name] for name in of if name in names]
        return pl.select(pl.coalesce(present)).to_series() if present else nothing

    level, boxed = group("level").str.strip_chars_end(":"), group("boxed")
    before, after = group("fields").fill_null(""), group("after", "after_box").fill_null("")
    message = frame["message"]
    if "time" in names:
        # In the midst of words only capitals, brackets or a separator make a word the level.
        doubtful = (boxed.is_null() & (before != "") & (level != level.str.to_uppercase()) & ~after.str.contains("[|:-]")).fill_null(False)
        if doubtful.any():
            level = level.zip_with(~doubtful, nothing)
            whole = pl.select(pl.format("{}{}{}{}", before, groups["level"].fill_null(""), after, message)).to_series()
            message, before = whole.zip_with(doubtful, message), before.set(doubtful, "")
    # rich sets the place at the right margin.
    margin = nothing
    if message.str.contains(_MARGIN).any():
        margin, message = message.str.extract(_MARGIN), message.str.replace(_MARGIN, "")
    ahead = fields.before(before)
    found = fields.behind(message, after, ahead["logger"].is_not_null(), "ts" in names)
    joined = {name: ahead[name].fill_null(found[name]) for name in fields.COLUMNS}
    # One word in brackets is a logger only where there is no better: `[main] INFO com.x.Y - text`.
    yields = (ahead["logger"].is_not_null() & ~ahead["sure"].fill_null(False) & found["sure"].fill_null(False)).fill_null(False)
    joined["thread"] = joined["thread"].fill_null(ahead["logger"].zip_with(yields, nothing))
    joined["logger"] = found["logger"].zip_with(yields, joined["logger"])
    joined["place"] = joined["place"].fill_null(margin)
    for key, name in (("code.place", "place"), ("code.function", "function"), ("code.line", "line")):
        heads.attribute(frame["row"], key, joined[name])
    if joined["pairs"].null_count() < frame.height:
        fields.pairs(frame["row"], joined["pairs"], heads)
        ids = {name: logfmt.value(joined["pairs"], keys) for name, keys in logfmt.IDS.items()}
        joined["request"] = joined["request"].fill_null(ids.pop("request_id"))
        frame = frame.with_columns(values.alias(name) for name, values in ids.items())
    return frame.with_columns(
        level=pl.select(pl.coalesce(level, boxed)).to_series(), message=found["message"], logger=joined["logger"], pid=joined["pid"],
        thread=group("thread").fill_null(joined["thread"]), request_id=joined["request"],
    )  # fmt: skip
