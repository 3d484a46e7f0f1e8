"""The lake: records and cursors together or not at all, for one writer at a time, private, and kept in order."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from triage.errors import UnavailableError, UsageError
from triage.lake import collectors, maintenance, state
from triage.lake.table import Lake
from triage.lake.upkeep import Keeping, Upkeep
from triage.query import Session
from triage.schema import CONTAINER_EVENTS, LOGS, STATE


def records(count: int, first: int = 0, day: int = 3) -> pl.DataFrame:
    rows = [
        {
            "timestamp": datetime(2026, 2, day, 10, 0, i % 60, tzinfo=UTC), "date": date(2026, 2, day),
            "service_name": "api", "severity_number": 17, "fingerprint": 2**63 - 1 - i, "body": f"line {first + i}",
            "attributes": [{"key": "n", "value": str(first + i)}] if i % 2 else None, "problems": ["a.b"],
            "problem": "a.b", "origin": "docker:1", "position": first + i, "record_id": f"r{first + i}",
        }
        for i in range(count)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=LOGS)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "the lake, für 日志")
    lake.create()
    return lake


def test_records_come_back_as_they_were(lake: Lake) -> None:
    stored = records(10)
    lake.append(stored, {"docker:1": 9})
    with Session(lake.file_uris()) as session:
        got = session.sql("SELECT * FROM logs ORDER BY position")
    same = [name for name in LOGS if name != "attributes"]
    assert got.select(same).equals(stored.select(same))
    assert got["attributes"].to_list() == [{"n": str(i)} if i % 2 else None for i in range(10)]


def test_a_folder_that_delta_would_take_for_another_is_refused_before_it_is_made(tmp_path: Path) -> None:
    Lake(tmp_path / "100%").create()
    with pytest.raises(UsageError, match="cannot be in a folder of this name"):
        Lake(tmp_path / "x%41y")
    assert [entry.name for entry in tmp_path.iterdir()] == ["100%"]


def test_cursor_is_committed_with_the_records(lake: Lake) -> None:
    assert lake.version_of("docker:1") is None
    lake.append(records(3), {"docker:1": 2, "docker:1#n": 1})
    again = Lake(lake.path)
    assert (again.version_of("docker:1"), again.version_of("docker:1#n")) == (2, 1)


def test_second_writer_of_one_origin_is_refused_and_others_are_not(lake: Lake) -> None:
    other = Lake(lake.path)
    assert (other.version_of("docker:1"), lake.version_of("docker:2")) == (None, None)
    lake.append(records(3), {"docker:1": 2})
    with pytest.raises(UnavailableError, match="another triage is collecting"):
        other.append(records(3), {"docker:1": 2})
    other.append(records(3, first=100), {"docker:2": 5})
    lake.append(records(3, first=3), {"docker:1": 5})
    lake.append(records(0), {"docker:1": 6})
    with pytest.raises(UnavailableError, match="another triage is collecting"):
        lake.append(records(3), {"docker:2": 3})  # what others stored two commits ago
    with Session(Lake(lake.path).file_uris()) as session:
        assert session.sql("SELECT count(*) AS n FROM logs")["n"][0] == 9


def test_kill_at_any_instant_loses_and_doubles_nothing(tmp_path: Path) -> None:
    place = tmp_path / "lake"
    program = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.test_lake import records, Lake\n"
        f"lake = Lake({str(place)!r}); lake.create()\n"
        "at = (lake.version_of('o') or -1) + 1\n"
        "while True:\n"
        "    lake.append(records(7, first=at), {'o': at + 6}); at += 7\n"
        "    print('stored', flush=True)\n"
    )
    for k in range(6):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # a loaded machine takes seconds to come to its first commit
            try:
                process.wait(timeout=0.1 + 0.17 * k)
            except subprocess.TimeoutExpired:
                process.kill()
    lake = Lake(place)
    last = lake.version_of("o")
    assert last is not None and last >= 41
    with Session(lake.file_uris()) as session:
        got = session.sql("SELECT position FROM logs ORDER BY position")["position"].to_list()
    assert got == list(range(last + 1))


def test_lake_is_private(lake: Lake) -> None:
    lake.key()
    assert stat.S_IMODE(os.stat(lake.path).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(Path(lake.path) / "_redaction.key").st_mode) == 0o600
    assert lake.key() == Lake(lake.path).key()


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UnavailableError, match="not a lake and not empty"):
        Lake(tmp_path).create()


def test_maintenance_keeps_what_it_should(lake: Lake) -> None:
    for k in range(5):
        lake.append(records(10, first=10 * k, day=3 + k % 2), {"docker:1": 10 * k + 9})
    before = {(p.date, p.records) for p in maintenance.partitions(lake)}
    removed, added = maintenance.compact(lake)
    assert (removed, added) == (5, 2)
    assert {(p.date, p.records) for p in maintenance.partitions(lake)} == before
    seen: list[date] = []
    changed = maintenance.reclassify(
        lake, lambda f: f.with_columns(pl.lit("c.d").alias("problem")), lambda day: seen.append(day.date)
    )
    assert (changed, len(seen)) == (50, 2)
    with Session(lake.file_uris()) as session:
        assert session.sql("SELECT DISTINCT problem FROM logs")["problem"].to_list() == ["c.d"]
    gone = maintenance.retain(lake, timedelta(days=1), None, date(2026, 2, 5))
    assert [day.date for day in gone] == [date(2026, 2, 3)]
    assert Lake(lake.path).version_of("docker:1") == 49, "what was forgotten is not collected again"


def test_what_a_killed_process_left_is_deleted_and_nothing_of_others(lake: Lake) -> None:
    lake.append(records(3, first=0), {"o": 3})
    (whole,) = (Path(uri.removeprefix("file://")) for uri in lake.file_uris())
    names = {name: whole.parent / name for name in ("part-left.zstd.parquet", "part-now.zstd.parquet", "part-mine.txt")}
    for path in (*names.values(), Path(lake.path, "report.html")):
        path.write_bytes(whole.read_bytes())
        if path.name != "part-now.zstd.parquet":  # one that is being written
            os.utime(path, (1.6e9, 1.6e9))
    assert maintenance.vacuum(lake) == 1
    assert [name for name, path in names.items() if not path.exists()] == ["part-left.zstd.parquet"]
    assert Path(lake.path, "report.html").exists() and whole.exists()


def test_reclassifying_that_ends_half_way_changes_nothing_and_leaves_nothing(lake: Lake) -> None:
    for day in (3, 4):
        lake.append(records(10, first=10 * day, day=day), {"o": 10 * day})
    version, files = lake.table.version(), set(Path(lake.path).rglob("*.parquet"))

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        if frame["date"][0].day == 4:
            lake.append(records(5, first=100, day=5), {"o": 105})  # a collector goes on meanwhile
            raise KeyboardInterrupt
        return frame.with_columns(pl.lit("c.d").alias("problem"))

    with pytest.raises(KeyboardInterrupt):
        maintenance.reclassify(lake, change, lambda day: None)
    assert lake.table.version() == version + 1
    assert len(set(Path(lake.path).rglob("*.parquet")) - files) == 1
    with Session(lake.file_uris()) as session:
        assert session.sql("SELECT count(*) AS n FROM logs WHERE problem = 'c.d'")["n"].to_list() == [0]

    def meanwhile(frame: pl.DataFrame) -> pl.DataFrame:
        if lake.version_of("late") is None:
            lake.append(records(5, first=200, day=5), {"late": 1})
        return frame.with_columns(pl.lit("c.d").alias("problem"))

    version = lake.table.version()
    assert maintenance.reclassify(lake, meanwhile, lambda day: None) == 30
    assert lake.table.version() == version + 2, "the collector's commit, and one for all that is replaced"
    with Session(lake.file_uris()) as session:
        assert session.sql("SELECT problem, count(*) AS n FROM logs GROUP BY ALL").rows() == [("c.d", 30)]


def test_months_of_commits_leave_few_files_and_the_cursor(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    care = Upkeep(lake, said.append, commits=20)
    monkeypatch.setattr(maintenance, "_KEEP_HOURS", 0)
    for k in range(60):
        lake.append(records(2, first=2 * k, day=3 + k // 30), {"docker:1": 2 * k + 1})
        lake.note([{"timestamp": datetime(2026, 2, 3, tzinfo=UTC), "kind": "note", "message": str(k)}])
        care()
    assert said == []
    assert [day.files for day in maintenance.partitions(lake)] == [1, 1]
    assert len(list(Path(lake.path).rglob("date=*/*.parquet"))) == 2, "what was replaced is deleted"
    assert len(list(Path(lake.path, "_collection").glob("*.parquet"))) == 1
    assert Lake(lake.path).version_of("docker:1") == 119
    assert lake.notes().height == 60
    with Session(lake.file_uris()) as session:
        assert session.sql("SELECT position FROM logs ORDER BY 1")["position"].to_list() == list(range(120))


def test_upkeep_forgets_what_is_beyond_its_age_or_size(lake: Lake) -> None:
    for number, day in enumerate((3, 4, 5)):
        lake.append(records(2, first=2 * number, day=day), {"docker:1": number})
    said: list[str] = []
    Upkeep(lake, said.append, Keeping(size=1), commits=1)()
    assert [str(day.date) for day in maintenance.partitions(lake)] == ["2026-02-05"], "the newest day always stays"
    Upkeep(lake, said.append, Keeping(age=timedelta(days=1)), commits=1)()
    assert (maintenance.partitions(lake), said) == ([], [])
    assert Lake(lake.path).version_of("docker:1") == 2, "what was forgotten is not collected again"


def test_how_collecting_goes_is_kept_beside_the_records(lake: Lake) -> None:
    at = datetime(2026, 2, 3, 10, tzinfo=UTC)
    collectors.tell(lake, {"docker:1": collectors.going(at, 1.04, 20.0), "docker:2": collectors.going(None, 90.0, 0.0, "gone")})
    collectors.tell(lake, {"docker:1": collectors.going(None, 2.0, 0.0)})
    told = collectors.told(Lake(lake.path))
    assert (told["docker:1"]["last_commit"], told["docker:1"]["lag_s"]) == ("2026-02-03T10:00:00Z", 2.0)
    assert (told["docker:2"]["last_commit"], told["docker:2"]["trouble"]) == (None, "gone")
    file = Path(lake.path, "_collecting.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("[torn")
    assert collectors.told(lake) == {}


def test_maintenance_beside_a_collector_and_a_reader_loses_and_doubles_nothing(lake: Lake) -> None:
    """Everything at once, by processes of their own."""
    collector = (
        "import sys; sys.path.insert(0, '.')\n"
        "from tests.test_lake import records, Lake, Upkeep\n"
        f"lake = Lake({lake.path!r}); care = Upkeep(lake, print, commits=5)\n"
        "for k in range(60):\n"
        "    lake.append(records(5, first=5 * k), {'o': 5 * k + 4}); care()\n"
    )
    lake.append(records(5, first=1000, day=2), {"old": 0})
    with subprocess.Popen([sys.executable, "-c", collector], stdout=subprocess.PIPE, text=True) as process:
        seen, rounds = 0, 0
        while process.poll() is None:
            maintenance.compact(lake)
            maintenance.reclassify(lake, lambda f: f.with_columns(pl.lit("c.d").alias("problem")), lambda day: None)
            maintenance.retain(lake, timedelta(days=1), None, date(2026, 2, 4))
            with Session(lake.file_uris()) as session:
                count = session.sql("SELECT count(*) AS n FROM logs WHERE day(timestamp) = 3")["n"][0]
            assert count >= seen
            seen, rounds = count, rounds + 1
        assert process.stdout is not None
        assert process.returncode == 0 and process.stdout.read() == ""
    assert rounds > 1
    end = Lake(lake.path)
    with Session(end.file_uris()) as session:
        assert session.sql("SELECT position FROM logs ORDER BY 1")["position"].to_list() == list(range(300))
    assert end.version_of("o") == 299


@pytest.mark.parametrize("broken", ["torn", "overwritten", "empty", "gone"])
def test_a_damaged_file_is_named_and_set_aside_and_does_not_block_the_rest(lake: Lake, broken: str) -> None:
    lake.append(records(5000), {"docker:1": 4999})
    (bad,) = (Path(file.removeprefix("file://")) for file in lake.file_uris())
    lake.append(records(10, first=5000, day=4), {"docker:1": 5009})
    whole = bad.read_bytes()
    third = len(whole) // 3
    bad.write_bytes({"torn": whole[:-100], "empty": b"", "overwritten": whole[:4] + b"x" * third + whole[4 + third :]}.get(broken, b""))
    if broken == "gone":
        bad.unlink()
    said: list[str] = []
    with Session(lake.file_uris(), warn=said.append) as session:
        assert session.sql("SELECT count(*) AS n, max(body) AS b, max(record_id) AS r FROM logs")["n"].item() == 10
    assert len(said) == 1 and str(bad) in said[0]
    (found,) = maintenance.repair(lake)
    assert (found.path, found.records, found.start) == (str(bad), 5000, datetime(2026, 2, 3, 10, 0, tzinfo=UTC))
    assert (Path(lake.path, "_damaged", bad.name).exists(), bad.exists()) == (broken != "gone", False)
    assert lake.notes().select("kind", "lines").row(0) == ("gap", 5000)
    again = Lake(lake.path)
    assert (again.version_of("docker:1"), len(again.file_uris()), maintenance.repair(again)) == (5009, 1, [])
    assert maintenance.compact(again) == (0, 0)


def test_what_is_asked_for_lies_together_and_compacting_keeps_it_so(lake: Lake) -> None:
    """No row group holds records with trouble and records without, nor two families, where there are many of each."""
    many = records(12_000).with_columns(
        problem=pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.lit("api.server_error")),
        source=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("app")).otherwise(pl.lit("postgres")),
        severity_number=pl.lit(9, pl.UInt8),
    )
    lake.append(many[:6000], {})
    lake.append(many[6000:], {})
    assert maintenance.compact(lake) == (2, 1)
    (path,) = lake.file_uris()
    groups = pq.ParquetFile(path).metadata
    kinds = []
    for number in range(groups.num_row_groups):
        columns = {c.path_in_schema: c.statistics for c in map(groups.row_group(number).column, range(groups.num_columns))}
        assert columns["source"].min == columns["source"].max
        assert columns["problem"].null_count in (0, groups.row_group(number).num_rows)
        kinds.append((columns["problem"].null_count > 0, columns["source"].min))
    assert kinds == [(False, "app"), (True, "app"), (True, "postgres")]
    stored = Session([path]).sql("SELECT record_id, problem FROM logs ORDER BY record_id")
    assert stored.equals(many.select("record_id", "problem").sort("record_id"))


def test_notes_come_back_oldest_first(lake: Lake) -> None:
    for second in (2, 1):
        row = {"timestamp": datetime(2026, 2, 3, 10, 0, second, tzinfo=UTC), "kind": "gap", "message": str(second)}
        lake.note([row])
    assert lake.notes()["message"].to_list() == ["1", "2"]


def events(count: int, first: int = 0, day: int = 3) -> pl.DataFrame:
    rows = [
        {
            "timestamp": datetime(2026, 2, day, 10, tzinfo=UTC) + timedelta(seconds=first + i), "action": "die",
            "service_name": "api", "exit_code": 137, "oom_killed": True, "time_ns": first + i,
            "attributes": [{"key": "n", "value": str(first + i)}],
        }
        for i in range(count)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=CONTAINER_EVENTS)


def test_state_lies_beside_the_logs_with_its_cursor_and_is_kept_as_they_are(lake: Lake) -> None:
    with Session(lake.file_uris(), state=state.file_uris(lake)) as session:
        for name, columns in STATE.items():
            assert session.sql(f"SELECT * FROM {name}").columns == list(columns), "an empty table has its columns"
    lake.append(records(5), {"docker:1": 4})
    lake.append(records(5, first=5, day=4), {"docker:1": 9})
    table = state.StateTable(lake, "container_events")
    table.append(events(3), {"engine": 2})
    table.append(events(2, first=3), {"engine": 4})
    table.append(events(2, first=5, day=4), {"engine": 6})
    other = state.StateTable(Lake(lake.path), "container_events")
    assert (other.cursor("engine"), other.frame()["time_ns"].to_list()) == (6, list(range(7)))
    table.append(events(0), {"engine": 7})
    with pytest.raises(UnavailableError, match="another triage"):
        other.append(events(1, first=6), {"engine": 7})
    assert stat.S_IMODE(os.stat(Path(lake.path) / "_state").st_mode) == 0o700
    assert maintenance.compact(lake) == (2, 1), "of the state's first day"
    with Session(lake.file_uris(), state=state.file_uris(lake)) as session:
        got = session.sql("SELECT time_ns, attributes['n'] AS n, oom_killed FROM container_events ORDER BY time_ns")
        assert got.rows() == [(i, str(i), True) for i in range(7)]
        assert session.sql("SELECT count(*) AS n FROM logs")["n"][0] == 10, "state is no log"
    assert len(maintenance.retain(lake, timedelta(days=1), None, date(2026, 2, 5))) == 1
    again = state.StateTable(Lake(lake.path), "container_events")
    assert (again.cursor("engine"), again.frame()["time_ns"].to_list()) == (7, [5, 6])
