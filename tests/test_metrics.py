"""Metrics: what they count, that Prometheus' own tool accepts them and the rules over them, and the endpoint."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.lake_factory import APP, START, Story, write
from triage import analyse
from triage.analyse.metrics import Counters, Family, Health, Sample, counted, metrics
from triage.errors import UnavailableError
from triage.query import Session
from triage.report import openmetrics
from triage.report.scraped import server
from triage.schema import CONTAINER_STATS, SNAPSHOTS

RULES = Path(__file__).parents[1] / "deploy" / "alerts.rules.yml"
END = START + timedelta(minutes=10)
NASTY = 'a"b\\c\nd'


def promtool(*arguments: str, text: str = "", cwd: Path | None = None) -> str:
    """Its output; it must accept what it is given."""
    if not shutil.which("promtool"):
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing: tests/system.sh installs it")
        pytest.skip("promtool, of Debian's package prometheus, is not installed")
    done = subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def row(probe: str, n: int | None = 0, error: str | None = None, **values: object) -> dict[str, object]:
    return {
        "timestamp": END - timedelta(seconds=30), "service_name": "db", "container_name": "db", "container_id": "id",
        "probe": probe, "supports": ["task.stuck_pending"], "row": n, "error": error, "duration_ms": 12.5,
        "values": [{"key": k, "value": str(v)} for k, v in values.items()],
    }  # fmt: skip


@pytest.fixture
def session(tmp_path: Path) -> Session:
    story = Story()
    for second in range(60):
        story.request(second * 10, 200, duration_ms=100 if second % 10 else 3000)
    for second in range(20):
        story.task(500 + second, end="failed" if second < 5 else "succeeded", run_s=1.5)
    answers = [
        row("postgres_sessions", 0, state="idle in transaction", sessions=54, max_connections=60),
        row("postgres_sessions", 1, state=NASTY, sessions=2, max_connections=60),
        row("rabbitmq_queues", name="ai_tasks", messages=7, consumers=0), row("redis_memory", None, "no answer within 20 s"),
    ]  # fmt: skip
    used = {
        "timestamp": END - timedelta(seconds=5), "service_name": APP, "container_name": APP, "container_id": "a",
        "memory_bytes": 95_000_000, "memory_limit_bytes": 100_000_000, "cpu_seconds": 12.5, "pids": 3,
    }  # fmt: skip
    state = {
        name: write(
            pl.DataFrame(rows, schema=columns).with_columns(date=pl.col("timestamp").dt.date()), tmp_path / name
        )
        for name, rows, columns in (("snapshots", answers, SNAPSHOTS), ("container_stats", [used], CONTAINER_STATS))
    }
    return Session(write(story.frame(), tmp_path / "logs"), state=state)


def value(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    assert found, f"{series} is not in\n{text}"
    return float(found[1])


def test_the_guides_figures_are_there_and_prometheus_accepts_them(session: Session) -> None:
    window = analyse.Window(START, END)
    made = metrics(session, END, counted(session, START, END), analyse.alerts(session, window), Health(END, 2), "1.2.3")
    text = openmetrics.text(made)
    assert promtool("check", "metrics", text=text) == ""
    assert value(text, f'http_request_duration_seconds_bucket{{service="{APP}",le="1.0"}}') == 54
    assert value(text, f'http_request_duration_seconds_count{{service="{APP}"}}') == 60
    assert value(text, 'http_request_duration_recent_seconds{percentile="50"}') == 0.1
    assert value(text, 'ai_task_failures_total{task="shop.render"}') == 5
    assert (value(text, "ai_task_success_ratio"), value(text, "ai_task_duration_mean_seconds")) == (0.75, 1.5)
    assert value(text, 'db_connections{service="db",state="idle in transaction"}') == 54
    assert value(text, 'db_connections_max{service="db"}') == 60
    assert value(text, 'queue_messages{service="db",queue="ai_tasks"}') == 7
    assert value(text, f'container_memory_working_set_bytes{{container="{APP}",service="{APP}"}}') == 95e6
    assert value(text, f'container_cpu_usage_seconds_total{{container="{APP}",service="{APP}"}}') == 12.5
    assert value(text, 'triage_probe_up{container="db",probe="redis_memory"}') == 0
    assert value(text, 'triage_probe_up{container="db",probe="postgres_sessions"}') == 1
    assert (value(text, "triage_collection_gaps_total"), value(text, 'triage_build_info{version="1.2.3"}')) == (2, 1)
    assert r'state="a\"b\\c\nd"' in text
    new = openmetrics.text(made, openmetrics=True)
    assert new.endswith("# EOF\n") and "# TYPE ai_task_failures counter" in new and "ai_task_failures_total{" in new


def test_counters_of_days_are_summed_and_an_unchanged_day_is_not_read_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = Counters()
    first = counters.read(session)
    assert first["metrics_records"]["records"].sum() == session.named("totals").row(0, named=True)["records"]
    asked: list[str] = []
    named = Session.named
    monkeypatch.setattr(Session, "named", lambda self, name, **given: asked.append(name) or named(self, name, **given))
    again = counters.read(session)
    assert asked == ["metrics_days"]
    assert all(again[name].equals(first[name]) for name in first)
    empty = Session([])
    assert metrics(empty, END, Counters().read(empty))[-1].name == "triage_build_info"


def test_the_rules_are_accepted_and_fire_on_what_triage_tells(tmp_path: Path) -> None:
    assert "SUCCESS" in promtool("check", "rules", str(RULES))
    text = RULES.read_text(encoding="utf-8")
    for said in (
        '"AI 任务失败率过高',
        '"API 响应时间过长',
        "ai_task_failures_total[5m]",
        "http_request_duration_seconds_bucket[5m]",
    ):
        assert said in text
    (tmp_path / "test.yml").write_text(f"""
