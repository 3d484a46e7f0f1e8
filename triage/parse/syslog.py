"""Syslog and journald text exports, and logplex: who wrote a line, when, and with which priority."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from triage.parse.layout import ascii_classes, unnamed
from triage.parse.severity import SYSLOG

_PRI = r"(?:<(?P<pri>\d{1,3})>)?"
_HOST = r"(?P<host>[A-Za-z0-9](?:[\w.:\-]*[\w.\-])?|-)"
# `sshd(pam_unix)[19939]:`; with spaces, as macOS has them, only before a process id.
_PROGRAM = r"(?P<program>[A-Za-z_/(][\w./\-@()]*(?: [\w./\-@()]+){0,3})(?:\[(?P<pid>\d+)\]):|(?P<bare>[A-Za-z_/(][\w./\-@()]*):"
# Dated by RFC 3339 an application's `<time> INFO module: text` looks alike: there the process id must be printed.
_KNOWN_PROGRAM = r"(?P<program>[A-Za-z_/(][\w./\-@)]*)(?:\[(?P<pid>\d+)\]):|(?P<bare>kernel|systemd|dockerd|containerd|sudo|sshd):"
_OLD = r"(?P<old>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)(?:\.\d{1,6})?"
_ISO = r"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d))"
_CHUNK = r"(?:\[[A-Z_]+\] )?\[[0-9]+-([0-9]+)\] ?"
_TEXT = r"(?: (?P<text>(?s:.*)))?$"


@dataclass(frozen=True)
class Form:
    """One syslog layout: how a line is recognised and read."""

    name: str
    regex: str

    @property
    def test(self) -> str:
        """The regex without names."""
        return unnamed(self.regex)

    @property
    def take_off(self) -> Callable[[pl.Series], pl.DataFrame]:
        """Reads the lines that passed the test."""
        return lambda text: _read(text, self.regex)


FORMS = (
    Form("rfc3164", rf"^{_PRI}{_OLD} {_HOST} (?:{_PROGRAM}){_TEXT}"),
    Form("hostless", rf"^{_PRI}{_OLD} (?P<program>[A-Za-z_/(][\w./\-@()]*)(?:\[(?P<pid>\d+)\])?:{_TEXT}"),
    Form("rfc3339", rf"^{_PRI}{_ISO} {_HOST} (?:{_KNOWN_PROGRAM}){_TEXT}"),
    Form(
        "rfc5424",
        rf"^<(?P<pri>\d{{1,3}})>1 {_ISO} {_HOST} (?P<program>\S+) (?P<pid>\S+) \S+ "
        r'(?:-|(?:\[[^ =\]"]+(?: [^ =\]"]+="(?:[^"\\]|\\.)*")*\])+)' + _TEXT,
    ),
    Form("logplex", rf"^{_PRI}{_ISO} (?P<program>(?:app|heroku))\[(?P<pid>[\w.\-]+)\]:{_TEXT}"),
    Form("fly", rf"^{_ISO} (?P<program>[a-z]+)\[(?P<pid>\w+)\] [a-z]{{3}} \[(?P<word>[a-z]+)\]{_TEXT}"),
    Form("cloudfoundry", rf"^ *{_ISO} \[(?:APP/(?:PROC/|TASK/)?)?(?P<program>[A-Za-z]+)(?:/(?P<pid>[\w\-]+))*\] (?:OUT|ERR){_TEXT}"),
    Form("monotonic", rf"^\[ *\d+\.\d{{6}}\] {_HOST} (?P<program>[A-Za-z_/(][\w./\-@)]*)\[(?P<pid>\d+)\]:{_TEXT}"),
    Form("full", rf"^[A-Z][a-z]{{2}} (?P<wall>\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{{1,6}})?) [A-Z]{{3,4}} {_HOST} (?:{_KNOWN_PROGRAM}){_TEXT}"),
    Form("epoch", rf"^(?P<epoch>\d{{10}}\.\d{{6}}) {_HOST} (?:{_PROGRAM}){_TEXT}"),
)
# Who a program's lines are from, where they do not say it themselves.
SOURCES = {
    "kernel": "kernel", "postgres": "postgres", "postgresql": "postgres", "redis-server": "redis", "redis": "redis",
    "valkey-server": "redis", "rabbitmq-server": "rabbitmq", "rabbitmq": "rabbitmq", "nginx": "nginx", "celery": "celery",
    "gunicorn": "app", "uvicorn": "app", "python": "app", "python3": "app",
}  # fmt: skip


NO_YEAR = 2000  # stands for the year that a carrier does not print; it has a 29 February
ENGINE_STAMP = r"^.{19}\.[0-9]{9}Z$"  # as the engine prints it: every part has its place


def rfc3339(stamps: pl.Series) -> pl.Series:
    """Stamps with any number of fractional digits, cut to microseconds; null where they are none."""
    if stamps.str.contains(ENGINE_STAMP).all(ignore_nulls=False):
        whole = stamps.str.head(19).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us")
        return (whole.cast(pl.Int64) + stamps.str.slice(20, 6).cast(pl.Int64)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    parts = stamps.str.extract_groups(
        r"^(?P<ts>.{19})(?:\.(?P<frac>[0-9]{1,9}))?(?:Z|(?P<sign>[+-])(?P<h>[0-9]{2}):?(?P<m>[0-9]{2}))?$"
    ).struct.unnest()
    whole = parts["ts"].str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="us").cast(pl.Int64)
    micros = parts["frac"].str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    total = whole + micros
    if parts["sign"].null_count() < parts.height:
        minutes = parts["h"].cast(pl.Int64) * 60 + parts["m"].cast(pl.Int64)
        sign = parts["sign"].replace_strict({"+": 1, "-": -1}, default=None, return_dtype=pl.Int64)
        total = total - (minutes * sign * 60_000_000).fill_null(0)
    return total.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _read(text: pl.Series, regex: str) -> pl.DataFrame:
    parts = text.str.extract_groups(ascii_classes(regex)).struct.unnest()
    have = set(parts.columns)
    columns: dict[str, pl.Series] = {}
    # rsyslog writes control characters as #ooo: a tab opens Postgres's continuation lines.
    columns["text"] = parts["text"].fill_null("").str.replace_all("#011", "\t", literal=True)
    program = parts["program"].fill_null(parts["bare"]) if "bare" in have else parts["program"]
    program = program.str.replace(r"^.*/", "")
    columns["program"] = program
    columns["service_name"] = program
    # Heroku's dyno is not the number of a process.
    columns["carrier_pid"] = parts["pid"].str.extract(r"^([0-9]+|postgres\.[0-9]+)$")
    if "host" in have:
        columns["host"] = parts["host"].replace("-", None)
    if "pri" in have:
        levels = {str(8 * facility + level): word for facility in range(24) for level, word in SYSLOG.items()}
        columns["carrier_level"] = parts["pri"].replace_strict(levels, default=None, return_dtype=pl.String)
    if "word" in have:
        columns["carrier_level"] = parts["word"].str.to_uppercase()
    if "wall" in have:
        columns["carrier_local"] = parts["wall"].str.head(19).str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    if "at" in have:
        columns["observed_timestamp"] = rfc3339(parts["at"])
    if "epoch" in have:
        micros = parts["epoch"].str.replace(".", "", literal=True).cast(pl.Int64, strict=False)
        columns["observed_timestamp"] = micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if "old" in have:
        spaced = f"{NO_YEAR} " + parts["old"].str.replace("  ", " ", literal=True)
        columns["carrier_local"] = spaced.str.to_datetime("%Y %b %d %H:%M:%S", strict=False, time_unit="us")
    frame = pl.DataFrame([series.alias(name) for name, series in columns.items()])
    return _postgres_chunks(frame)


def _postgres_chunks(frame: pl.DataFrame) -> pl.DataFrame:
    """`[5-2] `: the second chunk of the fifth message; only the first may open a record."""
    # Heroku names the program `app` and the process `postgres.1`, and may put the database's name before the chunk.
    heroku = (frame["program"] == "app") & frame["carrier_pid"].str.contains(r"^postgres\b").fill_null(False)
    if heroku.any():
        frame = frame.with_columns(
            *(pl.when(heroku).then(pl.lit("postgres")).otherwise(name).alias(name) for name in ("program", "service_name")),
        )
    chunk = frame["text"].str.extract(rf"^{_CHUNK}")
    if chunk.null_count() == chunk.len():
        return frame
    own = chunk.is_not_null() & frame["program"].str.contains("(?i)postgres")
    return frame.with_columns(
        text=pl.when(own & (chunk != "1")).then(pl.col("text").str.replace(_CHUNK, ""))
        .when(own).then(pl.col("text").str.replace(_CHUNK, "").str.strip_chars_start(" ")).otherwise("text"),
        chunk=own & (chunk != "1"),
    )
