"""What following many containers costs, and whether a line is lost or doubled: real containers that number their lines.

    python -m benchmarks.follow_many --containers 200 --seconds 180

Prints memory, threads, CPU and lag of `triage collect --follow`, files of the lake, and lost and doubled lines, which
must be 0. Needs root and what tests/stack/engine.py needs; ends with 1 when a count is not 0.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks.chaos import collector
from benchmarks.numbered_lines import Key, Written, verdict, written
from tests.collect_engine import Restartable, numbered, restartable
from triage.lake.table import Lake

_TICKS = os.sysconf("SC_CLK_TCK")


def measure(engine: Restartable, lake: Path, containers: int, seconds: int) -> dict[str, object]:
    """Start the emitters, follow them, stop all, and compare."""
    emitter = numbered("many", burst=5, pause_s=1.0)
    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda n: engine.run(f"many{n}", emitter), range(containers)))
    follower = collector(engine, lake, "--follow")
    samples, began = [], time.monotonic()
    caught_up = datetime.now(UTC) + timedelta(seconds=seconds / 2)  # with what was logged before
    while time.monotonic() - began < seconds:
        time.sleep(2)
        samples.append(_sample(follower.pid, lake))
    ending = datetime.now(UTC)
    with ThreadPoolExecutor(4) as pool:
        truths = pool.map(lambda name: _ended(engine, name), names)
        truth = {key: last for one in truths for key, last in one.items()}
    time.sleep(10)
    asked = time.monotonic()
    follower.send_signal(signal.SIGTERM)
    _, err = follower.communicate(timeout=120)
    if follower.returncode:
        raise RuntimeError(f"following ended with {follower.returncode}: {err}")
    ended = time.monotonic() - asked
    rest = collector(engine, lake, "--format", "json")
    out, err = rest.communicate(timeout=600)
    if rest.returncode:
        raise RuntimeError(f"the last collect failed: {err}")
    judged = asdict(verdict(Lake(lake), truth, []))
    half = samples[len(samples) // 2 :]
    return {
        "containers": containers,
        "seconds": seconds,
        "rss_mb_at_half_and_end": [round(half[0]["rss"]), round(half[-1]["rss"])],
        "rss_mb_most": round(max(sample["rss"] for sample in samples)),
        "threads_most": int(max(sample["threads"] for sample in samples)),
        "cpu_cores_second_half": round((half[-1]["cpu"] - half[0]["cpu"]) / (half[-1]["at"] - half[0]["at"]), 2),
        "seconds_since_commit_most": round(max(sample["age"] for sample in half), 1),
        "delay_s": _delays(Lake(lake), caught_up, ending),
        "seconds_to_end_on_sigterm": round(ended, 1),
        "lines_unread_at_sigterm": json.loads(out)["lines"],
        "files": len(Lake(lake).file_uris()),
    } | judged | {"examples": judged["examples"][:5]}


def _ended(engine: Restartable, name: str) -> dict[Key, Written]:
    engine.docker("stop", "-t", "0", name)
    return written(name, engine.engine.docker_logs(name))


def _sample(pid: int, lake: Path) -> dict[str, float]:
    status = Path(f"/proc/{pid}/status").read_text()
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    commits = [file.stat().st_mtime for file in (lake / "_delta_log").glob("*.json")]
    return {
        "at": time.monotonic(),
        "rss": int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024,
        "threads": int(re.findall(r"Threads:\s+(\d+)", status)[0]),
        "cpu": (int(fields[11]) + int(fields[12])) / _TICKS,
        "age": time.time() - max(commits, default=time.time()),
    }


def _delays(lake: Lake, after: datetime, before: datetime) -> dict[str, float]:
    """From a line's stamp to the file that holds it, in seconds: median and 95th percentile of a time's lines."""
    later = []
    for uri in lake.file_uris():
        path = uri.removeprefix("file://")
        stamps = pl.read_parquet(path, columns=["timestamp"], hive_partitioning=False)["timestamp"]
        later.append(os.stat(path).st_mtime - stamps.filter((stamps >= after) & (stamps < before)).dt.epoch("us") / 1e6)
    delays = pl.concat(later)
    return {name: round(delays.quantile(share) or 0.0, 1) for name, share in (("median", 0.5), ("p95", 0.95))}


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--containers", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=180)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="triage-many-") as folder, restartable(Path(folder, "engine")) as engine:
        told = measure(engine, Path(folder, "lake"), options.containers, options.seconds)
    print(json.dumps(told, indent=2))
    return 0 if not (told["lost"] or told["doubled"] or told["out_of_order"]) else 1


if __name__ == "__main__":
    sys.exit(main())
