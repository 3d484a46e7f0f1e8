"""Samples of what containers use, as `docker stats` shows it: one short request for each running container.

The engine is asked for one reading (`one-shot`), not for two a second apart, so a sample costs it and us milliseconds;
the rate of the processor comes from the reading before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from triage.collect.docker import Container, Engine, nanoseconds
from triage.collect.engine_errors import Translated
from triage.errors import TriageError
from triage.lake.state import StateTable
from triage.lake.table import Lake
from triage.schema import CONTAINER_STATS
from triage.state.selection import Selection

TABLE = "container_stats"
_THREADS = 4
Row = dict[str, Any]


@dataclass
class Sampler:
    """Takes samples of the chosen containers and keeps them until they are stored."""

    engine: Engine
    lake: Lake
    selection: Selection
    _rows: list[Row] = field(default_factory=list)
    _before: dict[str, tuple[int, float]] = field(default_factory=dict)  # container -> time in ns, processor seconds

    def __post_init__(self) -> None:
        api = self.engine.client.api
        with Translated(self.engine.url):
            info = api._result(api._get(api._url("/info")), json=True)
        self._host_memory = int(info.get("MemTotal") or 0)
        self._pool = ThreadPoolExecutor(_THREADS, "triage-stats")

    def take(self) -> int:
        """One sample of each running container; how many. A container that cannot be read is passed over."""
        chosen = [c for c in self.selection.of(self.engine.containers()) if c.running]
        rows = [row for row in self._pool.map(self._sample, chosen) if row is not None]
        self._before = {row["container_id"]: self._before[row["container_id"]] for row in rows}
        self._rows += rows
        return len(rows)

    def store(self) -> None:
        """Store what was taken."""
        rows, self._rows = self._rows, []
        if rows:
            StateTable(self.lake, TABLE).append(pl.DataFrame(rows, schema=CONTAINER_STATS))

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _sample(self, container: Container) -> Row | None:
        api = self.engine.client.api
        try:
            with Translated(self.engine.url, container.name):
                url = api._url("/containers/{0}/stats", container.id)
                response = api._get(url, params={"stream": "false", "one-shot": "true"}, timeout=30)
                answer = json.loads(response.content) if response.status_code == 200 else {}
        except (TriageError, ValueError):
            return None
        row = reading(answer, self._host_memory)
        if row is None:  # it ended meanwhile
            return None
        time_ns, used = int(row["timestamp"].timestamp() * 1e9), row["cpu_seconds"]
        before = self._before.get(container.id)
        self._before[container.id] = (time_ns, used)
        if before and used >= before[1] and time_ns > before[0]:
            row["cpu_percent"] = 100e9 * (used - before[1]) / (time_ns - before[0])
        return row | {
            "service_name": container.service_name, "container_name": container.name, "container_id": container.id,
            "host_name": self.engine.host_name,
        }  # fmt: skip


def reading(answer: Mapping[str, Any], host_memory: int) -> Row | None:
    """One answer of the stats API in the columns of the table; None where the container does not run."""
    memory, cpu = answer.get("memory_stats") or {}, (answer.get("cpu_stats") or {}).get("cpu_usage") or {}
    if "usage" not in memory or "total_usage" not in cpu:
        return None
    details = memory.get("stats") or {}
    first = "total_inactive_file" in details  # control groups of version 1
    cache = int(details.get("total_inactive_file" if first else "inactive_file") or 0)
    usage, limit = int(memory["usage"]), int(memory.get("limit") or 0)
    networks = answer.get("networks")
    stamp = nanoseconds(answer["read"]) or 0
    return {
        "timestamp": datetime.fromtimestamp(stamp // 10**9, UTC).replace(microsecond=stamp // 1000 % 10**6),
        "memory_bytes": usage - cache if cache < usage else usage,
        "memory_limit_bytes": limit if 0 < limit < host_memory else None,
        "memory_failures": int(memory.get("failcnt") or 0) if first else None,
        "cpu_seconds": int(cpu["total_usage"]) / 1e9,
        "pids": (answer.get("pids_stats") or {}).get("current"),
        "block_read_bytes": _blocks(answer, "read"),
        "block_write_bytes": _blocks(answer, "write"),
        "network_receive_bytes": _sum(networks.values(), "rx_bytes") if networks else None,
        "network_transmit_bytes": _sum(networks.values(), "tx_bytes") if networks else None,
    }


def _blocks(answer: Mapping[str, Any], operation: str) -> int:
    parts = (answer.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return sum(int(part["value"]) for part in parts if str(part.get("op")).lower() == operation)


def _sum(parts: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(int(part.get(name) or 0) for part in parts)
