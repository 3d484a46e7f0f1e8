"""How a family module describes the head of a record: one regex with named groups.

The groups are the contract between a layout and the rest of the parser:

- `head` is what stands before the message; the message is the line without it.
- `ts`, `frac`, `zone` make the timestamp, read as the layout's `clock` says.
- `level`, `logger`, `pid`, `thread`, `host`, `db`, `user`, `app`, `client`, `sqlstate`, `method`, `path`, `status`,
  `req`, `took`, `unit`, `waits` fill the column or attribute of that name; what else is named becomes an attribute.

Write `\\d` and `\\w` freely: they mean ASCII here, which keeps the automata small.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from triage.regexes import ascii_classes as ascii_classes

ISO = r"(?P<ts>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](?P<frac>\d{1,9}))?"
NUMERIC_ZONE = r"(?: ?(?P<zone>Z|(?:UTC|GMT)?[+-]\d\d:?\d\d|UTC|GMT))?"
SLASHED = r"(?P<ts>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)(?:[.,](?P<frac>\d{1,9}))?"
LEVEL = (
    r"(?P<level>(?i:TRACE|DEBUG|VERBOSE|INFORMATION|INFO|SUCCESS|NOTICE|WARNING|WARN|ERROR|ERR|EXCEPTION|CRITICAL"
    r"|CRIT|FATAL|ALERT|PANIC|SEVERE|EMERGENCY|EMERG))"
)
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?"
_CLOCK_TIME = r"\d{1,2}:\d\d:\d\d"
# basicConfig's datefmt as people write it: 11/23/2026 05:22:05 PM, 23-Nov-26 17:22:05, 23.11.2026, Mon Nov 23 17:22:05 2026
OTHER_STAMP = (
    _WEEKDAY + r"(?P<ts>(?:(?:\d\d/\d\d/\d{2}(?:\d{2})?|\d\d[.\-]\d\d[.\-]\d{4}|\d\d-\d\d-\d\d|\d{4}\.\d\d\.\d\d|\d{4}-\d\d-\d\d,|20\d{6}|[A-Z][a-z]{2} [ \d]?\d,? \d{4}|\d{1,2}[ \-/][A-Z][a-z]{2}[ \-/]\d{2}(?:\d{2})?)[, :]{1,2}"
    + _CLOCK_TIME + r"(?: [AP]M)?|[A-Z][a-z]{2} [ \d]\d " + _CLOCK_TIME + r" \d{4}))(?:[.,](?P<frac>\d{1,9}))?"
)  # fmt: skip
YEARLESS_STAMP = r"(?P<ts>(?:\d\d[\-/]\d\d|[A-Z][a-z]{2} [ \d]?\d),? \d\d:\d\d(?::\d\d)?(?: [AP]M)?)(?:[.,](?P<frac>\d{1,9}))?"
TIME_ONLY = r"(?P<ts>[0-2]\d:[0-5]\d:[0-5]\d)(?:[.,](?P<frac>\d{1,9}))?"


@dataclass(frozen=True)
class Layout:
    """The first line of a record as one program prints it.

    `tier` orders layouts that could both claim a line: a lower tier is asked first. Within a tier they exclude
    each other, so the order in which they are tried is a matter of speed only. `single` layouts never have
    continuation lines. `first` holds the characters a line may begin with ("" for any).
    """

    name: str
    source: str
    regex: str
    tier: int = 0
    clock: str = "iso"
    single: bool = False
    unless: str | None = None  # a line that also matches this is none of ours
    zone: str | None = None  # the zone of a clock that by the program's definition has one
    tags: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def pattern(self) -> str:
        """The regex with ASCII classes, anchored."""
        return "^(?:" + ascii_classes(self.regex) + ")"

    @cached_property
    def test(self) -> str:
        """The same without names, so that several can stand in one alternation."""
        return unnamed(self.pattern)


def unnamed(regex: str) -> str:
    """Turn named groups into plain ones, which the regex engine need not record."""
    out, index = [], 0
    while index < len(regex):
        if regex.startswith("(?P<", index):
            index = regex.index(">", index) + 1
            out.append("(?:")
            continue
        out.append(regex[index])
        index += 1
    return "".join(out)
