"""One attempt at a task in the worker: its run, its end, and what the worker writes about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.diagnose import failures
from tests.diagnose.failures import Failure

if TYPE_CHECKING:
    from tests.diagnose.stack import Stack

MAX_RETRIES = 3


def attempt(stack: Stack, start: float, task: str, name: str, retries: int) -> float:
    """When the process is free again."""
    process = f"ForkPoolWorker-{stack.random.randrange(1, stack.load.children + 1)}"
    if killed := _killed(stack, start, process):
        return killed
    end, failure = _run(stack, start, name, process)
    limit = start + stack.load.soft_limit_s
    if end > limit:
        _over_time(stack, limit, task, name, process)
        return limit
    if failure and failure.retried and retries < MAX_RETRIES:
        _retry(stack, end, task, name, process, failure, retries)
    elif failure:
        text = f"Task {name}[{task}] raised unexpected: {failure.said}\n{stack.task_trace(name, failure)}"
        stack.voices.worker(end, "ERROR", process, text)
        stack.note(failure.problem, end)
        stack.note("task.failed", end)
    else:
        stack.voices.worker(end, "INFO", process, f"Task {name}[{task}] succeeded in {end - start:.9f}s: None")
    return end


def _run(stack: Stack, start: float, name: str, process: str) -> tuple[float, Failure | None]:
    if stack.hit("task.failed", start):
        return start + 0.2, Failure("task.failed", 0, "KeyError('style')", ("KeyError: 'style'",))
    if stack.hit("task.timeout", start):
        return start + 10 * stack.load.soft_limit_s, None
    if stack.hit("task.retry", start):
        return start + 0.5, Failure("task.retry", 0, "PartnerBusy('try later')", (f"{stack.voices.names.package}.partner.PartnerBusy: try later",), True)
    end: float = start + stack.random.uniform(0.05, 0.4)
    if not name.endswith("settle"):
        def says(second: float, logger: str, text: str) -> None:
            stack.voices.worker(second, "INFO", process, text)

        end, failure = stack.provider(end, says)
        if failure:
            return end, failure
    end, failure = stack.statement("task", end)
    if failure is None and stack.hit("redis.error", end):
        host = stack.voices.names.redis
        failure = failures.refused("redis.error", "redis.exceptions", "ConnectionError", f"Error 111 connecting to {host}:6379. Connection refused.")
    return end, failure


def _retry(stack: Stack, end: float, task: str, name: str, process: str, failure: Failure, retries: int) -> None:
    wait = min(60, 5 * 2**retries)
    stack.voices.worker(end, "INFO", process, f"Task {name}[{task}] retry: Retry in {wait}s: {failure.said}")
    stack.note("task.retry", end)
    if failure.problem != "task.retry":
        stack.note(failure.problem, end)
    stack.at(end + 0.02, lambda second: stack.receive(second, task, name, end + wait, retries + 1))


def _over_time(stack: Stack, second: float, task: str, name: str, process: str) -> None:
    said, limit = stack.voices, f"{stack.load.soft_limit_s:.0f}s"
    said.worker(second, "WARNING", "MainProcess", f"Soft time limit ({limit}) exceeded for {name}[{task}]")
    failure = Failure("task.timeout", 0, "SoftTimeLimitExceeded()", ("billiard.exceptions.SoftTimeLimitExceeded: SoftTimeLimitExceeded()",))
    said.worker(second + 0.01, "ERROR", process, f"Task {name}[{task}] raised unexpected: {failure.said}\n{stack.task_trace(name, failure)}")
    stack.note("task.timeout", second)


def _killed(stack: Stack, start: float, process: str) -> float | None:
    """The process dies under the task: by the kernel, or by a fault of its own."""
    out_of_memory = stack.hit("memory.out_of_memory", start) or stack.hit("memory.worker_leak", start)
    if not out_of_memory and not stack.hit("task.worker_lost", start):
        return None
    end, pid = start + stack.random.uniform(0.5, 3), stack.random.randrange(20, 900)
    number, signal = (9, "SIGKILL") if out_of_memory else (11, "SIGSEGV")
    if out_of_memory and out_of_memory.what == "memory.out_of_memory":
        stack.voices.kernel(end, f"Memory cgroup out of memory: Killed process {pid} (celery) total-vm:1048576kB, anon-rss:409600kB, file-rss:10240kB, shmem-rss:0kB, UID:0 pgtables:1200kB oom_score_adj:0")
        stack.note("memory.out_of_memory", end)
    text = f"Worker exited prematurely: signal {number} ({signal}) Job: {stack.random.randrange(900)}."
    stack.voices.worker(end + 0.05, "ERROR", "MainProcess", f"Process '{process}' pid:{pid} exited with 'signal {number} ({signal})'")
    place = '  File "/opt/venv/lib/python3.11/site-packages/billiard/pool.py", line 1367, in mark_as_worker_lost'
    stack.voices.worker(
        end + 0.06, "ERROR", "MainProcess", f"Task handler raised error: WorkerLostError('{text}')\nTraceback (most recent call last):\n{place}\n"
        f"    raise WorkerLostError(\nbilliard.einfo.ExceptionWithTraceback: \n\"\"\"\nTraceback (most recent call last):\n{place}\n"
        f"    raise WorkerLostError(\nbilliard.exceptions.WorkerLostError: {text}\n\"\"\"")  # fmt: skip
    stack.note("memory.worker_leak" if out_of_memory else "task.worker_lost", end)
    return end + 0.5
