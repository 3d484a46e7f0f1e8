"""The only writer: data goes to stdout in the chosen format, talk goes to stderr.

Data are frames or JSON values; nothing that came from a log reaches a terminal as a control sequence, or a
spreadsheet as a formula.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from triage.errors import TriageError, UnavailableError, UsageError
from triage.visible import INVISIBLE, visible

if TYPE_CHECKING:
    import polars as pl

FORMATS = ("table", "csv", "json", "jsonl", "parquet")
_CELL = 120  # characters of a table's cell in a terminal; other formats cut nothing
_ROWS = 2000  # of a table in a terminal
_PART = 20_000  # rows that are written at a time
# What a terminal would obey when somebody looks at the file, marks of direction too; carriage returns and tabs are data.
_DIRECTIONS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_UNPRINTABLE = {chr(code): shown for code, shown in INVISIBLE.items() if (code < 0xA0 and code != 13) or code in _DIRECTIONS}
_OBEYED = re.compile(f"[{''.join(chr(code) for code in INVISIBLE if code > 0x7E)}]")  # JSON escapes those below itself
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Console:
    """Where a command talks and writes."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._live = sys.stderr.isatty() and not quiet
        self._shown = 0
        self._lock = threading.Lock()

    # Talk

    def say(self, text: str) -> None:
        """One line for the person, unless --quiet."""
        if not self.quiet:
            self._line(text)

    def detail(self, text: str) -> None:
        """One line for who asked with --verbose."""
        if self.verbose:
            self._line(text)

    def warn(self, text: str) -> None:
        """One line even with --quiet."""
        self._line(f"warning: {text}")

    def error(self, error: TriageError) -> None:
        """What happened, where, and what to do: one sentence, one line."""
        where = f" ({error.where})" if error.where and error.where not in error.message else ""
        hint = f"; {error.hint}" if error.hint else ""
        self._line(f"error: {error.message}{where}{hint}")

    def _line(self, text: str) -> None:
        with self._lock:
            self._wipe()
            print(visible(text), file=sys.stderr, flush=True)

    @contextmanager
    def status(self, text: Callable[[], str]) -> Iterator[None]:
        """While it lasts, a line that is kept up to date on a terminal, and now and then in a log."""
        ended = threading.Event()

        def show() -> None:
            told = time.monotonic()
            while not ended.wait(0.25 if self._live else 1.0):
                if self._live:
                    with self._lock:
                        self._wipe()
                        line = visible(text())[: max(20, _columns() - 1)]
                        sys.stderr.write(line)
                        sys.stderr.flush()
                        self._shown = len(line)
                elif time.monotonic() - told > 30:
                    told = time.monotonic()
                    self.say(text())

        thread = threading.Thread(target=show, name="triage-status", daemon=True)
        if not self.quiet:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if thread.is_alive():
                thread.join()
            with self._lock:
                self._wipe()

    def _wipe(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            self._shown = 0

    # Data

    def write(self, text: str) -> None:
        """Text that is data already, to stdout."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")

    def json(self, value: Any) -> None:
        """One JSON value."""
        self.write(as_json(value, indent=2))

    def frame(self, frame: pl.DataFrame, form: str = "table") -> None:
        """A table of results in one of FORMATS."""
        if form == "table":
            self._table(frame)
        elif form == "csv":
            for part in csv_parts(frame):
                self.write(part)
        elif form == "json":
            rows = ",\n ".join(as_json(row) for row in plain_rows(frame))
            self.write(f"[{rows}]")
        elif form == "jsonl":
            for row in plain_rows(frame):
                self.write(as_json(row))
        elif form == "parquet":
            if sys.stdout.isatty():
                raise UsageError("Parquet is not for terminals", hint="send it to a file: … > result.parquet")
            frame.write_parquet(sys.stdout.buffer)
        else:
            raise UsageError(f"unknown format: {form}", hint=f"one of: {', '.join(FORMATS)}")

    def record(self, row: Mapping[str, Any]) -> None:
        """One classified record on one line, for a person who watches."""
        number = row["severity_number"] or 0
        tone = "31" if number >= 17 else "33" if number >= 13 or row["problem"] else ""
        first = (row["message"] or "").split("\n", 1)[0]
        text = visible(f"{row['timestamp']:%H:%M:%S.%f}"[:12] + f" {row['service_name']} {row['severity_text'] or '-'} {first}")
        problem = f" [{row['problem']}]" if row["problem"] else ""
        self.write(f"\x1b[{tone}m{text}\x1b[1m{problem}\x1b[0m" if self.colour and tone else text + problem)
        sys.stdout.flush()

    def _table(self, frame: pl.DataFrame) -> None:
        cells = [[_cell(value) for value in row] for row in frame.head(_ROWS).iter_rows()]
        numeric = [kind.is_numeric() for kind in frame.dtypes]
        self.rows(frame.columns, cells, numeric)
        if frame.height > _ROWS:
            self.say(f"{frame.height - _ROWS:,} more rows; --format csv, json or parquet gives all")
        self.say(f"{frame.height:,} {'row' if frame.height == 1 else 'rows'}")

    @property
    def narrow(self) -> bool:
        """Whether somebody reads in so many columns; a pipe has as many as there are."""
        return sys.stdout.isatty() or "COLUMNS" in os.environ

    def paragraph(self, text: str, indent: str) -> None:
        """A text for people, folded between words to the terminal; its later lines are indented."""
        from textwrap import wrap

        columns = shutil.get_terminal_size().columns
        folded = wrap(visible(text), columns, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True)
        self.write("\n".join(folded))

    def rows(self, head: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool] = ()) -> None:
        """A table for people, as wide as the terminal; in a pipe it is as wide as it needs to be."""
        from rich.box import SIMPLE_HEAD
        from rich.console import Console as Rich
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
        for number, name in enumerate(head):
            right = number < len(numeric) and numeric[number]
            table.add_column(Text(visible(name)), justify="right" if right else "left", overflow="fold")
        for row in cells:
            table.add_row(*(Text(visible(cell)) for cell in row))
        rich = Rich(file=sys.stdout, width=None if self.narrow else _width(head, cells), highlight=False)
        rich.print(table)


def _width(head: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    from rich.cells import cell_len

    columns = zip(*([list(head), *map(list, cells)]), strict=True)
    return sum(max(max((cell_len(line) for line in cell.split("\n")), default=0) for cell in column) + 3 for column in columns) + 2  # fmt: skip


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80


def plain_rows(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows with maps as objects, ready for JSON."""
    import polars as pl

    pair = {"key", "value"}
    entries = [
        name
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct) and {f.name for f in kind.inner.fields} == pair
    ]
    for row in frame.iter_rows(named=True):
        for name in entries:
            if row[name] is not None:
                row[name] = {entry["key"]: entry["value"] for entry in row[name]}
        yield row


