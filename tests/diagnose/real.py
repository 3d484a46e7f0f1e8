"""The same question on the real stack: `python -m tests.diagnose.real [--only WORD] [--runs N] [--keep DIR]`.

Engine, services and faults are those of `tests.stack`; healthy traffic never stops. Each fault is alone in its stretch
of time, then all logs are collected as a user would, and the incident at the fault's time is judged. Takes about a
minute a fault. Exit code 1 below 90 %.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.diagnose.verdict import library
from tests.stack import setup
from tests.stack.driver import Driver
from tests.stack.engine import engine
from tests.stack.faults import inject, provider_state
from tests.stack.stack import APP, POSTGRES, PROJECT, RABBITMQ, REDIS, SLOW_MS, Stack, StackError, stack
from tests.stack.truth import Truth, now
from triage.analyse import Incident, Window, incidents
from triage.lake.table import Lake
from triage.query import Session

ROOT = Path(__file__).parents[2]
QUIET_S = 75.0  # longer than anything is taken to follow from anything
AFTER = timedelta(seconds=25)  # time limits and retries may end so long after the fault
_MODELS: dict[str, object] = {"models": ["gpt-4o-mini", "gpt-4o", "flux-1"]}
_DELAY: dict[str, object] = {"delay": 0.05}
Action = Callable[[Driver], None]


@dataclass(frozen=True)
class Scenario:
    name: str
    right: tuple[str, ...]  # what may be named first: names of the same happening, as this stack's logs can tell it
    act: Action
    chain: tuple[str, ...] = ()  # what must come about, and be in the same incident


@dataclass(frozen=True)
class Done:
    scenario: Scenario
    start: datetime
    end: datetime


def again(fault: str, times: int) -> Action:
    def act(driver: Driver) -> None:
        for _ in range(times):
            inject(driver, fault)

    return act


def provider(seconds: float, back: dict[str, object], **state: object) -> Action:
    def act(driver: Driver) -> None:
        with provider_state(driver, back, **state):
            time.sleep(seconds)

    return act


def crowd(seconds: float, calls: int, path: str, back: dict[str, object] | None = None, **state: object) -> Action:
    """Many requests at once, again and again, while the provider may be in another state."""

    def act(driver: Driver) -> None:
        ends = time.monotonic() + seconds
        body = {"prompt": "很多人同时"} if path.endswith("chat") else None
        method = "POST" if body else "GET"
        with provider_state(driver, back or _DELAY, **state or _DELAY):
            while time.monotonic() < ends:
                driver.together([lambda n=n: driver.call(method, path, user=n % 6, body=body) for n in range(calls)])  # type: ignore[misc]

    return act


def outage(container: str, seconds: float) -> Action:
    def act(driver: Driver) -> None:
        driver.stack.engine.docker("stop", "-t", "5", container)
        time.sleep(seconds)
        driver.stack.engine.docker("start", container)
        deadline = time.monotonic() + 60
        while not _works(driver) and time.monotonic() < deadline:
            time.sleep(0.5)

    return act


def _works(driver: Driver) -> bool:
    try:
        return driver.task_works()
    except (RuntimeError, TypeError, ValueError):
        return False


def held_lock(seconds: float) -> Action:
    """A session keeps the rows of all credits locked while people transfer them."""

    def act(driver: Driver) -> None:
        hold = f"BEGIN; UPDATE user_credits SET balance = balance; SELECT pg_sleep({seconds}); COMMIT"
        holder = threading.Thread(target=driver.stack.psql, args=(hold,))
        holder.start()
        bodies = [{"to_user_id": f"u-{n + 1:04d}", "amount": 1} for n in range(6)]
        while holder.is_alive():
            driver.together([lambda n=n: driver.call("POST", "/api/v1/credits/transfer", user=n, body=bodies[n]) for n in range(6)] * 3)  # type: ignore[misc]
        holder.join()

    return act


def flood(seconds: float, *job_types: str) -> Action:
    """More jobs than usual."""

    def act(driver: Driver) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for kind in job_types:
                driver.call("POST", "/api/v1/ai/jobs", user=1, body={"job_type": kind, "prompt": "开场:夜"})
            time.sleep(0.5)

    return act


def both(state: dict[str, object], back: dict[str, object], act: Action) -> Action:
    def run(driver: Driver) -> None:
        with provider_state(driver, back, **state):
            act(driver)

    return run


_KILLED = ("task.worker_lost", "memory.worker_leak", "memory.out_of_memory")
_STALLS = ("provider.timeout", "api.slow_response", "task.timeout", "db.pool_exhausted")
SCENARIOS = (
    Scenario("api.unauthorized", ("api.unauthorized",), again("api.unauthorized", 3)),
    Scenario("api.not_found", ("api.not_found",), again("api.not_found", 3)),
    Scenario("api.validation_error", ("api.validation_error",), again("api.validation_error", 3)),
    Scenario("api.insufficient_credits", ("api.insufficient_credits",), again("api.insufficient_credits", 4)),
    Scenario("task.stuck_pending", ("task.stuck_pending",), again("task.stuck_pending", 1)),
    Scenario("task.failed", ("task.failed",), again("task.failed", 3)),
    Scenario("task.worker_lost", _KILLED, again("task.worker_lost", 3)),
    Scenario("provider.invalid_api_key", ("provider.invalid_api_key",), provider(15, {"keys": ["sk-live-jointo"]}, keys=[]), ("api.server_error",)),
    Scenario("provider.rate_limited", ("provider.rate_limited",), provider(15, {"quota": None}, quota=0), ("api.server_error",)),
    Scenario("provider.unavailable", ("provider.unavailable",), provider(15, {"broken": False}, broken=True), ("api.server_error",)),
    Scenario("provider.model_unavailable", ("provider.model_unavailable",), provider(15, _MODELS, models=[]), ("api.server_error",)),
    Scenario("db.deadlock", ("db.deadlock",), again("db.deadlock", 3), ("api.server_error",)),
    Scenario("db.slow_query", ("db.slow_query",), again("db.slow_query", 2)),
    Scenario("db.constraint_violation", ("db.constraint_violation",), again("db.constraint_violation", 4)),
    Scenario("memory.out_of_memory", ("memory.out_of_memory",), again("memory.out_of_memory", 1)),
    Scenario("memory.worker_leak", _KILLED, again("memory.worker_leak", 1)),
    Scenario("rate limit > retries > failed > 5xx", ("provider.rate_limited",),
             both({"quota": 0}, {"quota": None}, flood(15, "text", "image")), ("task.retry", "task.failed", "api.server_error")),
    Scenario("provider stalls > pool > 5xx", _STALLS, crowd(20, 20, "/api/v1/ai/chat", _DELAY, delay=5), ("db.pool_exhausted", "api.server_error")),
    Scenario("provider stalls > task limit > killed child", _STALLS, both({"delay": 9}, _DELAY, flood(12, "text", "video")), ("task.timeout",)),
    Scenario("provider down > failed tasks > 5xx", ("provider.unavailable",),
             both({"broken": True}, {"broken": False}, flood(15, "text", "image")), ("task.failed", "api.server_error")),
    Scenario("key revoked > failed tasks > 5xx", ("provider.invalid_api_key",),
             both({"keys": []}, {"keys": ["sk-live-jointo"]}, flood(15, "text")), ("task.failed", "api.server_error")),
    Scenario("lock > waits > pool > 5xx", ("db.lock_timeout", "db.slow_query"), held_lock(15), ("db.pool_exhausted", "api.server_error")),
    Scenario("missing index > pool > 5xx", ("db.slow_query",), crowd(20, 24, "/api/v1/ai/usage?days=120"), ("db.pool_exhausted", "api.server_error")),
    Scenario("database down > connections > 5xx", ("db.connection_lost",), outage(POSTGRES, 6), ("api.server_error",)),
    Scenario("broker down", ("broker.connection_lost",), outage(RABBITMQ, 8)),
    Scenario("result store down", ("redis.error",), outage(REDIS, 8)),
    Scenario("app ends and starts again", ("memory.out_of_memory", "process.crash"), again("memory.out_of_memory", 2)),
)  # fmt: skip


@contextmanager
def traffic(driver: Driver, seed: int) -> Iterator[None]:
    """Healthy requests and jobs at a few a second, whatever happens."""
    ended = threading.Event()
    tokens = [driver.token(user) for user in range(10)]

    def one(number: int) -> None:
        draw = random.Random(seed * 10 + number)
        calls: list[tuple[str, str, dict[str, object] | None]] = [
            ("GET", "/api/v1/ai/models", None), ("POST", "/api/v1/ai/conversations", {"title": "第二幕"}),
            ("POST", "/api/v1/ai/chat", {"prompt": "请解释 ERROR: deadlock detected"}),
            ("POST", "/api/v1/ai/jobs", {"job_type": "analyse", "prompt": "开场:夜\n冲突:雨"}),
            ("POST", "/api/v1/ai/jobs", {"job_type": "text", "prompt": "Rate limit exceeded 怎么办"}),
        ]  # fmt: skip
        while not ended.wait(draw.uniform(0.3, 1.5)):
            method, path, body = draw.choice(calls)
            request_id = f"req-{draw.getrandbits(48):012x}"
            driver.stack.call(method, path, token=draw.choice(tokens), request_id=request_id, body=body)

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(70)


def drive(services: Stack, scenarios: Sequence[Scenario], seed: int) -> list[Done]:
    driver = Driver(services, Truth(seed, now(), slow_ms=SLOW_MS), seed)
    done = []
    with traffic(driver, seed):
        time.sleep(2 * QUIET_S)
        for scenario in scenarios:
            start = datetime.now(UTC)
            try:
                scenario.act(driver)
            except (StackError, RuntimeError, AssertionError, TypeError) as error:
                print(f"{scenario.name} did not come about: {error}", file=sys.stderr)
            done.append(Done(scenario, start, datetime.now(UTC)))
            services.engine.docker("start", APP)  # the engine gives up after a few ends
            services.await_app()
            print(f"{scenario.name}: {(done[-1].end - start).total_seconds():.0f} s", file=sys.stderr, flush=True)
            time.sleep(QUIET_S)
    return done


def diagnose(folder: Path, window: Window) -> tuple[Incident, ...]:
    leads_to = {name: problem.leads_to for name, problem in library().problems.items()}
    with Session(Lake(folder / "lake").file_uris()) as session:
        return incidents(session, window, leads_to)


def judged(one: Done, found: Sequence[Incident]) -> tuple[bool, bool, str]:
    """Named first, chain complete, and what was found."""
    near = [i for i in found if i.start <= one.end + AFTER and i.end >= one.start - timedelta(seconds=2)]
    if not near:
        return False, False, "no incident"
    first = max(near, key=lambda i: sum(i.counts.values()))
    cause = first.suspected_cause
    told = f"{cause.problem} ({cause.confidence:.2f})" if cause else "no cause"
    steps = " > ".join(f"{step.problem}({step.count} {step.after_s:+.0f}s)" for step in first.chain)
    missed = [problem for problem in one.scenario.chain if problem not in first.counts]
    other = f", {len(near) - 1} more" if len(near) > 1 else ""
    return bool(cause and cause.problem in one.scenario.right), not missed, f"{told}{other}: {steps}{' -' + ' -'.join(missed) if missed else ''}"


def run(scenarios: Sequence[Scenario], seed: int, folder: Path) -> list[tuple[Done, bool, bool, str]]:
    with engine(folder / "engine") as here, stack(here, folder) as services:
        begun = datetime.now(UTC)
        done = drive(services, scenarios, seed)
        command = [sys.executable, "-m", "triage", "--lake", "lake", "collect", "--project", PROJECT]
        subprocess.run(command, cwd=folder, env={**here.env, "PYTHONPATH": str(ROOT)}, check=True)
    # As one looks at it who was called: what was before, and until it is over.
    before = [begun, *(one.end + AFTER for one in done)]
    return [(one, *judged(one, diagnose(folder, Window(since, one.end + AFTER)))) for since, one in zip(before, done, strict=False)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--runs", type=int, default=1, help="of all of them, in other orders")
    parser.add_argument("--keep", type=Path, help="keep the lake here")
    options = parser.parse_args()
    setup.provide()
    rows = []
    for seed in range(1, options.runs + 1):
        chosen = [scenario for scenario in SCENARIOS if options.only in scenario.name]
        random.Random(seed).shuffle(chosen)
        folder = Path(tempfile.mkdtemp(prefix="triage-diagnose-"))
        try:
            rows += run(chosen, seed, folder)
            if options.keep:
                shutil.copytree(folder / "lake", options.keep / str(seed))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    for one, top, whole, told in sorted(rows, key=lambda row: row[0].scenario.name):
        print(f"{'first' if top else 'NOT  '} {'chain' if whole else 'part '} {one.start:%H:%M:%S} {one.scenario.name:<44} {told}")
    share = sum(top for _, top, _, _ in rows) / max(1, len(rows))
    print(f"\n{len(rows)} faults on the real stack: named first {share:.1%}, chain complete {sum(w for _, _, w, _ in rows) / max(1, len(rows)):.1%}")
    return int(share < 0.9)


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
