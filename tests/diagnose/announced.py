"""What a broken part says by itself, whether or not anybody uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.diagnose.stack import Broken, Stack


def _broker_down(stack: Stack, part: Broken, second: float) -> None:
    """The broker itself is gone: everybody loses it."""
    _consumer(stack, part, second)


def _consumer(stack: Stack, part: Broken, second: float) -> None:
    """Only the worker's way to the broker is cut; what is sent waits in the queue."""
    stack.voices.worker(second + 0.1, "WARNING", "MainProcess", "consumer: Connection to broker lost. Trying to re-establish the connection...\n"
                        "Traceback (most recent call last):\n"
                        '  File "/opt/venv/lib/python3.11/site-packages/celery/worker/consumer/consumer.py", line 318, in start\n'
                        "    blueprint.start(self)\nConnectionResetError: [Errno 104] Connection reset by peer")  # fmt: skip
    stack.note("broker.connection_lost", second)
    wait, at, attempt = 2.0, second + 0.2, 1
    while at < part.end:
        stack.voices.worker(at, "ERROR", "MainProcess", f"consumer: Cannot connect to amqp://guest:**@{stack.voices.names.rabbitmq}:5672//: [Errno 111] Connection refused.\n"
                            f"Trying again in {wait:.2f} seconds... ({attempt}/100)\n")  # fmt: skip
        stack.note("broker.connection_lost", at)
        at, wait, attempt = at + wait, min(32.0, wait + 2), attempt + 1
    stack.voices.worker(part.end + 0.3, "INFO", "MainProcess", f"Connected to amqp://guest:**@{stack.voices.names.rabbitmq}:5672//")


def _alarm(stack: Stack, part: Broken, second: float) -> None:
    stars = "*" * 58
    stack.voices.rabbitmq(second, "warning", "<0.417.0>", f"memory resource limit alarm set on node rabbit@{stack.voices.names.rabbitmq}.", "", stars,
                          "*** Publishers will be blocked until this alarm clears ***", stars)  # fmt: skip
    stack.note("broker.resource_alarm", second)
    stack.voices.rabbitmq(part.end, "warning", "<0.417.0>", f"memory resource limit alarm cleared on node rabbit@{stack.voices.names.rabbitmq}")


def _worker_stops(stack: Stack, part: Broken, second: float) -> None:
    stack.voices.worker(second, "INFO", "MainProcess", "worker: Warm shutdown (MainProcess)")
    stack.voices.worker(part.end, "INFO", "MainProcess", f"celery@{stack.voices.names.worker} ready.")


def _restart(stack: Stack, part: Broken, second: float) -> None:
    """Somebody restarts the server under its clients."""
    said = stack.voices
    said.postgres(second, 1, "LOG", "received fast shutdown request")
    for pid in range(100, 100 + stack.random.randrange(3, 12)):
        said.postgres(second + 0.01, pid, "FATAL", "terminating connection due to administrator command")
        stack.note("db.connection_lost", second)
    _starts(stack, part)


def _crash(stack: Stack, part: Broken, second: float) -> None:
    """A server process dies; the server ends all others and recovers."""
    said = stack.voices
    said.postgres(second, 1, "LOG", "server process (PID 131) was terminated by signal 11: Segmentation fault", detail="Failed process was running: SELECT * FROM items WHERE id = 5")
    said.postgres(second + 0.01, 1, "LOG", "terminating any other active server processes")
    stack.note("process.crash", second)
    _starts(stack, part)


def _starts(stack: Stack, part: Broken) -> None:
    stack.voices.postgres(part.end - 0.1, 27, "LOG", "redo is not required")
    stack.voices.postgres(part.end, 1, "LOG", "database system is ready to accept connections")


def _cache(stack: Stack, part: Broken, second: float) -> None:
    at, attempt = second + 0.1, 0
    while at < part.end and attempt < 20:
        soon = "now" if attempt == 0 else f"in {float(attempt):.2f} second{'s' if attempt > 1 else ''}"
        stack.voices.worker(at, "ERROR", "MainProcess", f"Connection to Redis lost: Retry ({attempt}/20) {soon}.")
        stack.note("redis.error", at)
        at, attempt = at + attempt, attempt + 1


ANNOUNCED: dict[str, Callable[[Stack, Broken, float], None]] = {
    "broker.connection_lost": _broker_down,
    "broker.unreachable": _consumer,
    "broker.resource_alarm": _alarm,
    "task.stuck_pending": _worker_stops,
    "db.connection_lost": _restart,
    "process.crash": _crash,
    "redis.error": _cache,
}
