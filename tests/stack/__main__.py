"""`python -m tests.stack setup|up|run|record`: the stack by hand.

up                                   bring everything up, say where, wait for Ctrl-C
run --faults a,b --out DIR --seed N  inject faults between healthy traffic; logs and truth.json into DIR
record                               the same for every fault, into sample_logs/jointo
story                                one incident in ordinary traffic, twelve minutes, into sample_logs/provider
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import setup
from .engine import Engine, engine
from .faults import FAULTS, OUTAGES
from .run import drive
from .stack import ALL, Stack, stack
from .story import tell
from .truth import Truth

SAMPLES = Path(__file__).parents[2] / "sample_logs"


def save_logs(engine: Engine, out: Path) -> None:
    """The engine's own json-files: stream and nanoseconds as it stored them."""
    out.mkdir(parents=True, exist_ok=True)
    for name in ALL:
        source = engine.docker("inspect", "--format", "{{.LogPath}}", name).strip()
        shutil.copyfile(source, out / f"{name}-json.log")


def pack(out: Path, end: str) -> None:
    """Each log up to `end` and compressed: ordinary traffic is long and repeats itself."""
    for path in sorted(out.glob("*-json.log")):
        lines = path.read_bytes().splitlines(keepends=True)
        told = b"".join(line for line in lines if json.loads(line)["time"][:19] <= end[:19])
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(told, 9, mtime=0))
        path.unlink()


def run(live: Callable[[Stack], Truth], out: Path) -> Truth:
    root = Path(tempfile.mkdtemp(prefix="triage-stack-"))
    try:
        with engine(root) as e, stack(e, root) as s:
            truth = live(s)
            save_logs(e, out)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    truth.write(out / "truth.json")
    return truth


def up() -> None:
    root = Path(tempfile.mkdtemp(prefix="triage-stack-"))
    try:
        with engine(root) as e, stack(e, root) as s:
            print(f"export DOCKER_HOST={e.host}\napp {s.url('app')}  provider {s.url('provider')}", flush=True)
            while True:
                time.sleep(60)
    except KeyboardInterrupt:
        pass
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stack", description="The test stack by hand.")
    parser.add_argument("command", choices=("setup", "up", "run", "record", "story"))
    parser.add_argument(
        "--faults",
        default=",".join(n for n in FAULTS if n not in OUTAGES),
        help="names with commas between; all by default",
    )
    parser.add_argument("--out", type=Path, default=Path("stack-out"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    names = options.faults.split(",")
    if unknown := [n for n in names if n not in FAULTS]:
        sys.exit(f"no such fault: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    setup.provide()
    if options.command == "up":
        up()
    elif options.command in ("run", "record", "story"):
        out = {"record": SAMPLES / "jointo", "story": SAMPLES / "provider"}.get(options.command, options.out)
        started = time.monotonic()
        lived = tell if options.command == "story" else partial(drive, faults=names)
        truth = run(partial(lived, seed=options.seed), out)
        if options.command == "story":
            pack(out, truth.end)
        for problem, row in truth.expected().items():
            print(f"{problem:28} {row['count']:3}  {row['where']}")
        print(f"{out}: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
