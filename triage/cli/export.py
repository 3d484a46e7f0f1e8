"""Many frames as one file, a frame at a time: whole or not at all, and for its owner alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from triage.console import as_csv
from triage.errors import UnavailableError

if TYPE_CHECKING:
    import polars as pl

KINDS = (".parquet", ".csv", ".jsonl")


def write_frames(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write frames of one schema as Parquet, CSV or JSON lines, by the file's name; the number of rows."""
    path = path.resolve()
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            write, end = _writer(path.suffix, out)
            for frame in frames:
                write(frame)
                count += frame.height
            end()
        os.replace(part, path)
    except OSError as error:
        raise UnavailableError(f"cannot write: {error.strerror or error}", str(path), "give another place") from error
    finally:
        with suppress(OSError):
            part.unlink()
    return count


def _writer(kind: str, out: IO[bytes]) -> tuple[Callable[[pl.DataFrame], object], Callable[[], None]]:
    """How a frame is written, and how the file is ended."""
    if kind == ".parquet":
        return _parquet(out)
    if kind == ".jsonl":
        return lambda frame: frame.write_ndjson(out), lambda: None
    return lambda frame: out.write(as_csv(frame, head=not out.tell()).encode()), lambda: None


def _parquet(out: IO[bytes]) -> tuple[Callable[[pl.DataFrame], object], Callable[[], None]]:
    import pyarrow.parquet as pq

    writers: list[pq.ParquetWriter] = []

    def write(frame: pl.DataFrame) -> None:
        table = frame.to_arrow()
        if not writers:
            writers.append(pq.ParquetWriter(out, table.schema, compression="zstd"))
        writers[0].write_table(table)

    def end() -> None:
        for writer in writers:
            writer.close()

    return write, end
