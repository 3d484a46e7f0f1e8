"""The session reads the lake and nothing else; named queries are what their headers say."""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.lake_factory import START, Story, write
from triage import schema
from triage.console import FORMATS, Console
from triage.errors import UsageError
from triage.lake.derived import with_derived
from triage.lake.table import Lake
from triage.query import NamedQuery, Session, load_folder
from triage.query.named import shipped

VALUES = {"timestamptz": START, "varchar": "x", "varchar[]": ["x"], "int": 1, "bigint": 1, "ubigint[]": [1]}
PATHS = st.lists(st.sampled_from(["/", "/jobs", "/17", "/job-17", "/ab12cd34ef", "?q=/1/2", "http://", "é", " ", "\n", "\\1", "$1"]), max_size=6).map("".join)
STATEMENTS = st.lists(
    st.sampled_from([
        "LOG:  ", "duration: 1.5 ms  ", "statement: ", "execute s1: ", "plan:\n", "Query Text: ", "SELECT ", "'it''s 5'", "$1", " 17 ", "1.5", "x1",
        "\n\tSeq Scan  (cost=0.00..1.00)", "é5", " \t ", "\r\n", "\u00a0 ", "'",
    ]), max_size=12,
).map("".join)  # fmt: skip
EMPTY = Session([])
SHIPPED = sorted(shipped().values(), key=lambda query: query.name)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    story = Story()
    story.healthy(600)
    story.slow_query(10, 1500, "SELECT * FROM jobs WHERE id = 5")
    for second in range(5):
        story.task(100 + second, end="failed", problem="provider.timeout")
    return Session(write(story.frame(), tmp_path_factory.mktemp("lake"), files=3))


def required(query: NamedQuery) -> dict[str, object]:
    return {parameter.name: VALUES[parameter.type] for parameter in query.parameters if parameter.required}


@pytest.mark.parametrize("query", SHIPPED, ids=lambda query: query.name)
class TestShippedQueries:
    def test_returns_the_declared_columns(self, session: Session, query: NamedQuery) -> None:
        assert tuple(session.named(query.name, **required(query)).columns) == query.returns

    def test_an_empty_lake_gives_an_empty_result_of_the_same_columns(self, query: NamedQuery) -> None:
        result = EMPTY.named(query.name, **required(query))
        assert tuple(result.columns) == query.returns
        assert result.height <= 1  # totals count zero

    def test_declares_the_parameters_that_it_uses(self, query: NamedQuery) -> None:
        used = set(re.findall(r"\$([a-z_]+)\b", re.sub(r"--[^\n]*", "", query.sql)))
        assert used == {parameter.name for parameter in query.parameters}

    def test_has_an_order(self, query: NamedQuery) -> None:
        assert "ORDER BY" in query.sql.upper()


