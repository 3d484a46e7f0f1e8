"""What many questions about one stretch of time ask for, read from the lake's files once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import duckdb
import polars as pl

_MOST_ERRORS, _MOST_ANSWERS = 500_000, 4_000_000  # some hundred bytes each of the one, some dozens of the other
_ANSWER = '"timestamp", service_name, method, route, status_code, duration_ms'


class Gathered:
    """Tables of what most questions about a stretch of time ask for, and connections that see them in the views' place.

    They are only made where they fit into memory with ease; the answers are the same without them.
    """

    def __init__(
        self, main: duckdb.DuckDBPyConnection, whole: duckdb.DuckDBPyConnection, part: duckdb.DuckDBPyConnection,
        since: datetime, until: datetime,
    ) -> None:  # fmt: skip
        self.answers: dict[str, pl.DataFrame] = {}
        self._main, self._whole, self._part = main, whole, part
        self._since, self._until = since, until
        self._first, self._last = self._bounds()
        main.execute("CREATE SCHEMA gathered")
        if self._made("errors", "SELECT * FROM errors", _MOST_ERRORS):
            for each in (self._whole, self._part):
                each.execute("CREATE OR REPLACE TEMP VIEW errors AS FROM gathered.errors")
        # Which of a request's tellings count depends on the stretch of time, so this one serves the whole alone.
        if self._made("answers", f"SELECT {_ANSWER} FROM answered($since, $until)", _MOST_ANSWERS):
            self._whole.execute("CREATE OR REPLACE TEMP MACRO answered(since, until) AS TABLE FROM gathered.answers")

    def connection(self, params: Mapping[str, object]) -> duckdb.DuckDBPyConnection:
        """The one that answers a query with these parameters."""
        since, until = params.get("since"), params.get("until")
        if not (isinstance(since, datetime) and isinstance(until, datetime)):
            return self._main
        # Where the lake has nothing before or behind, nothing more is asked for: an incident may begin before its first record.
        since = self._since if since < self._since and self._first >= self._since else since
        until = self._until if until > self._until and self._last < self._until else until
        if since < self._since or until > self._until:
            return self._main
        return self._whole if (since, until) == (self._since, self._until) else self._part

    def _bounds(self) -> tuple[datetime, datetime]:
        """The lake's first and last record; the widest bounds where none can be told."""
        try:
            told = pl.from_arrow(self._main.sql('SELECT min("timestamp"), max("timestamp") FROM logs').to_arrow_table())
        except duckdb.Error:
            told = pl.DataFrame()
        first, last = told.row(0) if isinstance(told, pl.DataFrame) and told.height else (None, None)
        return first or datetime.min.replace(tzinfo=UTC), last or datetime.max.replace(tzinfo=UTC)

    def close(self) -> None:
        for each in (self._whole, self._part):
            each.execute("DROP VIEW IF EXISTS temp.errors")
            each.execute("DROP MACRO TABLE IF EXISTS temp.answered")
        self._main.execute("DROP SCHEMA gathered CASCADE")

    def _made(self, name: str, select: str, most: int) -> bool:
        params = {"since": self._since, "until": self._until}
        source = {"errors": "errors", "answers": "requests"}[name]
        within = 'WHERE "timestamp" >= $since AND "timestamp" < $until'
        try:
            counted = self._main.execute(f"SELECT count(*) FROM {source} {within}", params).fetchone()
            if not counted or counted[0] > most:
                return False
            self._main.execute(f"CREATE TABLE gathered.{name} AS {select} {within}", params)
        except duckdb.Error:  # a damaged file, or no room: who asks hears of it
            return False
        return True
