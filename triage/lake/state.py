"""The state tables beside the logs: what the engine, its containers and probes said, one Delta table each.

They lie under `_state` in the lake's folder (Delta passes over folders that begin with an underscore). As with the
logs, rows and the cursor behind them are one commit: a kill at any instant neither loses nor doubles a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from triage.errors import UnavailableError
from triage.lake.parquet import arrow
from triage.lake.table import KEEPING, Lake, _translated, files_of
from triage.schema import STATE

_FOLDER = "_state"
_WRITER = WriterProperties(compression="ZSTD", compression_level=3)


class StateTable:
    """One state table of a lake, by its name in `schema.STATE`; made by the first append.

    Cursors are those of the state this object has seen; two writers of one cursor exclude each other.
    """

    def __init__(self, lake: Lake, name: str) -> None:
        self._lake, self.name, self.schema = lake, name, STATE[name]
        self.path = f"{lake.path.rstrip('/')}/{_FOLDER}/{name}"
        self._options = lake.storage_options
        self._table: DeltaTable | None = None
        self._cursors: dict[str, int | None] = {}

    @property
    def table(self) -> DeltaTable | None:
        """The Delta table in the state that this object works from; None where nothing was ever stored."""
        if self._table is None:
            with _translated(self._lake.path):
                if DeltaTable.is_deltatable(self.path, self._options):
                    self._table = DeltaTable(self.path, storage_options=self._options)
        return self._table

    def refresh(self) -> None:
        """Take in what others have committed since."""
        if self._table is not None:
            with _translated(self._lake.path):
                self._table.update_incremental()

    def cursor(self, name: str) -> int | None:
        """The committed value of a cursor."""
        if name not in self._cursors:
            self._cursors[name] = None if self.table is None else self.table.transaction_version(name)
        return self._cursors[name]

    def append(self, rows: pl.DataFrame, cursors: Mapping[str, int] | None = None) -> None:
        """Store rows (columns of the table's schema; `date` is made from `timestamp`) and cursors in one commit."""
        cursors = cursors or {}
        if rows.is_empty() and not cursors:
            return
        ordered = (
            rows.with_columns(date=pl.col("timestamp").dt.date())
            .select(pl.col(name).cast(kind) for name, kind in self.schema.items())
            .sort("date", "service_name", "timestamp", maintain_order=True)
        )
        for name in cursors:
            self.cursor(name)
        self._create()
        self.refresh()
        assert self._table is not None
        if any(self._table.transaction_version(name) != self._cursors[name] for name in cursors):
            raise self._elsewhere()
        properties = CommitProperties(app_transactions=[Transaction(k, v) for k, v in sorted(cursors.items())])
        with _translated(self._lake.path):
            try:
                write_deltalake(
                    self._table, arrow(ordered), mode="append", schema_mode="merge", writer_properties=_WRITER,
                    commit_properties=properties,
                )  # fmt: skip
            except CommitFailedError as error:
                raise self._elsewhere() from error
            self._table.update_incremental()
        self._cursors.update(cursors)

    def frame(self, since: date | None = None) -> pl.DataFrame:
        """All rows, or those from a day on, oldest first, in the columns of the table's schema."""
        if self.table is None:
            return pl.DataFrame(schema=self.schema)
        self.refresh()
        with _translated(self._lake.path):
            days = None if since is None else [("date", ">=", since)]
            stored = pl.DataFrame(self.table.to_pyarrow_table(filters=days))
        return stored.select(
            (pl.col(name) if name in stored.columns else pl.lit(None, kind).alias(name)).cast(kind)
            for name, kind in self.schema.items()
        ).sort("timestamp", maintain_order=True)

    def file_uris(self) -> list[str]:
        """The Parquet files that make up the table now."""
        with _translated(self._lake.path):
            return [] if self.table is None else files_of(self.table)

    def _create(self) -> None:
        if self.table is not None:
            return
        with _translated(self._lake.path):
            if self._lake.local:
                for folder in (Path(self.path).parent, Path(self.path)):
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._table = DeltaTable.create(
                self.path, arrow(pl.DataFrame(schema=self.schema)).schema, mode="ignore", partition_by=["date"],
                name=self.name, storage_options=self._options,
                configuration=KEEPING,
            )  # fmt: skip

    def _elsewhere(self) -> UnavailableError:
        hint = "nothing is lost or doubled; stop the other one, then run this again"
        return UnavailableError("another triage is collecting the same into this lake", self.path, hint)


def tables(lake: Lake) -> list[StateTable]:
    """Those that hold something."""
    return [table for name in STATE if (table := StateTable(lake, name)).table is not None]


def file_uris(lake: Lake) -> dict[str, list[str]]:
    """The files of each state table, for a session."""
    return {table.name: table.file_uris() for table in tables(lake)}