class TestLogs:
    def test_has_the_columns_of_the_schema_in_order(self, session: Session) -> None:
        assert session.sql("SELECT * FROM logs LIMIT 1").columns == list(schema.LOGS)

    def test_has_the_same_types_over_an_empty_lake(self, session: Session) -> None:
        described = "SELECT column_name, column_type FROM (DESCRIBE logs)"
        assert EMPTY.sql(described).equals(session.sql(described))

    def test_attributes_are_a_map(self, session: Session) -> None:
        found = session.sql("SELECT attributes['url.path'] AS path FROM logs WHERE source = 'app' AND path IS NOT NULL")
        assert found["path"][0].startswith("/api/v1/jobs/")

    def test_a_file_from_before_a_column_was_added_gives_nulls(self, tmp_path: Path) -> None:
        story = Story()
        story.healthy(10, 5)
        older = story.frame().drop("span_id", "user_id")
        assert Session(write(older, tmp_path)).sql("SELECT span_id, user_id FROM logs")["user_id"].null_count() > 0

    def test_files_from_before_attributes_were_kept_apart_are_read_beside_new_ones(self, tmp_path: Path) -> None:
        story = Story()
        story.healthy(600)
        story.slow_query(10, 1500, "SELECT * FROM jobs WHERE id = 5")
        story.slow_query(20, 1500, "SELECT * FROM jobs WHERE id = 6")
        rows = story.frame().with_columns(pl.col("fingerprint") // 2)  # Delta's integers have a sign
        lake = Lake(tmp_path / "lake")
        lake.create()
        lake.append(rows.gather_every(2), {})
        mixed = Session([*lake.file_uris(), *write(rows.gather_every(2, 1), tmp_path / "older")])
        old = Session(write(rows, tmp_path / "old"))
        for name in ("requests_by_status", "slow_queries", "task_lives", "task_events", "beat_ticks", "rhythms"):
            assert_frame_equal(mixed.named(name), old.named(name))
            assert mixed.named(name).height or name in ("beat_ticks", "rhythms")

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.tuples(PATHS, STATEMENTS, st.sampled_from(["", "x", "SELECT 1"])), min_size=1, max_size=40))
    def test_what_is_worked_out_at_writing_is_what_older_files_are_read_as(self, told: list[tuple[str, str, str]]) -> None:
        rows = pl.DataFrame(
            {
                "source": ["postgres" if n % 5 else "app" for n in range(len(told))],
                "duration_ms": [1.0 if n % 7 else None for n in range(len(told))],
                "body": [body for _, body, _ in told],
                "attributes": [
                    [{"key": "url.path", "value": path}, *([{"key": "postgres.query", "value": query}] if query else [])]
                    for path, _, query in told
                ],
            },
            schema={name: schema.LOGS[name] for name in ("source", "duration_ms", "body", "attributes")},
        )
        rows = pl.concat([pl.DataFrame(schema=schema.LOGS), rows], how="diagonal")
        kept = with_derived(rows).select("body", "attribute_path", *schema.DERIVED)
        with tempfile.TemporaryDirectory() as folder:
            day = rows.with_columns(pl.lit(START.date()).alias("date"))
            with Session(write(day, Path(folder))) as older:
                read = older.sql(f"SELECT body, attribute_path, {', '.join(schema.DERIVED)} FROM stored")
        assert_frame_equal(kept, read, check_row_order=False)

    def test_answers_are_the_same_while_a_window_is_gathered(self, session: Session) -> None:
        window = {"since": START, "until": START + timedelta(seconds=300)}
        asked = [query for query in SHIPPED if {"since", "until"} == {p.name for p in query.parameters}]
        alone = {query.name: session.named(query.name, **window) for query in asked}
        with session.gathered(**window):
            for query in asked:
                assert_frame_equal(session.named(query.name, **window), alone[query.name])
            around = {"since": START - timedelta(days=1), "until": window["until"]}  # before, there is nothing
            assert_frame_equal(session.named("problems", **around), alone["problems"])
            inside = {**window, "until": START + timedelta(seconds=60)}
            within = session.named("problems", **inside)
        assert within.equals(session.named("problems", **inside)) and not within.equals(alone["problems"])

    def test_a_story_is_told_by_keys_and_by_what_mentions_them_meanwhile(self, tmp_path: Path) -> None:
        story = Story()
        story.add(1, "worker", "Task received", task_id="t-1")
        story.add(2, "web", "polled t-1 and j-9 once")
        story.add(3600, "web", "t-1 was an hour ago")
        session = Session(write(story.frame(), tmp_path))

        def told(**asked: object) -> list[str]:
            return session.named("story", **asked)["message"].to_list()

        assert told(id="t-1") == ["Task received", "polled t-1 and j-9 once"]
        assert told(id="t-1", anywhere=True) == ["Task received", "polled t-1 and j-9 once", "t-1 was an hour ago"]
        assert told(id="j-9") == ["polled t-1 and j-9 once"]

    def test_times_are_utc(self, session: Session) -> None:
        assert session.sql('SELECT max("timestamp") AS t FROM logs').schema["t"] == schema.TIMESTAMP

    def test_requests_have_routes_without_ids(self, tmp_path: Path) -> None:
        routes = {
            "/api/v1/jobs/57": "/api/v1/jobs/{id}", "/static/a56b3428/logo.js?v=3": "/static/{id}/logo.js", "/a/facade/b": "/a/facade/b",
            "/u/6ba7b810-9dad-11d1-80b4-00c04fd430c8": "/u/{id}", "/x/shop-12": "/x/{id}",
        }  # fmt: skip
        story = Story()
        for second, path in enumerate(routes):
            story.request(second, path=path)
        told = Session(write(story.frame(), tmp_path)).sql("SELECT path, route FROM requests")
        assert dict(told.iter_rows()) == routes


