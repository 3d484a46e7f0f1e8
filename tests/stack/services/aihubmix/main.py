"""A stand-in for the AI provider: OpenAI-compatible answers, its state set through /admin. Logs JSON lines."""

import asyncio
import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "taskName"}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonFormatter())
logging.basicConfig(level=logging.INFO, handlers=[handler])
logger = logging.getLogger("aihubmix.gateway")
app = FastAPI()
state: dict[str, Any] = {
    "keys": ["sk-live-jointo"],
    "models": ["gpt-4o-mini", "gpt-4o", "flux-1"],
    "quota": None,  # completions still allowed; None for no limit
    "broken": False,
    "delay": 0.05,
}
answers: dict[str, int] = {}


def _refusal(status: int, message: str, code: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error", "code": code}}, status)


def _decide(model: str, authorization: str) -> JSONResponse | None:
    if authorization.removeprefix("Bearer ") not in state["keys"]:
        return _refusal(401, "Invalid API Key", "invalid_api_key")
    if model not in state["models"]:
        return _refusal(404, "Model not found or not available", "model_not_found")
    if state["quota"] is not None:
        if state["quota"] <= 0:
            return _refusal(429, "Rate limit exceeded", "rate_limit_exceeded")
        state["quota"] -= 1
    if state["broken"]:
        return _refusal(503, "Service temporarily unavailable", "server_error")
    return None


@app.post("/v1/chat/completions")
async def chat(request: Request, authorization: str = Header(default="")) -> Any:
    started = time.perf_counter()
    body = await request.json()
    await asyncio.sleep(state["delay"])
    refusal = _decide(body["model"], authorization)
    status = refusal.status_code if refusal else 200
    answers[str(status)] = answers.get(str(status), 0) + 1
    took = round((time.perf_counter() - started) * 1000, 1)
    logger.info("completion", extra={"model": body["model"], "status": status, "latency_ms": took})
    if refusal:
        return refusal
    text = "好的: " + body["messages"][0]["content"][:40]
    return {"choices": [{"message": {"role": "assistant", "content": text}}], "usage": {"total_tokens": len(text)}}


@app.get("/v1/models")
async def models() -> Any:
    return {"data": [{"id": name} for name in state["models"]]}


@app.post("/admin/state")
async def set_state(request: Request) -> Any:
    state.update(await request.json())
    return state


@app.get("/admin/answers")
async def get_answers() -> Any:
    return answers
