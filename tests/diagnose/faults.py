"""What can break: single faults, and cascades, whose load and settings let one thing lead to the next.

A fault's name is the problem that has to be named first. A cascade says which problems must have come about for the
run to count as that cascade; all others that came about are looked for in the chain too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """`parts` break from the fault's start to its end; ranges are drawn from anew for each run."""

    name: str
    cause: str
    seconds: tuple[float, float]
    share: tuple[float, float] = (0.5, 1.0)
    parts: tuple[str, ...] = ()
    load: Mapping[str, object] = field(default_factory=dict)
    leads_to: tuple[str, ...] = ()  # what must have come about
    same: tuple[str, ...] = ()  # other names of the very same happening

    @property
    def right(self) -> frozenset[str]:
        """What may be named first."""
        return frozenset((self.cause, *self.same))


def _single(cause: str, seconds: tuple[float, float], share: tuple[float, float] = (0.5, 1.0), *parts: str, **load: object) -> Fault:
    return Fault(cause, cause, seconds, share, parts or (cause,), load)


SINGLE = (
    _single("api.unauthorized", (60, 400)),
    _single("api.not_found", (60, 400), (0.3, 0.8)),
    _single("api.validation_error", (60, 400), (0.3, 0.8)),
    _single("api.insufficient_credits", (60, 400), (0.3, 0.8)),
    _single("api.server_error", (60, 400), (0.2, 0.8)),
    _single("api.slow_response", (90, 400), (0.6, 1.0)),
    _single("task.stuck_pending", (240, 600), (1.0, 1.0)),
    _single("task.failed", (120, 600)),
    _single("task.timeout", (180, 600), (0.4, 0.8), soft_limit_s=40.0),
    _single("task.retry", (120, 500)),
    _single("task.worker_lost", (120, 500)),
    _single("beat.schedule_error", (100, 600), (1.0, 1.0)),
    _single("broker.connection_lost", (60, 400), (1.0, 1.0)),
    _single("provider.rate_limited", (120, 500)),
    _single("provider.timeout", (180, 500)),
    _single("provider.unavailable", (120, 500)),
    _single("provider.invalid_api_key", (120, 500), (1.0, 1.0)),
    _single("provider.model_unavailable", (120, 500), (0.5, 1.0)),
    _single("db.pool_exhausted", (120, 400), (0.3, 0.8)),
    _single("db.deadlock", (90, 400), (0.3, 0.9)),
    _single("db.slow_query", (120, 400), (0.1, 0.5)),
    _single("db.lock_timeout", (20, 60), (0.3, 0.6)),
    _single("db.too_many_connections", (60, 300), (0.3, 1.0)),
    _single("db.connection_lost", (20, 120), (1.0, 1.0)),
    _single("db.constraint_violation", (90, 400), (0.4, 1.0)),
    _single("db.disk_full", (60, 400), (1.0, 1.0)),
    _single("db.auth_failed", (60, 300), (1.0, 1.0)),
    _single("redis.error", (40, 200), (1.0, 1.0)),
    # The guide knows a leaking worker by its killed child: the kernel's and Celery's line tell of one kill.
    Fault("memory.out_of_memory", "memory.out_of_memory", (120, 500), (0.4, 1.0), ("memory.out_of_memory",), same=("memory.worker_leak",)),
    _single("memory.worker_leak", (120, 500), (0.4, 1.0)),
)
_BUSY = {"requests_per_s": 3.0, "chat_share": 0.3}
CASCADES = (
    Fault("rate limit > retries > pool > 5xx", "provider.rate_limited", (150, 300), (0.95, 1.0), ("provider.rate_limited",),
          {**_BUSY, "client_retries": 2, "retry_after_s": 20.0}, ("task.retry", "db.pool_exhausted", "api.server_error")),
    Fault("rate limit > retries > failed", "provider.rate_limited", (250, 500), (0.95, 1.0), ("provider.rate_limited",),
          {"job_share": 0.3}, ("task.retry", "task.failed", "api.server_error")),
    Fault("provider stalls > pool > 5xx", "provider.timeout", (150, 300), (0.9, 1.0), ("provider.timeout",), _BUSY,
          ("db.pool_exhausted", "api.server_error")),
    Fault("provider stalls > task limit", "provider.timeout", (200, 500), (0.9, 1.0), ("provider.timeout",),
          {"client_retries": 2, "soft_limit_s": 45.0, "job_share": 0.3}, ("task.timeout",)),
    Fault("missing index > pool > 5xx", "db.slow_query", (150, 300), (0.9, 1.0), ("db.slow_query",), {"requests_per_s": 6.0},
          ("db.pool_exhausted", "api.server_error")),
    Fault("missing index > cancelled > 5xx", "db.slow_query", (150, 300), (0.7, 1.0), ("db.slow_query",),
          {"requests_per_s": 2.0, "statement_timeout_s": 5.0}, ("db.statement_timeout", "api.server_error")),
    Fault("lock > slow > pool > 5xx", "db.lock_timeout", (90, 200), (0.9, 1.0), ("db.lock_timeout",),
          {"requests_per_s": 3.0, "job_share": 0.3}, ("db.slow_query", "db.pool_exhausted", "api.server_error")),
    Fault("deadlocks > failed tasks and 5xx", "db.deadlock", (150, 400), (0.5, 0.9), ("db.deadlock",), {"job_share": 0.4},
          ("task.failed", "api.server_error")),
    Fault("out of memory > lost worker", "memory.out_of_memory", (150, 400), (0.6, 1.0), ("memory.out_of_memory",),
          {"job_share": 0.3}, ("memory.worker_leak",), ("memory.worker_leak",)),
    Fault("broker cut off > tasks wait", "broker.connection_lost", (120, 500), (1.0, 1.0), ("broker.unreachable",),
          {"job_share": 0.3}, ("task.stuck_pending",)),
    Fault("database crash > connections > 5xx", "process.crash", (15, 60), (1.0, 1.0), ("process.crash", "db.down"),
          {"requests_per_s": 2.0}, ("db.connection_lost", "api.server_error")),
    Fault("disk full > 5xx and failed tasks", "db.disk_full", (120, 400), (1.0, 1.0), ("db.disk_full",), {"job_share": 0.3},
          ("api.server_error",)),
    Fault("broker alarm > slow answers", "broker.resource_alarm", (40, 200), (1.0, 1.0), ("broker.resource_alarm",),
          {"job_share": 0.3}, ("api.slow_response",)),
    Fault("cache down > failed tasks and 5xx", "redis.error", (60, 200), (1.0, 1.0), ("redis.error",), {"job_share": 0.3},
          ("api.server_error",)),
)  # fmt: skip
HEALTHY = (
    Fault("healthy", "", (0, 0)),
    Fault("decoys and steady noise", "", (0, 0)),
)
