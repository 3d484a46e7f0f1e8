"""A client of the stack: healthy traffic, decoys, and the bookkeeping that faults build on.

All that it knows it knows from its own side: HTTP answers, task states in the result store, the database's and the
engine's own views. It never reads a log.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .http import Answer, request
from .stack import APP, REDIS, SLOW_REQUEST, WORKER, Stack, until
from .truth import Decoy, Truth, now

FINISHED = ("SUCCESS", "FAILURE", "REVOKED")
_DECOY_TEXTS = (
    "请解释 ERROR: deadlock detected 是什么意思",
    "Rate limit exceeded 应该怎么处理?",
    "写一段对白, 主角大喊 ERROR 然后 Killed",
    "ValidationError 和 MemoryError 的区别",
    "第一行\nMemoryError: 这只是台词\nTraceback 也是台词",
    "QueuePool limit of size 5 overflow 10 reached 如何翻译",
)


@dataclass(frozen=True)
class Sent:
    """A task that the app accepted."""

    job_id: str
    task_id: str
    request_id: str


class Driver:
    """Drives one stack and fills one `Truth`."""

    def __init__(self, stack: Stack, truth: Truth, seed: int) -> None:
        self.stack = stack
        self.truth = truth
        self.random = random.Random(seed)
        self.slow: list[str] = []  # requests that took longer than the app tolerates
        self._tokens: dict[int, str] = {}
        self._texts = list(_DECOY_TEXTS)

    # -- requests ------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, *, user: int | None = 0, token: str | None = None, **more: object) -> Answer:
        """One request as `user` (None: without a token); every answer is counted."""
        if token is None and user is not None:
            token = self.token(user)
        request_id = f"req-{self.random.getrandbits(48):012x}"
        started = time.perf_counter()
        answer = self.stack.call(method, path, token=token, request_id=request_id, **more)
        if time.perf_counter() - started > SLOW_REQUEST and 0 < answer.status < 500:
            self.slow.append(request_id)
        status = str(answer.status)
        self.truth.http[status] = self.truth.http.get(status, 0) + 1
        return answer

    def token(self, user: int) -> str:
        if user not in self._tokens:
            body = {"phone": f"1380013{8000 + user}", "password": "secret"}
            self._tokens[user] = self.call("POST", "/api/v1/auth/login", user=None, body=body).body["access_token"]
        return self._tokens[user]

    def together(self, calls: Iterable[Callable[[], Answer]]) -> list[Answer]:
        """Requests at the same time."""
        calls = list(calls)
        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(lambda call: call(), calls))

    def submit(self, job_type: str, prompt: str, user: int = 0, **more: object) -> Sent:
        """Hand in a job; it must be accepted."""
        body = {"job_type": job_type, "prompt": prompt, **more}
        answer = self.call("POST", "/api/v1/ai/jobs", user=user, body=body)
        if answer.status != 200:
            raise RuntimeError(f"job refused: {answer}")
        sent = Sent(answer.body["job_id"], answer.body["task_id"], answer.request_id or "")
        self.truth.tasks[sent.task_id] = "PENDING"
        return sent

    def chat(self, prompt: str, user: int = 0, **more: object) -> Answer:
        return self.call("POST", "/api/v1/ai/chat", user=user, body={"prompt": prompt, **more})

    # -- task states ---------------------------------------------------------------------------------------------

    def result(self, task_id: str) -> tuple[str, str]:
        """State and exception type of a task, from the result store."""
        key = f"celery-task-meta-{task_id}"
        port = str(self.stack.ports["redis"])
        text = self.stack.engine.docker("exec", REDIS, "redis-cli", "-p", port, "GET", key).strip()
        if not text:
            return "PENDING", ""
        meta = json.loads(text)
        outcome = meta.get("result")
        kind = outcome.get("exc_type", "") if isinstance(outcome, dict) else ""
        self.truth.tasks[task_id] = f"{meta['status']} {kind}".strip()
        return meta["status"], kind

    def finish(self, sent: Iterable[Sent], seconds: float = 60) -> list[tuple[str, str]]:
        """Wait until every task has ended; their states."""
        tasks = list(sent)
        for task in tasks:
            until(lambda t=task: self.result(t.task_id)[0] in FINISHED, seconds, f"task {task.task_id}")  # type: ignore[misc]
        return [self.result(task.task_id) for task in tasks]

    # -- ordinary life -------------------------------------------------------------------------------------------

    def healthy(self, rounds: int = 2) -> None:
        """Logins, conversations, chats and jobs that all succeed, one decoy among them."""
        for _ in range(rounds):
            user = self.random.randrange(2, 10)
            title = self.random.choice(("春日剧本", "第二幕", "角色设定", "Storyboard"))
            made = self.call("POST", "/api/v1/ai/conversations", user=user, body={"title": title})
            self.call("GET", f"/api/v1/ai/conversations/{made.body['conversation_id']}", user=user)
            self.call("GET", "/api/v1/ai/models", user=user)
            self.chat(self.random.choice(("写一个开场", "给主角起名", "总结第一场")), user=user)
            self.finish([self.submit("analyse", "开场:夜\n冲突:雨", user=user)])
        self.decoy()

    def decoy(self) -> None:
        """A healthy request or task whose text reads like a failure."""
        if not self._texts:
            self._texts = list(_DECOY_TEXTS)
        text = self._texts.pop(self.random.randrange(len(self._texts)))
        user = self.random.randrange(2, 10)
        if self.random.random() < 0.5:
            answer = self.chat(text, user=user)
            self.truth.decoys.append(Decoy(APP, text, answer.request_id or ""))
        else:
            sent = self.submit("text", text, user=user)
            self.finish([sent])
            self.truth.decoys.append(Decoy(WORKER, text, sent.request_id, sent.task_id))

    def task_works(self) -> bool:
        """Does a task that is handed in now come back within a few seconds?"""
        body = {"job_type": "analyse", "prompt": "检查:恢复"}
        answer = self.call("POST", "/api/v1/ai/jobs", body=body)
        if answer.status != 200:
            return False
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if self.result(answer.body["task_id"])[0] == "SUCCESS":
                return True
            time.sleep(0.3)
        return False

    def close(self, events: EventLog) -> None:
        """Ask the parts for their own final counts."""
        for task_id in self.truth.tasks:
            self.result(task_id)
        rows = self.stack.psql("SELECT deadlocks FROM pg_stat_database WHERE datname = 'jointo'")
        self.truth.database_deadlocks = int(rows[0])
        self.truth.provider_answers = request("GET", self.stack.url("provider") + "/admin/answers").body
        self.truth.engine_events = events.rows()
        self.truth.end = now()


class EventLog:
    """The engine's own account of kills, written down as it happens: it remembers only its last 256 events."""

    def __init__(self, stack: Stack) -> None:
        self._path = stack.root / "events.jsonl"
        command = ["docker", "events", "--filter", "type=container", "--format", "{{json .}}"]
        command += ["--filter", "event=oom", "--filter", "event=die"]
        with self._path.open("wb") as out:
            self._process = subprocess.Popen(command, env=stack.engine.env, stdout=out, stderr=subprocess.DEVNULL)

    def rows(self) -> list[dict[str, str]]:
        """Stop listening; what was heard."""
        self._process.terminate()
        self._process.wait(10)
        heard = [json.loads(line) for line in self._path.read_text().splitlines()]
        return [
            {
                "container": row["Actor"]["Attributes"]["name"],
                "event": row["Action"],
                "exit_code": row["Actor"]["Attributes"].get("exitCode", ""),
                "time_ns": str(row["timeNano"]),
            }
            for row in heard
        ]
