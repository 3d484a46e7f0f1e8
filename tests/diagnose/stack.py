"""A stack of limited resources: requests and tasks run through it while parts of it are broken.

The application has a pool of connections and the worker a few processes; whoever holds one makes others wait. So a
slow statement becomes an exhausted pool and a limit of the provider becomes late tasks by itself, at loads where it
would, and not at others. `happened` notes what the simulation did, by problem: the truth.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.diagnose import failures, postgres, worker
from tests.diagnose.announced import ANNOUNCED
from tests.diagnose.failures import Failure
from tests.diagnose.voices import Voices, task_trace, trace

POOL, OVERFLOW, POOL_WAIT_S = 5, 10, 30.0
SLOW_REQUEST_S = 1.0
LATE_S = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """How this stack is used and configured."""

    requests_per_s: float
    chat_share: float = 0.08  # requests that wait for the provider with a connection in their hands
    job_share: float = 0.15  # requests that send a task
    children: int = 4
    dialect: str = "guide"  # of the provider's client
    client_retries: int = 0  # that the provider's client makes by itself
    retry_after_s: float = 1.0  # what the provider asks for
    soft_limit_s: float = 120.0
    statement_timeout_s: float | None = None
    says_slow: bool = True  # a middleware logs slow requests
    kernel_log: bool = True


@dataclass(frozen=True, slots=True)
class Broken:
    """A part that does not work from `start` to `end`; `share` of what passes it is hit."""

    what: str
    start: float
    end: float
    share: float = 1.0


@dataclass(slots=True)
class Stack:
    voices: Voices
    load: Load
    broken: tuple[Broken, ...]
    random: random.Random
    happened: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _pool: list[float] = field(default_factory=lambda: [0.0] * (POOL + OVERFLOW))
    _children: list[float] = field(default_factory=list)
    _todo: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _numbers: int = 0

    def run(self, length_s: float) -> None:
        """All of the traffic, in order of time."""
        self._children = [0.0] * self.load.children
        self._arrivals(length_s, self.load.requests_per_s, self.request)
        for tick in range(int(length_s / 10)):
            self.at(tick * 10.0 + 0.5, self.tick)
        for part in self.broken:
            self.at(part.start, lambda second, part=part: self.breaks(part, second))  # type: ignore[misc]
        while self._todo:
            second, _, step = heapq.heappop(self._todo)
            step(second)

    def at(self, second: float, step: Callable[[float], None]) -> None:
        self._numbers += 1
        heapq.heappush(self._todo, (second, self._numbers, step))

    def _arrivals(self, length_s: float, per_s: float, step: Callable[[float], None]) -> None:
        second = self.random.expovariate(per_s)
        while second < length_s:
            self.at(second, step)
            second += self.random.expovariate(per_s)

    def hit(self, what: str, second: float) -> Broken | None:
        """The broken part that this step runs into, if it does."""
        for part in self.broken:
            if part.what == what and part.start <= second < part.end and self.random.random() < part.share:
                return part
        return None

    def note(self, problem: str, second: float) -> None:
        self.happened[problem].append(second)

    def ident(self) -> str:
        h = f"{self.random.getrandbits(128):032x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    # -- the application ---------------------------------------------------------------------------------------------

    def request(self, second: float) -> None:
        draw, share = self.random.random(), self.load
        kind = "chat" if draw < share.chat_share else "job" if draw < share.chat_share + share.job_share else "read"
        if kind == "read" and self.random.random() < 0.1:
            kind = "report"
        request = f"req-{self.random.getrandbits(48):012x}"
        method, path = {
            "chat": ("POST", "/v1/chat"), "job": ("POST", "/v1/jobs"), "report": ("GET", "/v1/reports/monthly"),
            "read": ("GET", f"/v1/items/{self.random.randrange(9999)}"),
        }[kind]  # fmt: skip
        if refusal := self._refused(second):
            self.refuse(second, request, method, path, *refusal)
            return
        end, failure = self._handled(kind, second, request)
        if part := self.hit("api.slow_response", second):
            end += self.random.uniform(1.2, 4) * part.share
        self.answer(second, end, request, method, path, 202 if kind == "job" else 200, failure)

    def _refused(self, second: float) -> tuple[int, str, str, str] | None:
        for problem, refusal in REFUSALS.items():
            if self.hit(problem, second):
                return refusal
        return None

    def refuse(self, second: float, request: str, method: str, path: str, status: int, problem: str, code: str, detail: str) -> None:
        self.voices.app(second, "WARNING", f"{method} {path} status={status} error_code={code} detail={detail}", request=request, logger="errors")
        self.voices.access(second + 0.002, method, path, status)
        self.note(problem, second)

    def _handled(self, kind: str, second: float, request: str) -> tuple[float, Failure | None]:
        if self.hit("redis.error", second):
            host = self.voices.names.redis
            text = f"Error 111 connecting to {host}:6379. Connection refused."
            return second + 0.01, failures.refused("redis.error", "redis.exceptions", "ConnectionError", text)
        if self.hit("api.server_error", second):
            return second + 0.01, Failure("api.server_error", 500, "", ("KeyError: 'price'",))
        free = heapq.heappop(self._pool)
        begun = max(second, free)
        if begun - second > POOL_WAIT_S:
            heapq.heappush(self._pool, free)
            return second + POOL_WAIT_S, failures.pool(POOL, OVERFLOW)
        end, failure = self.statement(kind, begun)
        if failure is None and kind == "chat":
            self.voices.app(end, "INFO", f"chat model=gpt-4o user_id=u-{self.random.randrange(300):04d} prompt={self._prompt()}", request=request)
            end, failure = self.provider(end, self.app_says(request))
        leaked = self.hit("db.pool_exhausted", second)
        heapq.heappush(self._pool, leaked.end if leaked else end)
        if failure is None and kind == "job":
            end, failure = self.publish(end, request)
        return end, failure

    def app_says(self, request: str) -> Callable[[float, str, str], None]:
        return lambda second, logger, text: self.voices.app(second, "INFO", text, request=request, logger=logger)

    def _prompt(self) -> str:
        """What users write: now and then the words of a failure."""
        if self.random.random() < 0.2:
            return self.random.choice(DECOYS)
        return self.random.choice(("a poem on rain", "summarise the meeting", "一张海报", "translate to German"))

    def answer(self, second: float, end: float, request: str, method: str, path: str, status: int, failure: Failure | None) -> None:
        if failure:
            status = failure.status
            if failure.handled:
                self.voices.app(end, "ERROR", f"call failed {method} {path}: {failure.last[-1]}", request=request, logger="errors")
            else:
                text = trace(self.voices.names.package, "api/routes", *failure.last)
                self.voices.app(end, "ERROR", f"unhandled exception {method} {path}", request=request, logger="errors", trace=text)
            self.note(failure.problem, end)
            if failure.problem != "api.server_error":
                self.note("api.server_error", end)
        if end - second > SLOW_REQUEST_S and self.load.says_slow:
            took = (end - second) * 1000
            self.voices.app(end, "WARNING", f"slow request: {method} {path} took {took:.0f} ms", request=request, logger="middleware")
            self.note("api.slow_response", end)
        if failure and failure.problem == "api.server_error":
            self.note("api.server_error", end)
        self.voices.access(end + 0.002, method, path, status)

    # -- what the application and the tasks use ------------------------------------------------------------------------

    def statement(self, kind: str, second: float) -> tuple[float, Failure | None]:
        """One statement: when it is over, and how it failed."""
        return postgres.statement(self, kind, second)

    def provider(self, second: float, says: Callable[[float, str, str], None]) -> tuple[float, Failure | None]:
        """A call of the AI provider, with the retries that its client makes by itself."""
        for attempt in range(self.load.client_retries + 1):
            problem = next((p for p in PROVIDER if self.hit(p, second)), None)
            if problem is None:
                took = self.random.lognormvariate(0, 0.5)
                says(second + took, "httpx", 'HTTP Request: POST https://ai.example/v1/chat/completions "HTTP/1.1 200 OK"')
                return second + took, None
            second += 30.0 if problem == "provider.timeout" else self.random.uniform(0.1, 0.4)
            if status := PROVIDER[problem]:
                says(second, "httpx", f'HTTP Request: POST https://ai.example/v1/chat/completions "HTTP/1.1 {status}"')
                if problem == "provider.rate_limited":
                    self.note(problem, second)
            again = attempt < self.load.client_retries and problem in PROVIDER_PASSES
            if not again:
                return second, failures.provider(problem, self.load.dialect)
            wait = self.load.retry_after_s if problem == "provider.rate_limited" else self.random.uniform(0.4, 1.8)
            says(second, "openai", f"Retrying request to /chat/completions in {wait:f} seconds")
            second += wait
        raise AssertionError

    def publish(self, second: float, request: str) -> tuple[float, Failure | None]:
        """Send a task to the broker."""
        if blocked := self.hit("broker.resource_alarm", second):
            second = blocked.end + self.random.uniform(0, 1)  # publishers block until the alarm clears
        if self.hit("broker.connection_lost", second):
            text = "[Errno 111] Connection refused"
            return second + 0.2, failures.refused("broker.connection_lost", "kombu.exceptions", "OperationalError", text)
        task, name = self.ident(), self.random.choice(self.names())
        user, job = f"u-{self.random.randrange(300):04d}", f"j-{self.random.getrandbits(32):08x}"
        self.voices.app(second, "INFO", f"job submitted job_id={job} task_id={task} user_id={user}", request=request)
        self.queue(second, task, name)
        return second + 0.005, None

    def names(self) -> list[str]:
        return [f"{self.voices.names.package}.tasks.{name}" for name in ("render_image", "write_text", "settle", "export_pdf")]

    # -- the worker --------------------------------------------------------------------------------------------------

    def queue(self, sent: float, task: str, name: str) -> None:
        """The worker takes it when it can reach it."""
        away = next((p for p in self.broken if p.what in NO_WORKER and p.start <= sent < p.end), None)
        received = sent + 0.02 if away is None else away.end + self.random.uniform(0.5, 2)
        if away and received - sent > LATE_S:
            self.note("task.stuck_pending", sent)
        self.at(received, lambda second: self.receive(second, task, name))

    def receive(self, second: float, task: str, name: str, eta: float = 0.0, retries: int = 0) -> None:
        self.voices.worker(second, "INFO", "MainProcess", f"Task {name}[{task}] received")
        self.at(max(second + 0.005, eta), lambda when: self.perform(when, task, name, retries))

    def perform(self, ready: float, task: str, name: str, retries: int) -> None:
        """One attempt, as soon as a process of the worker is free."""
        free = heapq.heappop(self._children)
        heapq.heappush(self._children, worker.attempt(self, max(ready, free), task, name, retries))

    def task_trace(self, name: str, failure: Failure) -> str:
        return task_trace(self.voices.names.package, name.rsplit(".", 1)[1], *failure.last)

    # -- the rest ----------------------------------------------------------------------------------------------------

    def tick(self, second: float) -> None:
        """Beat sends the sweep every ten seconds."""
        if self.hit("beat.schedule_error", second):
            self.voices.beat(second, "ERROR", "Message Error: Couldn't apply scheduled task sweep: Object of type datetime is not JSON serializable\n"
                             "['  File \"/opt/venv/bin/celery\", line 8, in <module>\\n    sys.exit(main())\\n']")  # fmt: skip
            self.note("beat.schedule_error", second)
            return
        if self.hit("broker.connection_lost", second):
            self.voices.beat(second, "ERROR", "beat: Connection error: [Errno 111] Connection refused. Trying again in 2.0 seconds...")
            return
        self.voices.beat(second, "INFO", f"Scheduler: Sending due task sweep ({self.voices.names.package}.tasks.sweep)")

    def breaks(self, part: Broken, second: float) -> None:
        """What a broken part itself has to say."""
        if part.what in ANNOUNCED:
            ANNOUNCED[part.what](self, part, second)


REFUSALS: dict[str, tuple[int, str, str, str]] = {
    "api.unauthorized": (401, "api.unauthorized", "UNAUTHORIZED", "token signature is invalid"),
    "api.not_found": (404, "api.not_found", "NOT_FOUND", "no such item"),
    "api.validation_error": (422, "api.validation_error", "VALIDATION_ERROR", "body.prompt: Field required"),
    "api.insufficient_credits": (402, "api.insufficient_credits", "INSUFFICIENT_CREDITS", "balance=0 cost=2"),
}
PROVIDER = {  # what httpx says of it
    "provider.rate_limited": "429 Too Many Requests",
    "provider.timeout": None,
    "provider.unavailable": "503 Service Unavailable",
    "provider.invalid_api_key": "401 Unauthorized",
    "provider.model_unavailable": "404 Not Found",
}
PROVIDER_PASSES = ("provider.rate_limited", "provider.timeout", "provider.unavailable")
NO_WORKER = ("task.stuck_pending", "broker.unreachable", "broker.connection_lost")
DECOYS = (
    "why do I get ERROR: deadlock detected?", "explain Rate limit exceeded (429)", "QueuePool limit of size 5 reached, what now",
    "write ValidationError in a poem", "Traceback: MemoryError, is that bad?", "什么是 Invalid API Key",
)  # fmt: skip
