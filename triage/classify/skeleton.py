"""Starts a pattern file from a pasted record, for `triage patterns new`: the sample is filled in, the rest is marked."""

from __future__ import annotations

import re

import polars as pl

from triage.schema import SEVERITY_NUMBER

_NUMBERS = re.compile(r"\d+")


def new_pattern(record_text: str, record: dict[str, object] | None = None) -> str:
    """A TOML pattern with its first sample. `record` is the parsed record, which makes the guesses better."""
    record = record or {}
    text = record_text.strip("\r\n")
    message = str(record.get("message") or text.splitlines()[0] if text else "")
    words = _longest_words(message)
    gates = []
    if record.get("source"):
        gates.append(f'sources  = ["{record["source"]}"]')
    severity = str(record.get("severity_text") or "").upper()
    if severity in SEVERITY_NUMBER:
        gates.append(f'severity_min = "{severity}"')
    if record.get("sqlstate"):
        gates.append(f'sqlstate = ["{record["sqlstate"]}"]')
    gates.append(f"keywords = [{_quoted(words)}]")
    return _FORM.format(
        gates="\n".join(gates),
        regex=_literal("^" + _as_regex(message)),
        source=f'source = "{record["source"]}"\n' if record.get("source") else "",
        text=_literal(f"\n{text}\n" if "\n" in text else text),
        near=_literal(f"2026-01-01 10:00:00,000 INFO app user 7 wrote: {words}"),
    )


def _longest_words(message: str) -> str:
    """The longest stretch of a message without digits, quotes or brackets: a good keyword."""
    pieces = [p.strip(" .,:;-") for p in re.split(r"[\d'\"()\[\]{}<>=/|@]+", message)]
    return max(pieces, key=len, default="") or message[:40]


def _as_regex(message: str) -> str:
    """The message as a regex: numbers become \\d+, the rest stands for itself."""
    return _NUMBERS.sub(r"\\d+", _escape(message[:160]))


def _escape(text: str) -> str:
    return str(pl.select(pl.lit(text).str.escape_regex()).item()).replace(r"\-", "-")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") + '"'


def _literal(text: str) -> str:
    """A TOML literal string, or a basic one where the text itself holds three single quotes or control characters."""
    if "'''" not in text and not text.endswith("'") and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        return f"'''{text}'''"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"""' + re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", lambda m: f"\\u{ord(m[0]):04x}", escaped) + '"""'


_FORM = '''\
# FILL IN: one sentence that says what happened.
[pattern]
problem    = "group.name"             # FILL IN: a problem id; problems.toml lists the known ones
title      = {{ en = "FILL IN", zh = "FILL IN" }}
severity   = "error"                  # info | warning | error | critical
status     = "experimental"
checked    = ["FILL IN: program and versions"]
references = ["FILL IN: where the program's source prints this"]

[match]
{gates}
[[match.any]]
name  = "message"
regex = {regex}

[[sample.hit]]
by     = "message"
{source}text   = {text}
expect = {{}}

[[sample.miss]]
text = {near}
why  = "a user's text"

[[sample.miss]]
text = "FILL IN: a record of the same program that must not match"
why  = "FILL IN"
'''
