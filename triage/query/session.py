"""A DuckDB session over the lake's files: it reads them, and can do nothing else.

Views: `logs` has the columns of `schema.LOGS` (`attributes` as MAP(VARCHAR, VARCHAR)), the state tables those of
`schema.STATE`, also over an empty lake; their friends are the files of `sql/views/`. A session takes one SELECT at a time, reads no file but the lake's, loads no
extension, opens no connection, and holds to its limits of memory and time. `unsafe=True` lifts all of that. What has no
room in memory lies in a folder that only its user can read, until the session ends.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import polars as pl
import pyarrow as pa

from triage import schema, when
from triage.errors import UnavailableError, UsageError
from triage.query import named as named_queries
from triage.query.gathered import Gathered
from triage.query.named import NamedQuery

MEMORY_LIMIT = "1GB"  # the product's bound for a whole run is 1.5 GB
_SPILL_LIMIT = "8GB"  # on disk, of what has no room in memory: a few times a lake of ten million records
# A torn or broken file; not one that may not be read, or that the machine has no room for.
_DAMAGED = re.compile(r"(?i)magic bytes|decompress|no files found|no such file|too small|corrupt|thrift|tprotocol|footer|metadata|parquet|malformed|don't know what type|varint|variable-length|dictionary|page header")
_ROWS = 64 << 10  # taken from the engine at a time
_FOREIGN = re.compile(r"INTERVAL|BIT\b|UNION|TIME WITH|VARIANT|GEOMETRY|STRUCT(?!\()|BIGNUM|VARINT")  # DuckDB's types that polars cannot hold
_VIEWS = Path(__file__).parent / "sql" / "views"
_FUNCTIONS = Path(__file__).parent / "sql" / "functions"  # of values, which views use
_MACROS = Path(__file__).parent / "sql" / "macros"  # of tables, which use views
_DERIVED = Path(__file__).parent / "sql" / "derived"  # an expression for each column that older files lack
_TYPES: dict[Any, str] = {
    pl.String: "VARCHAR",
    pl.Date: "DATE",
    pl.Boolean: "BOOLEAN",
    pl.UInt8: "UTINYINT",
    pl.UInt64: "UBIGINT",
    pl.Int16: "SMALLINT",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    schema.TIMESTAMP: "TIMESTAMPTZ",
    schema.ATTRIBUTES: "MAP(VARCHAR, VARCHAR)",
    pl.List(pl.String): "VARCHAR[]",
}
_EXPLAIN = re.compile(r"(?i)\s*EXPLAIN\s+(?:ANALYZE\s+|\([^()]*\)\s*)*")
_KEPT = 64 << 20  # bytes of an answer that is kept while others are asked for
_NO_ROOM = (duckdb.OutOfMemoryException, duckdb.InterruptException, duckdb.PermissionException)
_NEXT_STEP = {
    "BinderException": "the columns are listed by: triage sql 'DESCRIBE logs'",
    "CatalogException": "the tables are logs, errors, requests, tasks, queries and "
    "container_events, container_stats, snapshots",
    "OutOfMemoryException": "narrow it down in time (WHERE timestamp >= …) or aggregate",
    "PermissionException": "a query may read the lake only; --unsafe lifts this",
    "ParserException": "it is DuckDB's SQL; named queries are shown by: triage sql --list",
}


class Session:
    """Read-only SQL over some Parquet files, given by the lake; `state` has those of each state table by its name."""

    def __init__(
        self,
        lake_files: Sequence[str | Path],
        *,
        state: Mapping[str, Sequence[str]] | None = None,
        sql_dirs: Sequence[Path] = (),
        memory_limit: str = MEMORY_LIMIT,
        timeout_s: float | None = None,
        unsafe: bool = False,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.timeout_s = timeout_s
        self.unsafe = unsafe
        self._warn = warn
        self._tables: dict[str, tuple[str, ...]] = {
            name: tuple(_path(str(file)) for file in files)
            for name, files in {"logs": lake_files, **dict.fromkeys(schema.STATE, ()), **(state or {})}.items()
        }
        self._gathered: Gathered | None = None
        self._queries = named_queries.shipped()
        for folder in sql_dirs:
            self._queries |= named_queries.load_folder(folder)
        self._spilled = _private_folder()
        self._clean = weakref.finalize(self, shutil.rmtree, self._spilled, ignore_errors=True)
        self._connection = duckdb.connect(":memory:")
        self._others = self._connection.cursor(), self._connection.cursor()  # for what is gathered
        self._prepare(memory_limit)
        self._most = when.size(memory_limit)  # of a result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()
        self._clean()

    def queries(self) -> Mapping[str, NamedQuery]:
        """The named queries, shipped and the user's, by name."""
        return self._queries

    def sql(self, text: str, params: Mapping[str, object] | None = None) -> pl.DataFrame:
        """The result of one SELECT; UsageError says what is wrong with it."""
        if not self.unsafe:
            self._check(text)
        with self._limited():
            return self._run(text, params)

    def named(self, name: str, **params: object) -> pl.DataFrame:
        """The result of a named query; parameters may be values or texts."""
        if name not in self._queries:
            raise named_queries.unknown(name, self._queries)
        query = self._queries[name]
        bound = query.bind(params)
        if self._gathered is None:
            return self.sql(query.sql, bound)
        asked = f"{name} {sorted(bound.items())}"
        if (known := self._gathered.answers.get(asked)) is None:
            if not self.unsafe:
                self._check(query.sql)
            with self._limited():
                known = self._run(query.sql, bound, self._gathered.connection(bound))
            if known.estimated_size() <= _KEPT:
                self._gathered.answers[asked] = known
        return known

    @contextmanager
    def gathered(self, since: datetime, until: datetime) -> Iterator[None]:
        """Meanwhile, many questions about a stretch of time cost little more than one: what most of them ask for, the
        records with trouble and the answered requests, is read from the files once; equal questions are answered once."""
        self._gathered = Gathered(self._connection, *self._others, since, until)
        try:
            yield
        finally:
            self._gathered.close()
            self._gathered = None

    def _prepare(self, memory_limit: str) -> None:
        connection = self._connection
        for each in (connection, *self._others):  # the zone is each connection's own
            each.execute("SET TimeZone='UTC'")
        connection.execute(f"SET memory_limit={_literal(memory_limit)}")
        connection.execute(f"SET temp_directory={_literal(self._spilled)}")
        connection.execute(f"SET max_temp_directory_size={_literal(_SPILL_LIMIT)}")
        connection.execute("SET allocator_background_threads=true")  # gives freed memory back: results lie beside the engine's own
        connection.execute("SET parquet_metadata_cache=true")  # the files never change; a report asks a hundred times
        connection.execute("SET autoinstall_known_extensions=false")
        connection.execute("SET autoload_known_extensions=false")
        self._define(_FUNCTIONS)
        for name in self._tables:
            self._view(name)
        connection.execute(f"CREATE VIEW logs AS SELECT {', '.join(map(_quoted, schema.LOGS))} FROM stored")
        for view in sorted(_VIEWS.glob("*.sql")):
            connection.execute(f"CREATE VIEW {view.stem} AS {view.read_text(encoding='utf-8')}")
        self._define(_MACROS)
        if not self.unsafe:
            connection.execute(f"SET allowed_paths={_list([file for files in self._tables.values() for file in files])}")
            connection.execute("SET enable_external_access=false")
            connection.execute("SET lock_configuration=true")

    def _define(self, folder: Path) -> None:
        for macro in sorted(folder.glob("*.sql")):
            self._connection.execute(f"CREATE MACRO {macro.stem}\n{macro.read_text(encoding='utf-8')}")

    def _view(self, table: str) -> None:
        name = "stored" if table == "logs" else table
        while True:
            try:
                self._connection.execute(f"CREATE OR REPLACE VIEW {name} AS {self._stored(table)}")
            except duckdb.Error as error:
                if not self._left_out(error):
                    raise UnavailableError(f"the lake cannot be read: {_first_line(error)}") from None
            else:
                return

    def _left_out(self, error: duckdb.Error) -> str | None:
        """The table that a damaged file belonged to, which is left out from now on; None if no file is to blame."""
        told = str(error)
        if not _DAMAGED.search(told) or isinstance(error, _NO_ROOM):
            return None
        named = any(file in told for files in self._tables.values() for file in files)  # the reader does not always say
        for table, files in self._tables.items():
            damaged = [file for file in files if (file in told if named else not self._whole(file))]
            if damaged:
                self._tables[table] = tuple(file for file in files if file not in damaged)
                for file in damaged:
                    self._warn(f"a file of the lake is damaged and left out, with its records: {file}; set it aside with: triage lake repair")
                return table
        return None

    def _whole(self, file: str) -> bool:
        """Whether a file can be read to its end."""
        try:
            self._connection.execute(f"SELECT max(hash(rows)) FROM read_parquet({_literal(file)}) rows").fetchall()
        except duckdb.Error as error:
            return isinstance(error, _NO_ROOM)
        return True

    def _stored(self, table: str) -> str:
        """The SELECT behind a table: every column of the schema in its type, null where the files lack it.

        `stored` is that of `logs` with the columns of `schema.APART` and `DERIVED`, worked out for files from before they were kept.
        """
        files = self._tables[table]
        wanted = {"logs": schema.LOGS, **schema.STATE}[table]
        if not files:
            columns = [f"CAST(NULL AS {_sql_type(kind)}) AS {_quoted(name)}" for name, kind in wanted.items()]
            columns += [f"CAST(NULL AS VARCHAR) AS {name}" for name in (*schema.APART, *schema.DERIVED) if table == "logs"]
            return f"SELECT {', '.join(columns)} WHERE false"
        if table != "logs":
            return self._selected(files, wanted)
        return " UNION ALL BY NAME ".join(self._selected(some, wanted, kept) for kept, some in self._alike(files).items())

    def _alike(self, files: Sequence[str]) -> dict[tuple[str, ...], list[str]]:
        """The files by the columns that they have beside the schema's."""
        beside = (*schema.APART, *schema.DERIVED)
        asked = f"SELECT DISTINCT file_name, name FROM parquet_schema({_list(files)}) WHERE name IN {beside}"
        known = set(self._connection.execute(asked).fetchall())
        alike: dict[tuple[str, ...], list[str]] = {}
        for file in files:
            alike.setdefault(tuple(name for name in beside if (file, name) in known), []).append(file)
        return alike

    def _selected(self, files: Sequence[str], wanted: Mapping[str, Any], kept: Collection[str] | None = None) -> str:
        source = (
            f"read_parquet({_list(sorted(files))}, union_by_name=true, hive_partitioning=true, hive_types={{'date': DATE}})"
        )
        described = self._connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        stored = {str(row[0]): str(row[1]) for row in described}
        columns = [_column(name, _sql_type(kind), stored.get(name)) for name, kind in wanted.items()]
        if kept is None:
            return f"SELECT {', '.join(columns)} FROM {source}"
        attributes = _column("attributes", _TYPES[schema.ATTRIBUTES], stored.get("attributes")).removesuffix(' AS "attributes"')
        columns += [name if name in kept else f"({attributes})[{_literal(key)}] AS {name}" for name, key in schema.APART.items()]
        columns += [name for name in schema.DERIVED if name in kept]
        whole = f"SELECT {', '.join(columns)} FROM {source}"
        missing = [f"{(_DERIVED / name).with_suffix('.sql').read_text(encoding='utf-8')} AS {name}" for name in schema.DERIVED if name not in kept]
        return f"SELECT *, {', '.join(missing)} FROM ({whole})" if missing else whole

    def _check(self, text: str) -> None:
        try:
            statements = self._connection.extract_statements(text)
        except duckdb.Error as error:
            raise _usage(error) from None
        if not statements:
            raise UsageError("the query is empty", hint="for example: triage sql 'SELECT count(*) FROM logs'")
        if len(statements) > 1:
            raise UsageError("one statement at a time", hint="run them one after the other")
        if explained := _EXPLAIN.match(text):  # ANALYZE runs what it explains
            self._check(text[explained.end() :])
        elif statements[0].type != duckdb.StatementType.SELECT:
            kind = statements[0].type.name
            raise UsageError(f"only SELECT is allowed here, not {kind}", hint="the lake is read-only for queries")

    def _run(
        self, text: str, params: Mapping[str, object] | None, connection: duckdb.DuckDBPyConnection | None = None
    ) -> pl.DataFrame:
        while True:
            try:
                relation = (connection or self._connection).sql(text, params=dict(params) if params else None)
                # EXPLAIN, and with unsafe=True whatever gives no rows, has no relation.
                frame = pl.DataFrame() if relation is None else _frame(relation, self._most)
            except KeyboardInterrupt:
                self._interrupt()
                raise
            except RuntimeError as error:
                # DuckDB sees Ctrl-C before Python does, and raises this class for it.
                if "interrupted" not in str(error):
                    raise
                raise KeyboardInterrupt from None
            except duckdb.InterruptException:
                limit = f" after {self.timeout_s:g} s" if self.timeout_s else ""
                raise UsageError(f"the query was stopped{limit}", hint="narrow it down or raise the time limit") from None
            except (duckdb.Error, OSError) as error:  # the second where it happens between two batches of rows
                told = error if isinstance(error, duckdb.Error) else _restored(error)
                damaged = self._left_out(told)
                if damaged is None:
                    raise _usage(told) from None
                self._view(damaged)
            else:
                return frame

    def _interrupt(self) -> None:
        for each in (self._connection, *self._others):
            each.interrupt()

    @contextmanager
    def _limited(self) -> Iterator[None]:
        if self.timeout_s is None:
            yield
            return
        timer = threading.Timer(self.timeout_s, self._interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _private_folder() -> str:
    """For what has no room in memory; empty where the machine has no place to write."""
    try:
        return tempfile.mkdtemp(prefix="triage-")
    except OSError:
        return ""


def _frame(relation: duckdb.DuckDBPyRelation, most: int) -> pl.DataFrame:
    """The rows of a relation, up to a number of bytes; what no frame, or no program that reads one, can hold is text."""
    frame = _read(_frameable(relation), most)
    far = {name for name in frame.columns if _out_of_calendar(frame[name])}
    return _read(_frameable(relation, far), most) if far else frame


def _read(relation: duckdb.DuckDBPyRelation, most: int) -> pl.DataFrame:
    """All rows: the engine's own limit of memory ends where its result leaves it."""
    reader = relation.to_arrow_reader(_ROWS)
    batches, size = [], 0
    for batch in reader:
        size += batch.nbytes
        if size > most:
            hint = "ask for fewer columns or rows (LIMIT), aggregate, or raise --memory"
            raise UsageError(f"the result is larger than the limit of memory, {most / 1e6:,.0f} MB", hint=hint)
        batches.append(batch)
    frame = pl.from_arrow(pa.Table.from_batches(batches, reader.schema))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _out_of_calendar(column: pl.Series) -> bool:
    """Whether a time lies outside the years 1 to 9999, which DuckDB has and Python has not; nanoseconds cannot."""
    kind = column.dtype
    if isinstance(kind, pl.List | pl.Array) and "Date" in str(kind):
        return _out_of_calendar(column.explode())
    if isinstance(kind, pl.Struct) and "Date" in str(kind):
        return any(_out_of_calendar(column.struct.field(inner.name)) for inner in kind.fields)
    if not isinstance(kind, pl.Date | pl.Datetime) or (isinstance(kind, pl.Datetime) and kind.time_unit == "ns"):
        return False
    day = 1 if isinstance(kind, pl.Date) else 86_400 * {"ms": 10**3, "us": 10**6}[kind.time_unit]
    return not column.to_physical().drop_nulls().is_between(-719_162 * day, 2_932_897 * day - 1).all()


def _frameable(relation: duckdb.DuckDBPyRelation, far: Collection[str] = ()) -> duckdb.DuckDBPyRelation:
    """The relation with columns that a frame has no type for (an interval, bits, …) as text, and no name twice."""
    kinds, names = [str(kind) for kind in relation.types], _unique(relation.columns)
    foreign = [name in far or bool(_FOREIGN.search(kind)) for name, kind in zip(names, kinds, strict=True)]
    if names == relation.columns and not any(foreign):
        return relation
    as_text = [f"CAST(#{n} AS VARCHAR)" if text else f"#{n}" for n, text in enumerate(foreign, 1)]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    return relation.project(", ".join(f"{value} AS {name}" for value, name in zip(as_text, quoted, strict=True)))


def _unique(names: Sequence[str]) -> list[str]:
    taken: list[str] = []
    for name in names:
        number = 1
        while (told := name if number == 1 else f"{name}_{number}") in taken:
            number += 1
        taken.append(told)
    return taken


def _path(uri: str) -> str:
    return uri.removeprefix("file://")


def _quoted(name: str) -> str:
    return f'"{name}"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(_literal(value) for value in values) + "]"


def _sql_type(kind: Any) -> str:
    return _TYPES[kind]


def _column(name: str, kind: str, stored: str | None) -> str:
    quoted = f'"{name}"'
    if stored is None:
        return f"CAST(NULL AS {kind}) AS {quoted}"
    if kind.startswith("MAP") and stored.endswith("[]"):  # a list of key and value, as polars writes a map
        return f"map_from_entries({quoted}) AS {quoted}"
    return quoted if stored == kind or _same(stored, kind) else f"CAST({quoted} AS {kind}) AS {quoted}"


def _same(stored: str, kind: str) -> bool:
    return kind == "TIMESTAMPTZ" and stored == "TIMESTAMP WITH TIME ZONE"


def _restored(error: OSError) -> duckdb.Error:
    """An error of the engine that Arrow has passed on."""
    kinds = {"Out of Memory Error": duckdb.OutOfMemoryException, "Permission Error": duckdb.PermissionException}
    return next((kind for name, kind in kinds.items() if str(error).startswith(name)), duckdb.Error)(str(error))


def _first_line(error: duckdb.Error) -> str:
    return re.sub(r"^[A-Za-z ]+ Error: ", "", str(error).strip().splitlines()[0])


def _usage(error: duckdb.Error) -> UsageError:
    """The engine's own words without its prefix and its caret, its suggestion kept, and a next step."""
    text = re.sub(r"^[A-Za-z ]+ Error: ", "", str(error).strip())
    wording = " ".join(part.strip() for part in text.split("\n\nLINE")[0].splitlines() if part.strip())
    return UsageError(f"the query cannot be run: {wording}", hint=_NEXT_STEP.get(type(error).__name__))
