"""One run: healthy traffic, faults in an order given by the seed, and the truth about it."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence

from .driver import Driver, EventLog
from .faults import inject
from .stack import SLOW_MS, Stack
from .truth import Truth, now


def drive(stack: Stack, faults: Sequence[str], seed: int = 1) -> Truth:
    """Inject `faults` between healthy traffic."""
    events = EventLog(stack)
    truth = Truth(seed, now(), slow_ms=SLOW_MS)
    driver = Driver(stack, truth, seed)
    order = list(faults)
    random.Random(seed).shuffle(order)
    driver.healthy(3)
    for name in order:
        before = time.monotonic()
        inject(driver, name)
        print(f"{name}: {time.monotonic() - before:.1f} s", file=sys.stderr, flush=True)
        driver.healthy(1)
    driver.healthy(2)
    driver.close(events)
    return truth
