"""The command line as scripts and people meet it: exit codes, clean pipes, and one clear sentence for every mistake."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from triage.console import write_file
from triage.errors import UnavailableError

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_logs" / "jointo"


def triage(*arguments: str, cwd: Path, text: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRIAGE_LAKE": "", **env}
    environment.pop("TRIAGE_LAKE") if not environment["TRIAGE_LAKE"] else None
    return subprocess.run(
        [sys.executable, "-m", "triage", *arguments], cwd=cwd, input=text, capture_output=True, text=True,
        env=environment, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `triage demo` has run, on the story with every problem; its lake is ./triage-demo/lake."""
    folder = tmp_path_factory.mktemp("demo")
    done = triage("demo", "--story", "jointo", "--out", "triage-demo", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "triage-demo/report.html"
    return folder


LAKE = ("--lake", "triage-demo/lake")


def test_demo_leaves_a_report_and_a_summary(demo: Path) -> None:
    page = (demo / "triage-demo" / "report.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    summary = json.loads((demo / "triage-demo" / "summary.json").read_text())
    assert summary["incidents"]
    assert summary["totals"]["records"] > 1000
    assert (demo / "triage-demo" / "report.html").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["report", "--lake", "nowhere"], 3, "there is no lake here (nowhere)"),
        (["sql", "SELECT 1", "--lake", "nowhere"], 3, "there is no lake here"),
        (["ingest", "missing.log", *LAKE], 3, "missing.log"),
        (["ingest", "folder/empty-folder", *LAKE], 0, "no log file"),
        (["ingest", "binary.log", *LAKE], 2, "not a text log"),
        (["ingest", "empty.log", *LAKE], 0, "empty"),
        (["ingest", "empty.log", "--source", "postgress", *LAKE], 2, "did you mean `postgres`?"),
        (["ingest", "empty.log", "--tz", "Mars/Olympus", *LAKE], 2, "unknown time zone"),
        (["report", "--since", "tomorrowish", *LAKE], 2, "not a time: 'tomorrowish'"),
        (["report", "--since", "2026-02-03", "--until", "2026-02-02", *LAKE], 2, "the window is empty"),
        (["report", "--lang", "fr", *LAKE], 2, "no report language 'fr'"),
        (["sql", "SELEC 1", *LAKE], 2, "the query cannot be run"),
        (["sql", "SELECT nope FROM logs", *LAKE], 2, "nope"),
        (["sql", "DROP VIEW logs", *LAKE], 2, "only SELECT is allowed"),
        (["sql", "SELECT * FROM read_csv('/etc/passwd')", *LAKE], 2, "a query may read the lake only"),
        (["sql", "--name", "top_eror_groups", *LAKE], 2, "did you mean 'top_error_groups'?"),
        (["sql", "--name", "top_error_groups", "-p", "sinze=1", *LAKE], 2, "no parameter 'sinze'"),
        (["sql", *LAKE], 2, "give one of"),
        (["patterns", "show", "postgres.deadlok"], 2, "postgres.deadlock"),
        (["patterns", "test", "missing-folder"], 2, "does not exist"),
        (["digest", "--date", "someday", *LAKE], 2, "not a day"),
        (["lake", "retain", *LAKE], 2, "nothing to do"),
        (["collect"], 3, "engine"),
        (["demo", "--story", "jointoo"], 2, "did you mean `jointo`?"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_one_sentence_and_the_right_exit_code(demo: Path, arguments: list[str], code: int, said: str) -> None:
    (demo / "folder" / "empty-folder").mkdir(parents=True, exist_ok=True)
    (demo / "empty.log").touch()
    (demo / "binary.log").write_bytes(bytes(range(256)) * 64)
    done = triage(*arguments, cwd=demo, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be refused as another user")
def test_socket_without_permission(tmp_path: Path) -> None:
    import socket

    place = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()
        place.chmod(0o600)
        for folder in (tmp_path, *tmp_path.parents):
            if folder.owner() == "root" and str(folder).startswith("/tmp/"):
                folder.chmod(0o755)
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c",
             "from triage.collect import docker\ntry:\n    docker.connect()\nexcept Exception as e: print(e, e.hint)"],
            cwd="/", capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKER_HOST": f"unix://{place}", "HOME": "/nonexistent"},
        )  # fmt: skip
    if "Permission denied" in done.stderr and not done.stdout:
        pytest.skip("another user cannot read this checkout")
    assert "permission" in done.stdout.lower(), done


def test_formats_are_clean_on_stdout(demo: Path) -> None:
    query = "SELECT service_name, count(*) AS n, max(timestamp) AS last FROM logs GROUP BY ALL ORDER BY ALL"
    rows = json.loads(triage("sql", query, "--format", "json", *LAKE, cwd=demo).stdout)
    lines = triage("sql", query, "--format", "jsonl", *LAKE, cwd=demo).stdout.splitlines()
    assert rows == [json.loads(line) for line in lines]
    assert rows[0]["last"].endswith("Z")
    csv = triage("sql", query, "--format", "csv", *LAKE, cwd=demo).stdout.splitlines()
    assert csv[0] == "service_name,n,last"
    assert len(csv) == len(rows) + 1
    table = triage("sql", query, *LAKE, cwd=demo)
    assert all(row["service_name"] in table.stdout for row in rows)


def test_what_is_no_file_is_written_into_and_not_replaced(tmp_path: Path) -> None:
    """As root, a report for /dev/null would otherwise take its place."""
    pipe, link, real = tmp_path / "pipe", tmp_path / "latest.html", tmp_path / "today.html"
    os.mkfifo(pipe)
    real.touch()
    link.symlink_to(real)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        write_file(pipe, "a page")
        assert reader.communicate(timeout=60)[0] == "a page"
    write_file(link, "another")
    assert pipe.is_fifo() and link.is_symlink() and real.read_text() == "another"
    with pytest.raises(UnavailableError, match="directory"):
        write_file(tmp_path, "no page")


def test_ctrl_c_ends_a_query(demo: Path) -> None:
    """At once, or, where the engine hangs in its own cancelling, at the third."""
    endless = "SELECT sum(a.range * b.range) FROM range(100000000) a, range(10000000) b"
    command = [sys.executable, "-m", "triage", *LAKE, "sql", endless]
    with subprocess.Popen(command, cwd=demo, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        while maps.exists() and "duckdb" not in maps.read_text():  # until then it is Python that starts, at the machine's own pace
            time.sleep(0.1)
        for _ in range(30):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
                break
            process.send_signal(signal.SIGINT)
        assert process.returncode == 130
        assert process.stderr is not None and "Traceback" not in process.stderr.read()


EVERY_TYPE = """SELECT *, max(timestamp) OVER () - timestamp AS late, {'k': [1]} AS deep, 'x'::BLOB AS bytes, uuid() AS id,
  12345678901234567890::HUGEINT AS huge, sum(line_count) OVER () AS lines, 1.5 AS half, 'NaN'::DOUBLE AS nan, '101'::BIT AS bits,
  union_value(k := 1) AS either, TIME '10:00' AS clock, 1 AS twice, 2 AS twice FROM logs ORDER BY record_id LIMIT 3"""


@pytest.mark.parametrize("form", ["table", "csv", "json", "jsonl", "parquet"])
def test_every_type_has_a_form(demo: Path, form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "triage", "sql", EVERY_TYPE, "--format", form, *LAKE],
        cwd=demo, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if form == "json":
        row = json.loads(done.stdout)[0]
        assert (row["huge"], row["half"], row["nan"], row["deep"]) == (12345678901234567890, 1.5, None, {"k": [1]})
        assert (row["bits"], row["either"], row["bytes"], row["twice"], row["twice_2"]) == ("101", "1", "x", 1, 2)
        assert isinstance(row["lines"], int) and isinstance(row["attributes"], dict) and ":" in row["late"]


def test_spreadsheets_run_nothing(demo: Path) -> None:
    done = triage("sql", "SELECT '=HYPERLINK(1)' AS a, '-2+3' AS b, 'x\x1b[31m\u202e' AS c", "--format", "csv", *LAKE, cwd=demo)
    assert "'=HYPERLINK(1),'-2+3,x␛[31m⟨U+202E⟩" in done.stdout
    head = triage("sql", 'SELECT 1 AS "=x\x1b[31m\u202e"', "--format", "csv", *LAKE, cwd=demo)
    assert head.stdout.startswith("'=x␛[31m⟨U+202E⟩\n")
    table = triage("sql", "SELECT 'x\x1b[31m' AS c", *LAKE, cwd=demo)
    assert "\x1b" not in table.stdout
    escaped = triage("sql", "SELECT 'x\x1b[31m\x9b31m\u202e' AS c", "--format", "json", *LAKE, cwd=demo)
    assert escaped.stdout == '[{"c": "x\\u001b[31m\\u009b31m\\u202e"}]\n'


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_an_export_holds_every_record_once_and_is_for_its_owner(demo: Path, kind: str) -> None:
    out = demo / f"all.{kind}"
    out.write_text("old")
    out.chmod(0o644)
    done = triage("lake", "export", str(out), *LAKE, cwd=demo)
    count = triage("sql", "SELECT count(*) AS n FROM logs", "--format", "csv", *LAKE, cwd=demo).stdout.split()[1]
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[kind]
    rows = read(out, **{"csv": {"infer_schema": False}, "jsonl": {"infer_schema_length": None}}.get(kind, {}))  # type: ignore[operator]
    assert f"wrote {int(count):,} records" in done.stderr
    assert (rows.height, rows["record_id"].n_unique()) == (int(count), int(count))
    assert rows["timestamp"].is_sorted() and out.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in demo.iterdir() if path.name.endswith(".part")] == []


def test_a_query_out_of_the_calendar_or_out_of_time_ends_in_a_sentence(demo: Path) -> None:
    far = triage("sql", "SELECT DATE '5877642-06-25' AS d, TIMESTAMPTZ 'infinity' AS e", "--format", "csv", *LAKE, cwd=demo)
    assert far.stdout == "d,e\n5877642-06-25,infinity\n"
    endless = triage("sql", "--timeout", "1s", "SELECT count(*) FROM range(1000000) a, range(1000000) b", *LAKE, cwd=demo)
    assert (endless.returncode, endless.stdout) == (2, "") and "stopped after 1 s" in endless.stderr


def test_ingesting_again_adds_nothing(demo: Path) -> None:
    done = triage("ingest", str(SAMPLES), *LAKE, "--format", "json", cwd=demo)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["records"] == 0


def test_incidents_equal_the_reports(demo: Path) -> None:
    listed = json.loads(triage("incidents", "--format", "json", *LAKE, cwd=demo).stdout)
    summary = json.loads((demo / "triage-demo" / "summary.json").read_text())
    assert listed == summary["incidents"]
    told = triage("incidents", *LAKE, cwd=demo, COLUMNS="80").stdout
    assert max(len(line) for line in told.splitlines()) <= 80
    piped = triage("incidents", *LAKE, cwd=demo).stdout.splitlines()
    assert len(piped) == 2 + len(listed), "one line an incident below the head"
    for one in listed:  # no name is cut
        assert one["suspected_cause"]["problem"] in told


def test_explain_gives_an_object_a_record_in_order(demo: Path) -> None:
    text = (
        "2026-02-03 10:12:01.123 UTC [812] LOG:  checkpoint starting: time\n"
        '2026-02-03 10:12:02.123 UTC [813] ERROR:  duplicate key value violates unique constraint "users_pkey"\n'
        "2026-02-03 10:12:02.123 UTC [813] DETAIL:  Key (id)=(1) already exists.\n"
        "2026-02-03 10:12:02.123 UTC [813] STATEMENT:  INSERT INTO users VALUES (1)\n"
    )
    done = triage("explain", "-", "--format", "json", cwd=demo, text=text)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["problem"], first["line_count"], first["timestamp"]) == (None, 1, "2026-02-03T10:12:01.123000Z")
    assert (second["problem"], second["line_count"]) == ("db.constraint_violation", 3)
    assert second["attributes"]["postgres.statement"] == "INSERT INTO users VALUES (1)"
    told = triage("explain", "-", cwd=demo, text=text).stdout
    assert "→ db.constraint_violation" in told


