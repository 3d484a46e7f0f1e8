"""What carriers put around a program's lines: taken off, remembered, and pieces of one line joined again.

Carriers are recognised line by line and may be nested (a compose prefix before a Docker stamp before a CRI line), so
a stream may mix them. Contract: `unwrap(lines)` gives one row per line of the program with WRAPPED's columns; `first`
and `last` are the rows of `lines` that it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from triage.parse import json_export, syslog
from triage.parse.layout import ascii_classes, unnamed
from triage.parse.text import clean
from triage.schema import TIMESTAMP

# Columns beside `text`: which of the batches that are cut together a line is of, and what a carrier may know.
KNOWN: dict[str, pl.DataType | type[pl.DataType]] = {
    "batch": pl.UInt32, "observed_timestamp": TIMESTAMP, "log_iostream": pl.String, "service_name": pl.String, "container_name": pl.String,
    "host": pl.String, "program": pl.String, "carrier_pid": pl.String, "carrier_level": pl.String,
    "carrier_local": pl.Datetime("us"), "chunk": pl.Boolean, "partial": pl.Boolean,
}  # fmt: skip
STREAM = ("batch", "service_name", "container_name", "log_iostream", "host", "program", "carrier_pid")
MAX_PIECES = 8192  # of one line (128 MB of 16 KiB pieces): what is longer goes on as a line of its own
MAX_ROWS_BETWEEN = 2000  # physical lines of other streams between two lines that may belong together
ROUNDS = 4

_STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7,9}(?:Z|[+-]\d\d:\d\d)"
_ENGINE_STAMPED = ascii_classes(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
_WORDS = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|SUCCESS|LOG|PANIC)"


@dataclass(frozen=True)
class Wrapper:
    """One carrier: a test for a line and what to do with the lines that pass."""

    name: str
    test: str
    take_off: Callable[[pl.Series], pl.DataFrame]
    unless: str | None = None


def _stamped(text: pl.Series) -> pl.DataFrame:
    if text.str.contains(_ENGINE_STAMPED).all():
        at, rest = text.str.head(30), text.str.slice(30).str.strip_prefix(" ")
        return pl.DataFrame({"text": _without_inner_stamps(rest), "observed_timestamp": syslog.rfc3339(at)})
    groups = text.str.extract_groups(ascii_classes(rf"^(?P<at>{_STAMP}) ?"))
    at = groups.struct.field("at")
    rest = text.str.slice(0).to_frame("t").select(pl.col("t").str.strip_prefix(at).str.replace("^ ", "")).to_series()
    return pl.DataFrame({"text": _without_inner_stamps(rest), "observed_timestamp": syslog.rfc3339(at)})


def _without_inner_stamps(text: pl.Series) -> pl.Series:
    # The engine stamps each 16 KiB piece of a long line, and `docker logs -t` prints them without newlines between.
    long = text.str.len_bytes() > 16384
    if not long.any():
        return text
    return text.zip_with(~long, text.str.replace_all(ascii_classes(rf"(.)({_STAMP}) "), "$1"))


def _compose(text: pl.Series) -> pl.DataFrame:
    parts = text.str.extract_groups(r"^(?P<name>[A-Za-z0-9][0-9A-Za-z_.\-]*)(?:@[0-9A-Za-z_.\-]+)? +\|(?: |$)(?P<text>(?s:.*))").struct.unnest()
    return pl.DataFrame(
        {
            "text": parts["text"],
            "container_name": parts["name"],
            "service_name": parts["name"].str.replace(r"[-_][0-9]{1,4}$|\.[0-9]{1,4}\.[0-9a-z]{6,}$", ""),
        }
    )


def _kubectl(text: pl.Series) -> pl.DataFrame:
    parts = text.str.extract_groups(r"^\[pod/(?P<pod>[^/]+)/(?P<name>[^\]]+)\] (?P<text>(?s:.*))").struct.unnest()
    return pl.DataFrame({"text": parts["text"], "container_name": parts["pod"], "service_name": parts["name"]})


def _tailed(text: pl.Series) -> pl.DataFrame:
    parts = text.str.extract_groups(_TAILED).struct.unnest()
    pod, name = parts["pod"].fill_null(parts["pod2"]), parts["name"].fill_null(parts["name2"])
    deployment = pod.str.replace(r"-[a-z0-9]{6,10}-[a-z0-9]{5}$", "")
    return pl.DataFrame({"text": parts["text"], "container_name": pod, "service_name": name.fill_null(deployment)})


def _foreman(text: pl.Series) -> pl.DataFrame:
    parts = text.str.extract_groups(_FOREMAN).struct.unnest()
    return pl.DataFrame({"text": parts["text"], "service_name": parts["name"]})


def _cri(text: pl.Series) -> pl.DataFrame:
    regex = r"^(?P<at>\S+) (?P<stream>stdout|stderr) (?P<tag>[PF])(?::\S*)?(?: (?P<text>(?s:.*)))?"
    parts = text.str.extract_groups(regex).struct.unnest()
    return pl.DataFrame(
        {
            "text": parts["text"].fill_null(""),
            "observed_timestamp": syslog.rfc3339(parts["at"]),
            "log_iostream": parts["stream"],
            "partial": parts["tag"] == "P",
        }
    )


# stern and kubetail: a deployment's pod, and its container.
_POD = r"[a-z0-9][a-z0-9.\-]*-[a-z0-9]{6,10}-[a-z0-9]{5}"
_TAILED = rf"^(?:(?P<pod>{_POD}) (?:› )?(?P<name>[a-z0-9][a-z0-9\-]*) |\[(?P<pod2>{_POD})(?: (?P<name2>[a-z0-9\-]+))?\] )(?P<text>(?s:.*))"
_FOREMAN = r"^[0-9]{2}:[0-9]{2}:[0-9]{2} (?P<name>[0-9A-Za-z_\-]+)\.[0-9]+ +\| ?(?P<text>(?s:.*))"  # honcho too
# Docker Desktop shows each line behind a local time, which is how most logs come into bug reports. Only a line that
# can stand behind no program's own time tells it apart: an inner head, or a part of a traceback.
_INNER = (
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d{4}/\d\d/\d\d \d\d:|\d+:[XCSM] \d\d |\{\"|(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):(?: {2,}|[\w.]+:)"
    r"|[\w.:]+ - \S+ \[\d\d/[A-Z][a-z]{2}/\d{4}:"
)
# What no program prints behind a time of its own: a part of a traceback, at its depth.
_OF_TRACEBACK = (
    r" {2,}\S| -{6,} |Traceback \(most recent call last\):|The above exception was the direct|During handling of the above|[A-Za-z_][\w.]*(?:Error|Exception): "
    r"|\[SQL: |\(Background on this error"
)
_DESKTOP = (
    rf"^(?P<at>\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(?P<frac>\d{{3}}))?[ \t](?P<text>(?:{_INNER}|{_OF_TRACEBACK}"
    r"|[A-Za-z0-9][\w.\-]* +\| )(?s:.*)|)$"
)
# The same with a zone, of whoever collected the log.
_ZONED = rf"^(?P<at>\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{{1,6}})?(?:Z|[+-]\d\d:?\d\d)) (?P<text>(?:{_OF_TRACEBACK})(?s:.*)|)$"


def _desktop(text: pl.Series) -> pl.DataFrame:
    parts = text.str.extract_groups(ascii_classes(_DESKTOP)).struct.unnest()
    at = parts["at"].str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    millis = parts["frac"].fill_null("0").cast(pl.Int64) * 1000
    return pl.DataFrame({"text": parts["text"], "carrier_local": (at.cast(pl.Int64) + millis).cast(pl.Datetime("us"))})


def _zoned(text: pl.Series) -> pl.DataFrame:
    parts = text.str.extract_groups(ascii_classes(_ZONED)).struct.unnest()
    return pl.DataFrame({"text": parts["text"], "observed_timestamp": syslog.rfc3339(parts["at"])})


WRAPPERS = (
    # What `docker logs -t` prints: by its next character no CRI line (`stdout F …`). Asked first, because it is the most usual.
    Wrapper("engine", rf"^{_STAMP}(?: (?:[^s]|$)|$)", _stamped),
    Wrapper("json-file", json_export.JSON_FILE, json_export.json_file),
    Wrapper("journal", json_export.JOURNAL, json_export.journal),
    Wrapper("text-payload", json_export.PAYLOAD, json_export.text_payload),
    Wrapper("shipped", json_export.SHIPPED, json_export.shipped, unless=json_export.NOT_SHIPPED),
    Wrapper(
        "compose",
        # Compose pads names to the longest one and a space: two spaces, or a replica number, before the bar.
        r"^[A-Za-z0-9][\w.\-]*(?:@[\w.\-]+)?(?:  +|[\-_]\d{1,4} +)\|(?: |$)",
        _compose,
        unless=rf"^(?:{_WORDS}|\d+) ",
    ),
    Wrapper(  # one space before the bar, as older versions and copies have it, is anybody's separator: what follows must be a head
        "compose-tight", rf"^[A-Za-z0-9][\w.\-]* \| (?:{_INNER})", _compose, unless=rf"^(?:{_WORDS}|\d+) |^\S+ \| [^|\n]*\| ",
    ),
    Wrapper("kubectl", r"^\[pod/[\w.\-]+/[\w.\-]+\] ", _kubectl),  # kubectl logs --prefix
    Wrapper("tailed", unnamed(_TAILED), _tailed),
    Wrapper("foreman", unnamed(_FOREMAN), _foreman),
    Wrapper("cri", r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [PF](?: |:|$)", _cri),
    Wrapper("stamp", rf"^{_STAMP}(?: |$)", _stamped),
    *(Wrapper(form.name, form.test, form.take_off) for form in syslog.FORMS),
    Wrapper("desktop", unnamed(_DESKTOP), _desktop),
    Wrapper("zoned", unnamed(_ZONED), _zoned),
)
_ANY = ascii_classes("|".join(f"(?:{wrapper.test})" for wrapper in WRAPPERS))


def unwrap(lines: pl.DataFrame) -> pl.DataFrame:
    """The program's own lines, one row each."""
    frame = lines.select(
        clean(lines["text"].fill_null("")),
        *(pl.col(name) if name in lines.columns else pl.lit(None, kind).alias(name) for name, kind in KNOWN.items()),
        first=pl.int_range(pl.len(), dtype=pl.Int64),
    )
    todo = frame["text"].str.contains(_ANY)
    for _ in range(ROUNDS):
        if not todo.any():
            break
        frame, changed = _once(frame, todo)
        todo = changed & frame["text"].str.contains(_ANY)
    frame = frame.with_columns(last="first")
    return _joined(frame) if frame["partial"].any() else frame


