"""What a caller may tell the parser beyond the lines themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """Settings of one run; all have a right default.

    `source` forces the format family, `tz` is the zone of clocks that print none (an IANA name or `+08:00`),
    `prefix` is Postgres's own `log_line_prefix`, and `now` dates lines that neither have nor inherit a time.
    """

    source: str | None = None
    tz: str | None = None
    prefix: str | None = None
    now: datetime | None = None
