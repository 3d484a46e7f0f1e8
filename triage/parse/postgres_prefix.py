"""What a `log_line_prefix` that we do not know says: process, session, user, database, client, SQLSTATE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from triage.parse.layout import ascii_classes

if TYPE_CHECKING:
    from triage.parse.heads import Heads

# Every code of Postgres 18's errcodes.txt by class: five characters that are none of them are a process or a number.
_CODES = (
    "00:000 01:000,003,004,006,007,008,00C,P01 02:000,001 03:000 08:000,001,003,004,006,007,P01 09:000 0A:000 0B:000 0F:000,001 "
    "0L:000,P01 0P:000 0Z:000,002 10:608 20:000 21:000 22:000,001,002,003,004,005,007,008,009,00B,00C,00D,00F,00G,00H,00L,00M,00N,"
    "00P,00S,00T,010,011,012,013,014,015,016,018,019,01B,01E,01F,01G,01W,01X,021,022,023,024,025,026,027,02E,02G,02H,030,031,032,"
    "033,034,035,036,037,038,039,03A,03B,03C,03D,03E,03F,03G,P01,P02,P03,P04,P05,P06 23:000,001,502,503,505,514,P01 24:000 "
    "25:000,001,002,003,004,005,006,007,008,P01,P02,P03,P04 26:000 27:000 28:000,P01 2B:000,P01 2D:000 2F:000,002,003,004,005 34:000 "
    "38:000,001,002,003,004 39:000,001,004,P01,P02,P03 3B:000,001 3D:000 3F:000 40:000,001,002,003,P01 42:000,501,601,602,611,622,"
    "701,702,703,704,710,712,723,725,803,804,809,830,846,883,8C9,939,P01,P02,P03,P04,P05,P06,P07,P08,P09,P10,P11,P12,P13,P14,P15,"
    "P16,P17,P18,P19,P20,P21,P22 44:000 53:000,100,200,300,400 54:000,001,011,023 55:000,006,P02,P03,P04 "
    "57:000,014,P01,P02,P03,P04,P05 58:000,030,P01,P02,P03 72:000 F0:000,001 HV:000,001,002,004,005,006,007,008,009,00A,00B,00C,"
    "00D,00J,00K,00L,00M,00N,00P,00Q,00R,010,014,021,024,090,091 P0:000,001,002,003,004 XX:000,001,002"
)
SQLSTATES = frozenset(kind + code for kind, _, codes in (part.partition(":") for part in _CODES.split()) for code in codes.split(","))

_STAMPS = ascii_classes(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?")
_NAMED_CODE = r'\b(?:state|sqlstate|err|e|error_code|code|sql_error|sql_error_code|sqlcode) ?= ?"?([0-9A-Z]{5})\b'
_BARE_CODE = r"(?:^|[\s,:\[|(\-])[0-9A-Z]{5}(?:$|[\s,:\]|)])"
_SESSION = r"\b([0-9a-f]{8}\.[0-9a-f]{1,8})\b"
_PIDS = (
    r'\b(?:pid|process) ?[=:] ?"?([0-9]+)',
    r"\[([0-9]{1,8})\]",
    r"\bp[=:]([0-9]+)",
    r"\[([0-9]{1,8})-[0-9]+\]",
    r"(?:^|[\s:|\-])([0-9]{2,8})(?:[\s:|\-]|$)",
)
_VALUE = r' ?= ?"?(\[unknown\]|\[local\]|[^\s,\]|"]*)'
_NAMED = {
    "postgres.user": rf"\b(?i:user|u|usr){_VALUE}",
    "postgres.database": rf"\b(?i:db|d|database){_VALUE}",
    "client.address": rf"\b(?i:client|host|h|remote|r|connection_source){_VALUE}",
    "postgres.application_name": r'\b(?i:app|a|appli|application|application_name) ?= ?"?((?:\[[^\]]*\]|[^,\]|"\[])*?)(?:$|[,\]|"]| \w+=|\s*$)',
}


def read(frame: pl.DataFrame, prefix: pl.Series, heads: Heads) -> pl.DataFrame:
    """Fill `pid` and `sqlstate`, and remember the rest as attributes."""
    named = prefix.str.extract(_NAMED_CODE)
    session = prefix.str.extract(_SESSION)
    plain = prefix.str.replace_all(_STAMPS, "").str.replace_all(_NAMED_CODE, "").str.replace_all(_SESSION, "")
    plain = plain.str.replace_all(r"[0-9a-fA-F.:]+\([0-9]+\)", "")  # address and port
    # A session's id is its start and its process in hexadecimal.
    of_session = session.str.extract(r"\.([0-9a-f]+)$").str.to_integer(base=16, strict=False).cast(pl.String)
    found = pl.DataFrame({"plain": plain, "named": named, "session": of_session}).with_columns(
        pid=pl.coalesce(*(pl.col("plain").str.extract(regex) for regex in _PIDS[:-1]), "session", pl.col("plain").str.extract(_PIDS[-1]))
    )
    code = pl.element().str.strip_chars(" ,:[]|()-")
    codes = found["plain"].str.extract_all(_BARE_CODE).list.eval(code.filter(code.is_in(list(SQLSTATES))))
    found = found.with_columns(codes=codes).with_columns(
        codes=pl.when(pl.col("codes").list.first() == pl.col("pid")).then(pl.col("codes").list.slice(1)).otherwise("codes")
    )
    found = found.with_columns(before=frame["sqlstate"])
    frame = frame.with_columns(found.select("pid", sqlstate=pl.coalesce("before", "named", pl.col("codes").list.first())))
    at = prefix.str.extract_groups(r"(?P<user>[0-9A-Za-z_.\-]+|\[unknown\])@(?P<db>[0-9A-Za-z_.\-]+|\[unknown\])").struct.unnest()
    other = {"postgres.user": at["user"], "postgres.database": at["db"], "client.address": prefix.str.extract(r":([0-9A-Za-z_.:\-]+\(\d+\)|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[local\]):")}
    for key, regex in _NAMED.items():
        value = prefix.str.extract(regex)
        heads.attribute(frame["row"], key, value.zip_with(value.is_not_null(), other[key]) if key in other else value)
    heads.attribute(frame["row"], "postgres.session", session)
    return frame


def verbose(message: pl.Series) -> tuple[pl.Series, pl.Series]:
    """`log_error_verbosity = verbose` prints the SQLSTATE before the message: the message without it, and the code."""
    code = message.str.extract(r"^([0-9A-Z]{5}): ")
    if code.null_count() == code.len():
        return message, code
    known = code.is_in(list(SQLSTATES)).fill_null(False)
    return message.str.slice(7).zip_with(known, message), code.set(~known, None)
