"""The lake's tables: `logs`, a Delta table at the lake's own folder, and beside it what the collectors noted.

A batch of records and the cursors behind it are one Delta commit (`app_transactions`), so a kill at any instant
neither loses nor doubles a line. Local lakes are readable by their owner alone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from triage.errors import UnavailableError, UsageError
from triage.lake import parquet
from triage.schema import LOGS, TIMESTAMP

# What the collectors had to say, one row per note. `kind`: gap, undecodable or note.
NOTES: dict[str, pl.DataType | type[pl.DataType]] = {
    "timestamp": TIMESTAMP, "origin": pl.String, "service_name": pl.String, "kind": pl.String,
    "start": TIMESTAMP, "end": TIMESTAMP, "lines": pl.Int64, "message": pl.String,
}  # fmt: skip
_LOGS_NAME = "logs"
_NOTES_FOLDER = "_collection"  # Delta passes over folders that begin with an underscore
_KEY_FILE = "_redaction.key"
_LOCK_FILE = "_writers.lock"
# A month of versions, one for every few seconds, would keep half a million of them and every file that was replaced.
KEEPING = {"delta.deletedFileRetentionDuration": "interval 1 days", "delta.logRetentionDuration": "interval 1 days"}


class Lake:
    """One lake. Cursors are those of the state this object has seen; two writers of one origin exclude each other."""

    def __init__(self, path: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.path = str(path)
        self.local = "://" not in self.path
        if self.local and unquote(real := os.path.realpath(self.path)) != real:
            hint = "Delta takes a percent sign and two hex digits for one character; give another folder with --lake"
            raise UsageError("a lake cannot be in a folder of this name", real, hint)
        self.storage_options = dict(storage_options) if storage_options else None
        self._table: DeltaTable | None = None
        self._versions: dict[str, int | None] = {}  # of transactions
        self._checked: dict[str, int] = {}  # the table's version at which each was found so
        self._own, self._others = -1, 0  # the table's version after the last commit here, and after one elsewhere

    def exists(self) -> bool:
        """Whether there is a table to read."""
        with _translated(self.path):
            if self.local and not Path(self.path, "_delta_log").is_dir():
                return False
            return DeltaTable.is_deltatable(self.path, self.storage_options)

    def require(self) -> None:
        """UnavailableError where there is no lake."""
        if not self.exists():
            hint = "fill it with: triage collect, or triage ingest PATH (another place: --lake DIR or TRIAGE_LAKE)"
            raise UnavailableError("there is no lake here", self.path, hint)

    def create(self) -> None:
        """Make the lake if it is not there; a folder that holds something else is left alone."""
        if self.exists():
            return
        with _translated(self.path):
            if self.local:
                folder = Path(self.path)
                if folder.is_dir() and any(folder.iterdir()) and not _only_own(folder):
                    hint = "give an empty or new folder with --lake"
                    raise UnavailableError("this folder is not a lake and not empty", self.path, hint)
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
            DeltaTable.create(
                self.path, parquet.stored_schema(), mode="ignore", partition_by=["date"],
                name=_LOGS_NAME, storage_options=self.storage_options, configuration=KEEPING,
            )  # fmt: skip

    @property
    def table(self) -> DeltaTable:
        """The table of records, in the state that this object works from."""
        if self._table is None:
            self.require()
            with _translated(self.path):
                self._table = DeltaTable(self.path, storage_options=self.storage_options)
        return self._table

    def refresh(self) -> None:
        """Take in what others have committed since."""
        if self._table is not None:
            with _translated(self.path):
                self._table.update_incremental()

    def version_of(self, transaction: str) -> int | None:
        """The committed cursor of a transaction id."""
        if transaction not in self._versions:
            self._versions[transaction] = self.table.transaction_version(transaction)
            self._checked[transaction] = self.table.version()
        return self._versions[transaction]

    def append(self, records: pl.DataFrame, transactions: Mapping[str, int]) -> None:
        """Store records (columns of LOGS) and cursors in one commit, all or nothing."""
        for name in transactions:
            self.version_of(name)
        properties = CommitProperties(app_transactions=[Transaction(k, v) for k, v in sorted(transactions.items())])
        with self._locked(fcntl.LOCK_SH), _translated(self.path):
            self._hold_to(transactions)
            try:
                self.widen()
                self.table.create_write_transaction(
                    [*parquet.append(self.table, records.select(list(LOGS)))], "append", self.table.schema(), ["date"],
                    commit_properties=properties,
                )  # fmt: skip
            except CommitFailedError as error:
                raise self._elsewhere() from error
            self._own = self.table.version() + 1
            self.table.update_incremental()
        self._versions.update(transactions)

    def widen(self) -> None:
        """Add the columns that the lake of an older version lacks."""
        known = {field.name for field in self.table.schema().fields}
        wanted = Schema.from_arrow(parquet.stored_schema()).fields
        if missing := [field for field in wanted if field.name not in known]:
            self.table.alter.add_columns(missing)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No collector commits meanwhile (in object storage one may: then Delta refuses the change that it overtook)."""
        with self._locked(fcntl.LOCK_EX):
            try:
                yield
            except CommitFailedError as error:
                hint = "nothing was changed by this step; run it again"
                raise UnavailableError("the lake was changed by another process meanwhile", self.path, hint) from error

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        if not self.local:
            yield
            return
        with _translated(self.path):
            descriptor = os.open(Path(self.path, _LOCK_FILE), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)

    def _hold_to(self, transactions: Mapping[str, int]) -> None:
        """Another writer of the same origins has stored the same lines: writing ours too would double them."""
        self.refresh()
        version = self.table.version()
        if version != self._own:
            self._others = version
        # A question to Delta for each of hundreds of containers takes longer than the commit: only after a commit of others.
        asked = [name for name in transactions if self._checked[name] < self._others]
        if any(self.table.transaction_version(name) != self._versions[name] for name in asked):
            raise self._elsewhere()
        self._checked |= dict.fromkeys(transactions, version)

    def _elsewhere(self) -> UnavailableError:
        hint = "nothing is lost or doubled; stop the other one, then run this again"
        return UnavailableError("another triage is collecting the same logs into this lake", self.path, hint)

    def file_uris(self) -> list[str]:
        """The Parquet files that make up the table now."""
        with _translated(self.path):
            return files_of(self.table)

    def note(self, notes: Sequence[Mapping[str, Any]]) -> None:
        """Remember what the collectors noted (rows of NOTES)."""
        if not notes:
            return
        frame = pl.DataFrame(list(notes), schema=NOTES)
        with _translated(self.path):
            write_deltalake(
                self._beside(_NOTES_FOLDER), frame.to_arrow(), mode="append", storage_options=self.storage_options,
                configuration=KEEPING,
            )  # fmt: skip

    def note_table(self) -> DeltaTable | None:
        """The table behind `notes`; None where nothing was ever noted."""
        with _translated(self.path):
            place = self._beside(_NOTES_FOLDER)
            there = DeltaTable.is_deltatable(place, self.storage_options)
            return DeltaTable(place, storage_options=self.storage_options) if there else None

    def notes(self) -> pl.DataFrame:
        """All notes, oldest first."""
        table = self.note_table()
        if table is None:
            return pl.DataFrame(schema=NOTES)
        with _translated(self.path):
            stored = table.to_pyarrow_table()
        return pl.DataFrame(stored).cast(NOTES).sort("timestamp", "origin", "message")  # type: ignore[arg-type]

    def key(self) -> bytes:
        """The secret that redaction marks are made with: the lake's own, so that marks agree between runs."""
        if given := os.environ.get("TRIAGE_REDACTION_KEY"):
            return given.encode()
        if not self.local:
            hint = "set TRIAGE_REDACTION_KEY to a long random text, the same for every host"
            raise UnavailableError("a lake in object storage keeps no redaction key", self.path, hint)
        with _translated(self.path):
            file = Path(self.path, _KEY_FILE)
            try:
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return file.read_bytes()
            with os.fdopen(descriptor, "wb") as out:
                out.write(secrets.token_hex(32).encode())
            return file.read_bytes()

    def _beside(self, name: str) -> str:
        return f"{self.path.rstrip('/')}/{name}"


def files_of(table: DeltaTable) -> list[str]:
    """The files of a table as a reader opens them: Delta spells paths on a disk like addresses, a space as %20."""
    return sorted(uri if "://" in uri else unquote(uri) for uri in table.file_uris())


def _only_own(folder: Path) -> bool:
    return all(entry.name.startswith("_") for entry in folder.iterdir())


@contextmanager
def _translated(path: str) -> Iterator[None]:
    """Failures of storage as one sentence."""
    try:
        yield
    except TableNotFoundError as error:
        raise UnavailableError("there is no lake here", path, "fill it with: triage collect, or triage ingest PATH") from error
    except OSError as error:
        raise UnavailableError(f"the lake cannot be used: {error.strerror or error}", path, _hint(str(error))) from error
    except DeltaError as error:
        if isinstance(error, CommitFailedError):
            raise
        told = str(error).splitlines()[0]
        raise UnavailableError(f"the lake cannot be used: {told[:300]}", path, _hint(told)) from error


def _hint(told: str) -> str | None:
    low = told.lower()
    if "no space" in low:
        return "free some disk space and run it again: what was stored is complete, the rest comes again"
    if "permission" in low or "read-only" in low:
        return "give a folder that you may write to with --lake"
    return None