class TestConfinement:
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM read_text('/etc/passwd')",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM glob('/etc/*')",
            "SELECT * FROM read_blob('/etc/passwd')",
            "SELECT * FROM sniff_csv('/etc/passwd')",
            "SELECT * FROM parquet_metadata('/etc/passwd')",
            "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
            "SELECT * FROM duckdb_secrets()",
            "EXPLAIN ANALYZE COPY logs TO '/tmp/out.csv'",
            "RESET lock_configuration",
            "INSERT INTO logs VALUES (1)",
            "SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')",
            "COPY logs TO '/tmp/out.csv'",
            "ATTACH '/tmp/other.db'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access=true",
            "PRAGMA database_list",
            "CREATE TABLE t AS SELECT 1",
            "DROP VIEW logs",
            "EXPORT DATABASE '/tmp/out'",
            "CALL pragma_version()",
            "EXPLAIN ANALYZE DROP VIEW logs",
            "explain (analyze, format json) CREATE TABLE t AS SELECT 1",
            "EXPLAIN/**/ANALYZE DROP VIEW logs",
            "EXPLAIN ANALYZE EXPLAIN ANALYZE DROP VIEW logs",
            "SELECT * FROM query('SELECT * FROM glob(''/etc/*'')')",
            "SELECT getenv('HOME')",
        ],
    )
    def test_refuses(self, session: Session, statement: str) -> None:
        with pytest.raises(UsageError) as raised:
            session.sql(statement)
        assert raised.value.hint
        assert "Traceback" not in raised.value.message

    def test_unsafe_lifts_it(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("seen")
        found = Session([], unsafe=True).sql(f"SELECT content FROM read_text('{tmp_path}/a.txt')")
        assert found["content"].to_list() == ["seen"]

    def test_a_query_is_stopped_at_its_time_limit(self) -> None:
        session = Session([], timeout_s=0.3)
        with pytest.raises(UsageError, match=r"stopped after 0\.3 s"):
            session.sql("SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b")
        assert session.sql("SELECT 1 AS one")["one"].to_list() == [1]

    def test_a_query_over_the_memory_limit_is_told_what_to_do(self) -> None:
        session = Session([], memory_limit="32MB")
        with pytest.raises(UsageError) as raised:
            session.sql("SELECT list(range || repeat('x', 100)) FROM range(3000000)")
        assert "narrow it down" in (raised.value.hint or "")

    def test_what_has_no_room_in_memory_waits_in_a_folder_of_its_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody else may read it, other files stay closed, and nothing is left of it."""
        rows = "SELECT range AS n, repeat('x', 100) || range AS text FROM range(1000000) ORDER BY hash(range) OFFSET 1"
        much = f"SELECT max(n) AS n, max(text) AS text FROM ({rows})"
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with Session([], memory_limit="100MB") as session:
            (folder,) = tmp_path.iterdir()
            assert folder.stat().st_mode & 0o077 == 0
            assert session.sql(much)["n"][0] >= 999_998
            (tmp_path / "other.txt").write_text("other")
            with pytest.raises(UsageError, match="disabled by configuration"):
                session.sql(f"SELECT * FROM read_text('{tmp_path}/other.txt')")
            (tmp_path / "other.txt").unlink()
        assert not any(tmp_path.iterdir())
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
        with pytest.raises(UsageError, match=r"could not allocate|failed to (allocate|pin|offload)"):
            Session([], memory_limit="100MB").sql(much)

    def test_a_result_over_the_memory_limit_is_not_gathered(self) -> None:
        with pytest.raises(UsageError, match="larger than the limit of memory, 32 MB"):
            Session([], memory_limit="32MB").sql("SELECT range AS a, range AS b FROM range(100000000000)")

    def test_a_failure_behind_the_first_rows_is_told_as_any(self) -> None:
        with pytest.raises(UsageError, match=r"^the query cannot be run: boom$"):
            Session([]).sql("SELECT CASE WHEN range < 1000000 THEN 1 ELSE error('boom') END AS one FROM range(2000000)")

    @pytest.mark.parametrize("form", FORMATS)
    def test_every_type_of_the_engine_can_be_shown(self, form: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        """Also times that no calendar has, within lists, and of nanoseconds."""
        Console(quiet=True).frame(Session([]).sql("FROM test_all_types()"), form)
        sys.stdout.flush()
        assert b"DUCK_DUCK_ENUM" in capfdbinary.readouterr().out


class TestMessages:
    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("SELEC 1", 'syntax error at or near "SELEC"'),
            ("SELECT nope FROM logs", 'Referenced column "nope" not found'),
            ("SELECT * FROM log", "Table with name log does not exist"),
            ("SELECT 1; SELECT 2", "one statement at a time"),
            ("  ", "the query is empty"),
            ("DELETE FROM logs", "only SELECT is allowed here, not DELETE"),
        ],
    )
    def test_bad_sql_is_one_clear_sentence(self, session: Session, statement: str, said: str) -> None:
        with pytest.raises(UsageError) as raised:
            session.sql(statement)
        assert said in raised.value.message
        assert "\n" not in raised.value.message
        assert raised.value.hint

    @pytest.mark.parametrize("statement", ["EXPLAIN SELECT 1", "DESCRIBE logs", "SUMMARIZE logs", "FROM logs LIMIT 1",
                                           "WITH a AS (SELECT 1 AS x) FROM a", "VALUES (1)", "SHOW TABLES"])  # fmt: skip
    def test_what_only_reads_is_allowed(self, session: Session, statement: str) -> None:
        assert isinstance(session.sql(statement), pl.DataFrame)

    def test_unknown_names_suggest_the_nearest(self, session: Session) -> None:
        with pytest.raises(UsageError) as raised:
            session.named("slow_querys")
        assert raised.value.hint == "did you mean 'slow_queries'?"

    def test_unknown_and_missing_parameters_are_named(self, session: Session) -> None:
        with pytest.raises(UsageError, match="no parameter 'sinc'"):
            session.named("totals", sinc="2026-02-03")
        with pytest.raises(UsageError, match="needs a value for 'task_id'"):
            session.named("task_life")

    def test_a_value_of_the_wrong_type_is_refused(self, session: Session) -> None:
        with pytest.raises(UsageError, match="'soon' is no timestamptz for parameter 'since'"):
            session.named("totals", since="soon")


class TestNamed:
    def test_texts_are_converted_and_bound(self, session: Session) -> None:
        given = session.named("totals", since="2026-02-03 10:00", until="2026-02-03T10:01:00Z")
        same = session.named("totals", since=START, until=datetime(2026, 2, 3, 10, 1, tzinfo=UTC))
        assert given.equals(same)

    def test_a_value_is_never_taken_as_sql(self, session: Session) -> None:
        assert session.named("task_life", task_id="x' OR '1'='1").is_empty()

    def test_a_folder_of_the_user_adds_and_overrides(self, tmp_path: Path) -> None:
        (tmp_path / "mine.sql").write_text("-- title: Mine\n-- param: n int = 2\n-- returns: n\nSELECT $n AS n\n")
        (tmp_path / "totals.sql").write_text("-- title: Other\n-- returns: n\nSELECT 7 AS n\n")
        session = Session([], sql_dirs=[tmp_path])
        assert session.named("mine", n="3")["n"].to_list() == [3]
        assert session.named("totals")["n"].to_list() == [7]

    def test_a_file_without_title_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "bad.sql").write_text("SELECT 1\n")
        with pytest.raises(UsageError) as raised:
            load_folder(tmp_path)
        assert raised.value.where == str(tmp_path / "bad.sql")

    def test_an_unknown_type_is_named_with_its_line(self, tmp_path: Path) -> None:
        (tmp_path / "bad.sql").write_text("-- title: Bad\n-- param: a timestamp\nSELECT $a\n")
        with pytest.raises(UsageError) as raised:
            load_folder(tmp_path)
        assert raised.value.where == f"{tmp_path / 'bad.sql'}:2"
        assert raised.value.hint == "did you mean 'timestamptz'?"

    def test_totals_add_up(self, session: Session) -> None:
        row = session.named("totals").row(0, named=True)
        assert row["matched"] + row["benign"] + row["unclassified"] == row["records"]

    def test_a_story_follows_the_ids_over_services(self, session: Session) -> None:
        found = session.named("story", id="job-1")
        assert set(found["service_name"]) == {"shop-api", "shop-worker"}