def _once(frame: pl.DataFrame, todo: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Take one layer off the lines marked in `todo`; says which lines changed."""
    untouched, rest = (frame.clear(), frame) if todo.all() else (frame.filter(~todo), frame.filter(todo))
    done = []
    for wrapper in WRAPPERS:
        mask = rest["text"].str.contains(ascii_classes(wrapper.test))
        if wrapper.unless:
            mask = mask & ~rest["text"].str.contains(ascii_classes(wrapper.unless))
        if not mask.any():
            continue
        taken = bool(mask.all())
        own = rest if taken else rest.filter(mask)
        found = wrapper.take_off(own["text"])
        done.append(
            own.with_columns(
                *(found[name].cast(KNOWN[name]).fill_null(own[name]).alias(name) for name in found.columns if name != "text"),
                clean(found["text"].fill_null("")).alias("text"),
            )
        )
        rest = rest.clear() if taken else rest.filter(~mask)
        if rest.is_empty():
            break
    parts = [(part, True) for part in done] + [(part, False) for part in (untouched, rest) if part.height]
    if len(parts) == 1:
        return parts[0][0], pl.Series([parts[0][1]]).new_from_index(0, frame.height)
    whole = pl.concat([part.with_columns(changed=pl.lit(changed)) for part, changed in parts], rechunk=True).sort("first")
    return whole.drop("changed"), whole["changed"]


def _joined(frame: pl.DataFrame) -> pl.DataFrame:
    """Pieces of one line put together, stream by stream."""
    partial = pl.col("partial").fill_null(False)
    before = partial.shift(1, fill_value=False).over(STREAM)
    near = (pl.col("first") - pl.col("first").shift(1)).over(STREAM) <= MAX_ROWS_BETWEEN
    frame = frame.with_columns(goes_on=before & near.fill_null(False))
    frame = frame.with_columns(line=(~pl.col("goes_on")).cum_sum().over(STREAM))
    # Position inside the line, so that one without an end is cut at the same places in every batch.
    frame = frame.with_columns(index=pl.int_range(pl.len()).over(*STREAM, "line"))
    frame = frame.with_columns(part=pl.col("index") // MAX_PIECES)
    key = [*STREAM, "line", "part"]
    size = pl.len().over(key)
    frame = frame.with_columns(size=size)
    single = frame.filter(pl.col("size") == 1)
    many = frame.filter(pl.col("size") > 1)
    others = [name for name in KNOWN if name not in STREAM]
    whole = many.group_by(key, maintain_order=True).agg(
        pl.col("text").str.join(""),
        *(pl.col(name).last() if name == "partial" else pl.col(name).first() for name in others),
        pl.col("first").first(),
        pl.col("last").last(),
    )
    columns = ["text", *KNOWN, "first", "last"]
    return pl.concat([single.select(columns), whole.select(columns)], rechunk=True).sort("first")