rule_files: [{RULES}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'ai_task_failures_total{{task="a"}}', values: '0+4x10'}}
      - {{series: 'ai_task_failures_total{{task="b"}}', values: '0+4x10'}}
      - {{series: 'http_request_duration_seconds_bucket{{service="app",le="1.0"}}', values: '0+50x10'}}
      - {{series: 'http_request_duration_seconds_bucket{{service="app",le="2.5"}}', values: '0+60x10'}}
      - {{series: 'http_request_duration_seconds_bucket{{service="app",le="+Inf"}}', values: '0+60x10'}}
      - {{series: 'db_connections{{service="db",state="idle"}}', values: '55x10'}}
      - {{series: 'db_connections_max{{service="db"}}', values: '60x10'}}
      - {{series: 'queue_messages{{service="mq",queue="q"}}', values: '7x30'}}
      - {{series: 'queue_consumers{{service="mq",queue="q"}}', values: '0x30'}}
    promql_expr_test:
      - expr: sort(count by (alertname) (ALERTS{{alertstate="firing"}}))
        eval_time: 9m
        exp_samples:
          - {{labels: '{{alertname="DatabaseConnectionsNearlyUsedUp"}}', value: 1}}
          - {{labels: '{{alertname="HighTaskFailureRate"}}', value: 1}}
          - {{labels: '{{alertname="SlowAPIResponse"}}', value: 1}}
      - expr: count by (alertname) (ALERTS{{alertname="QueueWithoutConsumer", alertstate="firing"}})
        eval_time: 20m
        exp_samples:
          - {{labels: '{{alertname="QueueWithoutConsumer"}}', value: 1}}
""")
    assert "SUCCESS" in promtool("test", "rules", "test.yml", cwd=tmp_path)


@pytest.fixture
def served() -> Callable[[Callable[[], tuple[Family, ...]]], str]:
    running = []

    def begin(gather: Callable[[], tuple[Family, ...]]) -> str:
        here = server("127.0.0.1", 0, gather)
        threading.Thread(target=here.serve_forever, daemon=True).start()
        running.append(here)
        return f"http://127.0.0.1:{here.server_address[1]}"

    yield begin  # type: ignore[misc]
    for here in running:
        here.shutdown()
        here.server_close()


def test_the_endpoint_answers_in_the_scrapers_format(served: Callable[[Callable[[], tuple[Family, ...]]], str]) -> None:
    url = served(lambda: (Family("x_items", "counter", "Items.", (Sample(3.0, (("k", "v"),)),)),))
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as plain:
        assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert (
            plain.read().decode()
            == '# HELP x_items_total Items.\n# TYPE x_items_total counter\nx_items_total{k="v"} 3\n'
        )
    asked = urllib.request.Request(f"{url}/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    with urllib.request.urlopen(asked, timeout=10) as new:
        assert new.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert new.read().decode() == '# HELP x_items Items.\n# TYPE x_items counter\nx_items_total{k="v"} 3\n# EOF\n'
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(f"{url}/other", timeout=10)
    assert missing.value.code == 404


def test_a_lake_that_cannot_be_read_is_said_and_the_endpoint_goes_on(
    served: Callable[[Callable[[], tuple[Family, ...]]], str],
) -> None:
    def fails() -> tuple[Family, ...]:
        raise UnavailableError("there is no lake here")

    url = served(fails)
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(f"{url}/metrics", timeout=10)
        assert (told.value.code, told.value.read()) == (503, b"there is no lake here\n")
