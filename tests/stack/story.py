"""One real incident in twelve minutes of ordinary traffic: a provider that refuses and then slows down.

Users come and go at a steady rate, some of them mistaken (an old link, an expired token), some quoting error messages.
Then the provider's quota is used up: chats are refused, tasks retry and fail. A minute later it answers again, but
slowly: chats hold their database connection meanwhile, the pool runs out, and requests that have nothing to do with
the provider fail; tasks exceed their time limit. Long after it has recovered, users who send each other credits meet
in deadlocks. What follows is the services' own doing; the truth holds what was injected, and what the clients saw.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .driver import Driver, EventLog
from .faults import inject, provider_state
from .http import Answer
from .stack import SLOW_MS, Stack
from .truth import Fault, Truth, now

PERIOD = 0.45  # seconds from one request to the next: what two cores answer without effort
_STEPS = (  # seconds from the start
    ("quota", 270.0, 60.0, {"quota": 0}, {"quota": None}),
    ("slow", 330.0, 90.0, {"delay": 24.0}, {"delay": 0.05}),
)
_DEADLOCKS_AT, _ENDS_AT = 600.0, 720.0
_PROMPTS = ("写一个开场", "给主角起名", "总结第一场", "Rewrite the second scene", "把对白改得更口语")
_PATIENCE = 30  # seconds until a client gives up


@dataclass
class Traffic:
    """Users at a steady rate, whatever the answers; it keeps what they saw."""

    driver: Driver
    stop: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[str, str, int]] = field(default_factory=list)
    conversations: list[str] = field(default_factory=list)

    def run(self) -> None:
        """One visit each period, each in a thread of its own, until stopped."""
        began = time.monotonic()
        with ThreadPoolExecutor(64) as pool:
            for number in range(sys.maxsize):
                if self.stop.wait(max(0.0, began + number * PERIOD - time.monotonic())):
                    break
                pool.submit(self._visit, number)

    def _visit(self, number: int) -> None:
        user = 2 + number % 8
        kinds = {0: self._job, 2: self._chat, 4: self._chat, 5: self._job, 7: self._chat, 9: self._chat}
        if number % 97 == 96:
            self._seen("GET conversation", self.driver.call("GET", "/api/v1/ai/conversations/c-archived", user=user))
        elif number % 131 == 130:
            answer = self.driver.call("GET", "/api/v1/ai/conversations/c-1", token="mistyped.or.expired")
            self._seen("GET conversation", answer)
        elif number % 61 == 60:
            self.driver.decoy()
        elif number % 10 in kinds:
            kinds[number % 10](user)
        else:
            self._read(user, number)

    def _chat(self, user: int) -> None:
        body = {"prompt": self.driver.random.choice(_PROMPTS)}
        self._seen("POST chat", self.driver.call("POST", "/api/v1/ai/chat", user=user, body=body, timeout=_PATIENCE))

    def _job(self, user: int) -> None:
        kind, prompt = self.driver.random.choice((("text", "续写下一场"), ("analyse", "开场:夜\n冲突:雨")))
        body = {"job_type": kind, "prompt": prompt}
        answer = self.driver.call("POST", "/api/v1/ai/jobs", user=user, body=body, timeout=_PATIENCE)
        self._seen("POST job", answer)
        if answer.status == 200:
            self.driver.truth.tasks[answer.body["task_id"]] = "PENDING"

    def _read(self, user: int, number: int) -> None:
        if number % 10 == 1 or not self.conversations:
            body = {"title": f"剧本 {number}"}
            made = self.driver.call("POST", "/api/v1/ai/conversations", user=user, body=body, timeout=_PATIENCE)
            self._seen("POST conversation", made)
            if made.status == 200:
                self.conversations.append(made.body["conversation_id"])
        else:
            self._seen("GET models", self.driver.call("GET", "/api/v1/ai/models", user=user, timeout=_PATIENCE))

    def _seen(self, what: str, answer: Answer) -> None:
        self.answers.append((now(), what, answer.status))


def tell(stack: Stack, seed: int = 1) -> Truth:
    """Live through it; what was injected and what the clients saw."""
    events = EventLog(stack)
    truth = Truth(seed, now(), slow_ms=SLOW_MS)
    driver = Driver(stack, truth, seed)
    for user in range(10):
        driver.token(user)
    traffic = Traffic(driver)
    began = time.monotonic()
    thread = threading.Thread(target=traffic.run)
    thread.start()
    try:
        for name, at, lasts, state, back in _STEPS:
            _sleep_until(began + at)
            entry = Fault(f"provider.{name}", now())
            with provider_state(driver, back, **state):
                time.sleep(lasts)
            entry.end = now()
            truth.faults.append(entry)
        _sleep_until(began + _DEADLOCKS_AT)
        inject(driver, "db.deadlock")
        _sleep_until(began + _ENDS_AT)
    finally:
        traffic.stop.set()
        thread.join()
    ended = now()
    driver.close(events)
    truth.end = ended  # what the driver asked afterwards is not part of the story
    for entry in truth.faults:
        entry.notes["clients"] = _clients(traffic, entry)
    return truth


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _clients(traffic: Traffic, entry: Fault) -> dict[str, Any]:
    """Statuses by request from the injection's start to its end, as the clients got them."""
    seen = Counter(f"{what} {status}" for at, what, status in traffic.answers if entry.start <= at <= entry.end)
    return dict(sorted(seen.items()))