def test_check_exit_code_and_prometheus(demo: Path) -> None:
    (demo / "rules.toml").write_text('[alerts]\nany = "SELECT count(*) AS value, 0 AS threshold FROM errors"\n')
    done = triage("--config", "rules.toml", "check", *LAKE, cwd=demo)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("any: ")
    text = triage("--config", "rules.toml", "check", "--format", "prometheus", *LAKE, cwd=demo).stdout
    assert 'triage_alert_firing{rule="any"} 1' in text


def test_unknown_threshold_suggests(demo: Path) -> None:
    (demo / "bad.toml").write_text("[analysis]\nslow_request = 5\n")
    done = triage("--config", "bad.toml", "check", *LAKE, cwd=demo)
    assert done.returncode == 2
    assert "did you mean `slow_request_ms`?" in done.stderr


def test_digest_of_an_empty_day_says_so(demo: Path) -> None:
    done = triage("digest", "--date", "1999-12-31", *LAKE, cwd=demo)
    assert done.returncode == 0
    assert "1999-12-31" in done.stdout


def test_help_is_quick_and_imports_nothing_heavy() -> None:
    program = (
        "import sys\nfrom triage.cli import run\ncode = run(['--help'])\n"
        "heavy = {'polars', 'pyarrow', 'duckdb', 'deltalake', 'docker', 'jinja2', 'sqlglot', 'http', 'rich', 'markdown_it'} & set(sys.modules)\n"
        "sys.exit(f'heavy imports: {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_runbooks_name_the_database_that_the_log_names(tmp_path: Path) -> None:
    """The guide's `psql -U … -d …` is ready to be copied where Postgres' lines say who asks which database."""
    begins = datetime(2026, 2, 3, 9, 0, tzinfo=UTC)
    lines = []
    for number in range(600):
        head = f"{begins + timedelta(seconds=10 * number):%Y-%m-%d %H:%M:%S}.000 UTC [{700 + number}] shop@orders "
        lines.append(head + ("ERROR:  deadlock detected" if 300 <= number < 312 else "LOG:  checkpoint starting: time"))
    (tmp_path / "postgres.log").write_text("\n".join(lines) + "\n")
    assert triage("--lake", "lake", "ingest", "postgres.log", cwd=tmp_path).returncode == 0
    assert triage("--lake", "lake", "report", "-o", "r.html", cwd=tmp_path).returncode == 0
    assert "psql -U shop -d orders" in (tmp_path / "r.html").read_text(encoding="utf-8")
