"""One run: a stack with a fault, its logs as files, through the pipeline to incidents, and whether they are right."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.diagnose.faults import HEALTHY, Fault
from tests.diagnose.stack import Broken, Load, Stack
from tests.diagnose.voices import LAYOUTS, STACKS, Voices
from triage.analyse import Incident, Window, incidents
from triage.classify.library import Library
from triage.collect.files import open_paths
from triage.lake.table import Lake
from triage.pipeline import Stages, run
from triage.query import Session

BY_ITSELF = 3  # fewer of a problem are a coincidence, not a step of the cascade
NOISE = {  # what is always a little wrong somewhere: the share of all steps, at most
    "api.not_found": 0.04, "api.unauthorized": 0.02, "api.validation_error": 0.02, "db.constraint_violation": 0.01,
    "task.retry": 0.03, "db.slow_query": 0.002, "api.server_error": 0.004, "task.failed": 0.01,
}  # fmt: skip
# Run after run in other circumstances: each team's collection and clocks are otherwise.
USUAL, CLOCK, UNSTAMPED, SHORT = range(4)
AFTER_S = 150.0  # effects may come so long after a fault's end: time-outs, retries


@dataclass(frozen=True, slots=True)
class Run:
    """A fault with everything that was drawn for it; equal for equal fault and number."""

    fault: Fault
    number: int
    start: datetime
    length_s: float
    begins: float
    ends: float
    load: Load
    stack: Stack


@dataclass(frozen=True, slots=True)
class Verdict:
    fault: Fault
    number: int
    first: str | None  # the suspected cause of the incident at the fault's time
    confidence: float
    runner_up: str | None
    missed: tuple[str, ...]  # effects that are not in its chain
    other: int  # incidents at other times, or beside the one
    why: str

    @property
    def top(self) -> bool:
        return (self.first or "") in self.fault.right and (bool(self.fault.cause) or not self.other)

    @property
    def right(self) -> bool:
        return self.top and not self.missed and not self.other


def prepare(fault: Fault, number: int) -> Run:
    """Draw until it happened: a fault that nobody ran into is no incident, and a cascade needs its steps."""
    for attempt in range(20):
        made = _draw(fault, f"{fault.name}/{number}/{attempt}", number % 4)
        came = Counter({problem: sum(made.begins <= second <= made.ends + AFTER_S for second in times) for problem, times in made.stack.happened.items()})
        enough = came[fault.cause] >= 3 * BY_ITSELF or (fault.leads_to and came[fault.cause])
        if not fault.cause or (enough and all(came[problem] >= 3 * BY_ITSELF for problem in fault.leads_to)):
            return replace(made, number=number)
    raise AssertionError(f"{fault.name} does not come about")


def _draw(fault: Fault, seed: str, circumstance: int = USUAL) -> Run:
    """Names, layout, load, times and noise."""
    draw = random.Random(seed)
    length = draw.uniform(2400, 4200)
    seconds = draw.uniform(*fault.seconds)
    begins = draw.uniform(0.3, 0.8) * length if fault.cause else length
    if circumstance == SHORT and fault.cause:
        length = seconds + draw.uniform(500, 900)
        begins = draw.choice((5.0, 0.5 * (length - seconds), length - seconds))  # from its beginning, or to its end
    share = draw.uniform(*fault.share)
    load = Load(draw.choice((0.5, 1.0, 2.0)), dialect=draw.choice(("guide", "sdk")), says_slow=draw.random() < 0.7, client_retries=draw.choice((0, 0, 2)))
    load = replace(load, **fault.load)  # type: ignore[arg-type]
    parts = [Broken(part, begins, begins + seconds, share) for part in fault.parts]
    if fault != HEALTHY[0]:
        parts += [Broken(what, 0.0, length, draw.uniform(0.1, 1) * most) for what, most in NOISE.items() if draw.random() < 0.6]
    start = datetime(2026, draw.randrange(1, 12), draw.randrange(1, 28), draw.randrange(24), draw.randrange(60), tzinfo=UTC)
    voices = Voices(start, draw.choice(STACKS), draw.choice(LAYOUTS), draw.random() < 0.4, draw, stamped=circumstance != UNSTAMPED)
    if circumstance == CLOCK:
        names = voices.names
        voices.set_apart(draw.choice((names.app, names.worker, names.postgres)), draw.choice((-1, 1)) * draw.uniform(20, 120))
    stack = Stack(voices, load, tuple(parts), draw)
    stack.run(length)
    return Run(fault, 0, start, length, begins, begins + seconds, load, stack)


def effects(made: Run) -> tuple[str, ...]:
    """What came about because of the fault, by the simulation's own account, in order of onset."""
    found = []
    for problem, times in made.stack.happened.items():
        during = [second for second in times if made.begins <= second <= made.ends + AFTER_S]
        usual = (len(times) - len(during)) / (made.length_s - (made.ends - made.begins) - AFTER_S)
        expected = usual * (made.ends + AFTER_S - made.begins)
        if len(during) >= BY_ITSELF + 5 * expected and problem != made.fault.cause:
            found.append((min(during), problem))
    return tuple(problem for _, problem in sorted(found))


@cache
def library() -> Library:
    return Library.load()


def judge(fault: Fault, number: int, folder: Path | None = None) -> Verdict:
    """The whole way of one run."""
    made = prepare(fault, number)
    with TemporaryDirectory() as scratch:
        place = folder or Path(scratch)
        found = diagnose(made, place)
    return _verdict(made, found)


def diagnose(made: Run, folder: Path) -> tuple[Incident, ...]:
    made.stack.voices.write(folder / "logs")
    lake = Lake(folder / "lake")
    lake.create()
    run(open_paths([folder / "logs"], lake.version_of), lake, Stages(library(), key=None))
    leads_to = {name: problem.leads_to for name, problem in library().problems.items()}
    window = Window(made.start - timedelta(seconds=1), made.start + timedelta(seconds=made.length_s + 600))
    with Session(lake.file_uris()) as session:
        return incidents(session, window, leads_to)


def _verdict(made: Run, found: Sequence[Incident]) -> Verdict:
    fault = made.fault
    low, high = (made.start + timedelta(seconds=s) for s in (made.begins - 60, made.ends + AFTER_S))
    near = [one for one in found if fault.cause and one.start <= high and one.end >= low]
    if not near:
        told = f"{len(found)} incidents: {_told(found)}" if found else "no incident"
        return Verdict(fault, made.number, None, 0.0, None, (), len(found), "" if not fault.cause and not found else told)
    first = max(near, key=lambda one: sum(one.counts.values()))
    cause, came = first.suspected_cause, effects(made)
    named = cause.problem if cause else None
    # What the named one is an effect of is told once; a chain holds what its incident holds.
    missed = tuple(problem for problem in came if problem not in first.counts)
    why = "" if named in fault.right and not missed and len(found) == 1 else f"came about: {', '.join((fault.cause, *came))}; found: {_told(found)}"
    return Verdict(fault, made.number, named, cause.confidence if cause else 0.0, cause.runner_up if cause else None, missed,
                   len(found) - 1, why)  # fmt: skip


def _told(found: Sequence[Incident]) -> str:
    return " | ".join(
        f"{one.start:%H:%M:%S} " + " > ".join(f"{step.problem}({step.count} {step.after_s:+.0f}s)" for step in one.chain) for one in found
    )