def as_json(value: Any, indent: int | None = None) -> str:
    """JSON with RFC 3339 times; what JSON cannot hold (NaN, bytes) as null or text, what a terminal obeys as an escape."""
    text = json.dumps(_finite(value), ensure_ascii=False, indent=indent, default=_json_value)
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Decimal):  # what sums of integers and literals such as 1.5 are in DuckDB
        return int(value) if value == int(value) else float(value)
    return str(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, list | dict):
        value = ", ".join(str(item) for item in value) if isinstance(value, list) else as_json(value)
    text = str(value)
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"


def csv_parts(frame: pl.DataFrame) -> Iterator[str]:
    """`as_csv` in pieces, for results that would not fit into memory twice; the head is in the first."""
    for number, part in enumerate(frame.iter_slices(_PART) if frame.height else [frame]):
        yield as_csv(part, head=not number)


def as_csv(frame: pl.DataFrame, head: bool = True) -> str:
    """CSV that neither a spreadsheet nor a terminal obeys."""
    import polars as pl

    def safe(name: str, kind: pl.DataType) -> pl.Expr:
        if kind == pl.String:  # a spreadsheet would run it
            column = pl.col(name).str.replace_many(_UNPRINTABLE)
            risky = pl.any_horizontal(column.str.starts_with(mark) for mark in _FORMULA)
            return pl.when(risky).then(pl.lit("'") + column).otherwise(column)
        if kind.is_nested() or kind in (pl.Binary, pl.Object):  # CSV has no form for them
            return pl.Series(name, [None if v is None else as_json(v) for v in frame[name].to_list()]).to_frame()[name]  # type: ignore[return-value]
        return pl.col(name)

    columns = [safe(name, kind).alias(_safe_head(name)) for name, kind in frame.schema.items()]
    return frame.select(columns).write_csv(include_header=head, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")


def _safe_head(name: str) -> str:
    """A column's name as CSV may say it."""
    shown = visible(name)
    return f"'{shown}" if shown.startswith(tuple(_FORMULA)) else shown


def write_file(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all; a device or pipe is written into, a link kept."""
    try:
        if path.exists() and not path.is_file():  # replacing /dev/null would break the machine
            path.write_text(text, encoding="utf-8")
            return
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(part, path)
    except OSError as error:
        raise UnavailableError(f"cannot write: {error.strerror}", str(path), "give another place") from error


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Held while a file is made; a second process that wants to make it is told at once."""
    import fcntl

    place = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(place, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise UnavailableError(f"cannot write: {error.strerror}", str(path), "give another place") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UnavailableError("another triage is writing this file", str(path), "wait for it to end") from error
    else:
        yield
    finally:
        os.close(lock)


def counted(pairs: Iterable[tuple[str, int]]) -> str:
    """`3 a, 2 b` of names and numbers."""
    return ", ".join(f"{count:,} {name}" for name, count in pairs)
