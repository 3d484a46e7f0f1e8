"""Severity words, numbers and symbols as programs print them, to OpenTelemetry severity numbers."""

from __future__ import annotations

import polars as pl

from triage.parse.postgres import ENGLISH
from triage.schema import SEVERITY_NUMBER

REDIS = {".": 5, "-": 7, "*": 10, "#": 13}
LETTERS = {"I": 9, "W": 13, "E": 17, "F": 21, "D": 5, "T": 1, "C": 21, "V": 7, "N": 10}
OTHER_WORDS = {
    "INFORMATION": 9, "INFORMATIONAL": 9, "SEVERE": 17, "FINE": 5, "FINER": 3, "FINEST": 1, "CONFIG": 9, "NOTE": 10,
    "SYSTEM": 9, "CRASH": 21, "PROGRESS": 9, "SUPERVISOR": 17, "DEFAULT": 9, "DBG": 5, "INF": 9, "WRN": 13,
    "FTL": 21, "TRC": 1, "VRB": 7, "MESSAGE": 9, "REPORT": 9, "DPANIC": 21, "UNKNOWN": 0, "CRI": 21, "SUCCEEDED": 9, "EROR": 17, "DBUG": 5, "VERBOSE": 7,
    # .NET's console and RabbitMQ 3.9 cut words, npm shouts, winston has levels of its own, and PHP's are of two words
    "TRCE": 1, "FAIL": 17, "ERRO": 17, "NOTI": 10, "DEBU": 5, "ALER": 22, "EMER": 24, "HTTP": 9, "SILLY": 1, "SYS": 9, "NOISE": 1, "VERB": 7,
    "FATAL ERROR": 21, "PARSE ERROR": 21, "COMPILE ERROR": 21, "CORE ERROR": 21, "RECOVERABLE FATAL ERROR": 17, "DEPRECATED": 10, "STRICT STANDARDS": 10,
}  # fmt: skip
PYTHON_LEVELS = {10: 5, 20: 9, 25: 10, 30: 13, 40: 17, 50: 21, 5: 1, 60: 21}  # also pino and bunyan, whose 60 is fatal
NAMES = {1: "TRACE", 5: "DEBUG", 9: "INFO", 10: "NOTICE", 13: "WARNING", 17: "ERROR", 21: "FATAL"}
SYSLOG = {0: "EMERG", 1: "ALERT", 2: "CRIT", 3: "ERR", 4: "WARNING", 5: "NOTICE", 6: "INFO", 7: "DEBUG"}


def number_of(word: str) -> int | None:
    """The number of one severity as printed, or None where it says nothing."""
    if word in ENGLISH:
        word = ENGLISH[word]
    if word in REDIS:
        return REDIS[word]
    upper = word.strip().upper()
    if upper in SEVERITY_NUMBER:
        return SEVERITY_NUMBER[upper]
    if upper in OTHER_WORDS:
        return OTHER_WORDS[upper] or None
    if len(word) == 1 and upper in LETTERS:
        return LETTERS[upper]
    if upper.startswith("LEVEL ") and upper[6:].isdigit():
        return _numeric(int(upper[6:]))
    try:
        return _numeric(int(float(word)))
    except ValueError:
        return None


def _numeric(value: int) -> int | None:
    if value in PYTHON_LEVELS:
        return PYTHON_LEVELS[value]
    if 0 <= value <= 7:
        return SEVERITY_NUMBER[SYSLOG[value]]
    if 8 < value < 60:
        return PYTHON_LEVELS[min(50, value // 10 * 10)]
    return None


def numbers(words: pl.Series) -> pl.Series:
    """`number_of` over a column: once per distinct word."""
    distinct = words.drop_nulls().unique()
    table = {word: number_of(word) for word in distinct}
    if not table:
        return pl.Series(words.name, [None], dtype=pl.UInt8).new_from_index(0, words.len()) if words.len() else words.cast(pl.UInt8)
    return words.replace_strict(list(table), list(table.values()), default=None, return_dtype=pl.UInt8)
