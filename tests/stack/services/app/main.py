"""The application: routes, error answers, request ids."""

import logging
import time
import uuid
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from app.api.routes import router
from app.core import errors
from app.core import logging as app_logging
from app.core.config import settings

app_logging.setup()
logger = logging.getLogger("app.middleware")
app = FastAPI(title="jointo")
app.include_router(router)
errors.install(app)


@app.middleware("http")
async def with_request_id(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    app_logging.request_id.set(request.headers.get("X-Request-ID") or uuid.uuid4().hex)
    started = time.perf_counter()
    response = await call_next(request)
    took = time.perf_counter() - started
    if took > settings.SLOW_REQUEST_SECONDS:
        logger.warning("慢请求 %s %s took %.0f ms", request.method, request.url.path, took * 1000)
    response.headers["X-Request-ID"] = app_logging.request_id.get()
    return response


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ok": True}
