"""What must not change the incidents: how much else is in the window, the clock, the names, how it was collected.

One hour with a fault in it, always of the same lines, is put into stretches of other healthy logs.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.diagnose.stack import Broken, Load, Stack
from tests.diagnose.verdict import library
from tests.diagnose.voices import STACKS, Names, Voices
from triage.analyse import Incident, Window, incidents
from triage.collect.files import open_paths
from triage.lake.table import Lake
from triage.pipeline import Stages, run
from triage.query import Session

START = datetime(2026, 3, 4, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAULT, BEGINS, ENDS = "provider.rate_limited", 1500.0, 1800.0
NOISE = {"api.not_found": 0.02, "api.validation_error": 0.01, "task.retry": 0.01, "db.constraint_violation": 0.003}
LOAD = Load(requests_per_s=0.5, job_share=0.3)
SPARSE = Load(requests_per_s=0.02, job_share=0.3)  # far away, where it only makes the window long
NEAR = timedelta(hours=6)


def hour(start: datetime = START, names: Names = STACKS[0]) -> Voices:
    """The hour with the fault; of equal lines but for what the arguments say."""
    return _voices(start, names, HOUR.total_seconds(), 11, (Broken(FAULT, BEGINS, ENDS),))


def within(days: float) -> tuple[Voices, Window]:
    """The hour in the middle of healthy traffic, and the window of all of it."""
    all_of_it, around = hour(), timedelta(days=days) / 2
    near = min(around, NEAR)
    stretches = ((START - around, START - near, SPARSE), (START - near, START, LOAD), (START + HOUR, START + near, LOAD),
                 (START + near, START + around, SPARSE))  # fmt: skip
    for number, (begins, ends, load) in enumerate(stretches):
        other = _voices(begins, STACKS[0], (ends - begins).total_seconds(), 20 + number, (), load)
        offset = (begins - START).total_seconds()
        for container, said in other.lines.items():
            own = all_of_it.lines.setdefault(container, [])
            own += [(second + offset, order, text) for second, order, text in said]
    return all_of_it, Window(START - around, START + around)


def _voices(start: datetime, names: Names, length_s: float, seed: int, broken: tuple[Broken, ...], load: Load = LOAD) -> Voices:
    draw = random.Random(seed)
    voices = Voices(start, names, "logging", False, draw)
    noise = tuple(Broken(what, 0.0, length_s, share) for what, share in NOISE.items())
    Stack(voices, load, (*broken, *noise), draw).run(length_s)
    return voices


def renamed(voices: Voices, names: Mapping[str, str]) -> Voices:
    """The same lines of containers that are called otherwise."""
    voices.lines = {names.get(container, container): said for container, said in voices.lines.items()}
    return voices


def collected(voices: Voices, folder: Path, batch_bytes: int = 32 << 20, parts: int = 1) -> Lake:
    """Its files in a lake, in batches of so many bytes, while they grow in so many parts."""
    lake = Lake(folder / "lake")
    lake.create()
    voices.write(folder / "all")
    (folder / "logs").mkdir()
    for part in range(1, parts + 1):
        for path in sorted((folder / "all").iterdir()):
            lines = path.read_text("utf-8").splitlines(keepends=True)
            cut = len(lines) * part // parts
            # Programs write a record at once: its lines have one stamp.
            while 0 < cut < len(lines) and lines[cut].split()[0] == lines[cut - 1].split()[0]:
                cut += 1
            (folder / "logs" / path.name).write_text("".join(lines[:cut]), "utf-8")
        run(open_paths([folder / "logs"], lake.version_of, batch_bytes=batch_bytes), lake, Stages(library()))
    return lake


def found(lake: Lake, window: Window | None = None, start: datetime = START) -> tuple[Incident, ...]:
    """The incidents of the window (the hour's where there is none) that lie in the hour."""
    leads_to = {name: problem.leads_to for name, problem in library().problems.items()}
    with Session(lake.file_uris()) as session:
        every = incidents(session, window or Window(start, start + HOUR), leads_to)
    return tuple(one for one in every if one.end >= start and one.start <= start + HOUR)


def told(found: tuple[Incident, ...], since: datetime = START) -> list[dict[str, Any]]:
    """What an incident says, without names, and with times from the hour's start."""
    return [
        {
            "from": one.start - since,
            "to": one.end - since,
            "counts": dict(one.counts),
            "cause": one.suspected_cause and (one.suspected_cause.problem, one.suspected_cause.confidence),
            "chain": [(step.problem, step.count, step.role, step.first_seen - since) for step in one.chain],
            "failed": (one.impact.failed_tasks, one.impact.failed_requests, one.impact.users, one.impact.jobs),
        }
        for one in found
    ]


def main() -> int:
    """The hour in windows of a day and of a month: the same incidents."""
    with TemporaryDirectory() as scratch:
        place = Path(scratch)
        alone = told(found(collected(hour(), _made(place / "hour"))))
        wrong = 0
        for days in (1, 30):
            voices, window = within(days)
            same = bool(alone) and told(found(collected(voices, _made(place / str(days))), window)) == alone
            wrong += not same
            print(f"the same hour in a window of {days} days: {'the same incidents' if same else 'OTHER incidents'}")
    return int(wrong > 0)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
