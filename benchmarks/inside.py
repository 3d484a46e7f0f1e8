"""Parts of triage measured in this process: the stages of `ingest`, patterns, named queries, and reading an engine."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks.measure import Cost, cost, middle, new_lake, triage
from triage.classify.library import Library
from triage.classify.pattern import Pattern, in_order
from triage.classify.pattern_file import parse_pattern
from triage.classify.template import with_template
from triage.collect.files import open_paths
from triage.errors import UsageError
from triage.lake.table import Lake
from triage.parse import parse
from triage.pipeline import Stages, as_lake
from triage.query import Session

_TASK = "SELECT task_id FROM logs WHERE problem = 'task.failed' AND task_id IS NOT NULL ORDER BY timestamp LIMIT 1"
_SYNTHETIC = """
[pattern]
problem  = "db.error"
title    = {{ en = "t", zh = "t" }}
severity = "error"
status   = "stable"
[match]
keywords = ["sentence number {n:04d}", "another sentence {n:04d}"]
[[match.any]]
name  = "w"
regex = '''^sentence number {n:04d} of (?P<job_id>\\d+)'''
"""


def stages(log: Path) -> dict[str, float]:
    """Seconds of CPU that each stage of `ingest` takes, one after the other; borders of batches are not joined."""
    spent: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        spent[name] = spent.get(name, 0.0) + time.process_time() - began

    how = Stages(Library.load(), key=b"benchmark")
    with new_lake() as folder:
        lake = Lake(folder)
        lake.create()
        batches = open_paths([log], lambda name: None)
        while True:
            with timed("read and decode"):
                batch = next(batches, None)
            if batch is None:
                return spent
            with timed("redact"):
                (lines,) = how.clean([batch.lines])
            with timed("cut, date, level, assemble"):
                records = as_lake(parse(lines, batch.resource), [batch.origin])
            with timed("classify and extract"):
                records = how.library.classify(records)
            with timed("template"):
                records = with_template(records)
            with timed("write"):
                lake.append(records, {})


def template_rate(log: Path, lines: int) -> float:
    """Lines a second of templates and fingerprints, over the same lines as Drain3."""
    with log.open(encoding="utf-8") as texts:
        records = pl.DataFrame({"message": [text.rstrip("\n") for _, text in zip(range(lines), texts, strict=False)]})
    began = time.perf_counter()
    with_template(records)
    return records.height / (time.perf_counter() - began)


def patterns(log: Path, counts: tuple[int, ...] = (50, 500)) -> dict[int, float]:
    """Seconds of CPU of everything, with so many patterns: the shipped ones, cut or filled up with made ones."""
    shipped = list(Library.load().patterns)
    found = {}
    for count in counts:
        some = in_order([*shipped[:count], *(_made(n) for n in range(count - len(shipped)))])
        how = Stages(Library(some, {}), key=b"benchmark")
        batches = list(open_paths([log], lambda name: None))
        found[count] = _cpu(lambda how=how, batches=batches: [how.records(b.lines, b.resource) for b in batches])  # type: ignore[misc]
    return found


def _made(number: int) -> Pattern:
    return parse_pattern(_SYNTHETIC.format(n=number), f"made.p{number:04d}", f"p{number:04d}.toml")


def _cpu(work: Callable[[], object]) -> float:
    """Median of three, after one run that fills caches."""
    spent = []
    for _ in range(4):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return median(spent[1:])


def queries(lake: Path) -> dict[str, float]:
    """Seconds of each named query that needs no parameters, over a whole lake; infinite where it has no room."""
    found = {}
    with Session(Lake(lake).file_uris()) as session:
        for query in session.queries().values():
            if any(parameter.required for parameter in query.parameters):
                continue
            began = time.perf_counter()
            try:
                session.named(query.name)
                found[query.name] = time.perf_counter() - began
            except UsageError:
                found[query.name] = math.inf
    return found


def commands(lake: Path, rounds: int) -> dict[str, Cost]:
    """Whole commands over a lake, start of Python and all: help, one task's life and story, report; each of median time."""
    with Session(Lake(lake).file_uris()) as session:
        task = session.sql(_TASK)["task_id"][0]
    with tempfile.TemporaryDirectory() as folder:
        asked = {
            "triage --help": [sys.executable, "-m", "triage", "--help"],
            "one task's life": triage(lake, "sql", "--name", "task_life", "-p", f"task_id={task}"),
            "one task's story": triage(lake, "sql", "--name", "story", "-p", f"id={task}"),
            "triage report": triage(lake, "report", "-o", f"{folder}/report.html"),
        }
        return {name: middle([cost(command) for _ in range(rounds)]) for name, command in asked.items()}


def collect(log: Path, rounds: int) -> tuple[Cost, Cost] | None:
    """`triage collect` of a container that printed the log, and `docker logs > /dev/null`; None without an engine here."""
    from tests.stack.engine import engine, missing

    if missing():
        return None
    with tempfile.TemporaryDirectory(prefix="triage-bench-engine-") as folder, engine(Path(folder)) as here:
        image = here.ensure_emitter()
        here.docker("run", "--name", "bench", "--network", "none", "-v", f"{log.resolve()}:/bench.log:ro", "-d", image, "sh", "-c", "cat /bench.log")
        here.docker("wait", "bench", timeout=600)
        ours, theirs = [], []
        for _ in range(rounds):
            with new_lake() as lake:
                ours.append(cost(triage(lake, "collect"), DOCKER_HOST=here.host))
            theirs.append(_discarded(here.env))
        return middle(ours), middle(theirs)


def _discarded(env: dict[str, str]) -> Cost:
    began = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        subprocess.run(["docker", "logs", "bench"], env=env, stdout=nowhere, stderr=nowhere, check=True)
    return Cost(time.perf_counter() - began, 0.0, 0.0)
