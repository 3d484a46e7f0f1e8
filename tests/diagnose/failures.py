"""What a failed step looks like to the program that made it: the exception's text in the words of the libraries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_CAUSE = ("", "The above exception was the direct cause of the following exception:", "", "Traceback (most recent call last):",
          '  File "/opt/venv/lib/python3.11/site-packages/sqlalchemy/engine/base.py", line 1977, in _exec_single_context',
          "    self.dialect.do_execute(")  # fmt: skip
_DRIVER = ('  File "/opt/venv/lib/python3.11/site-packages/sqlalchemy/engine/default.py", line 1192, in do_execute',
           "    cursor.execute(statement, parameters)")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that did not work: the problem it is a sign of, what the client gets, and the exception."""

    problem: str
    status: int
    said: str  # the exception as repr() in a task's line
    last: tuple[str, ...]  # the last lines of the traceback
    retried: bool = False  # whether tasks try again
    handled: bool = False  # the application expects it, and logs a sentence without a traceback


def database(problem: str, error: str, text: str, statement: str | None, more: Sequence[str] = ()) -> Failure:
    """A psycopg2 error inside SQLAlchemy's; `error` is the class psycopg2 gives it."""
    kind = "IntegrityError" if "Violation" in error else "OperationalError"
    named = f"psycopg2.{error}"
    tail = (f"[SQL: {statement}]",) if statement else ()
    lines = (*_DRIVER, f"{named}: {text}", *more, *_CAUSE, *_DRIVER, f"sqlalchemy.exc.{kind}: ({named}) {text}", *more, "",
             *tail, "(Background on this error at: https://sqlalche.me/e/20/e3q8)")  # fmt: skip
    said = "\\n".join([f"{kind}('({named}) {text}", *more]) + "\\n')"
    return Failure(problem, 500, said, lines)


def pool(size: int, overflow: int) -> Failure:
    text = (f"QueuePool limit of size {size} overflow {overflow} reached, connection timed out, timeout 30.00 "
            "(Background on this error at: https://sqlalche.me/e/20/3o7r)")  # fmt: skip
    place = '  File "/opt/venv/lib/python3.11/site-packages/sqlalchemy/pool/impl.py", line 166, in _do_get'
    lines = (place, "    raise exc.TimeoutError(", f"sqlalchemy.exc.TimeoutError: {text}")
    return Failure("db.pool_exhausted", 500, f"TimeoutError('{text}')", lines)


def refused(problem: str, module: str, name: str, text: str) -> Failure:
    """A client library that cannot reach its server."""
    return Failure(problem, 500, f"{name}('{text}')", (f"{module}.{name}: {text}",))


_GUIDE = {  # the guide's provider, as the application words it
    "provider.rate_limited": (503, "Rate limit exceeded"),
    "provider.timeout": (504, "Request timed out"),
    "provider.unavailable": (502, "Service temporarily unavailable"),
    "provider.invalid_api_key": (502, "Invalid API Key"),
    "provider.model_unavailable": (502, "Model not found or not available"),
}
_SDK = {  # the openai package's classes and texts
    "provider.rate_limited": ("RateLimitError", "Error code: 429 - {'error': {'message': 'Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 500, Used 500, Requested 1.', 'type': 'requests', 'param': None, 'code': 'rate_limit_exceeded'}}"),
    "provider.timeout": ("APITimeoutError", "Request timed out."),
    "provider.unavailable": ("InternalServerError", "Error code: 503 - {'error': {'message': 'The server is overloaded or not ready yet.', 'type': 'server_error', 'param': None, 'code': None}}"),
    "provider.invalid_api_key": ("AuthenticationError", "Error code: 401 - {'error': {'message': 'Incorrect API key provided: sk-abcd***wxyz. You can find your API key at https://platform.openai.com/account/api-keys.', 'type': 'invalid_request_error', 'param': None, 'code': 'invalid_api_key'}}"),
    "provider.model_unavailable": ("NotFoundError", "Error code: 404 - {'error': {'message': 'The model `gpt-x` does not exist or you do not have access to it.', 'type': 'invalid_request_error', 'param': None, 'code': 'model_not_found'}}"),
}  # fmt: skip
_PASSING = ("provider.rate_limited", "provider.timeout", "provider.unavailable")


def provider(problem: str, dialect: str) -> Failure:
    """An AI provider's refusal, by the guide's client or by the openai package."""
    status, words = _GUIDE[problem]
    if dialect == "guide":
        text = f"AIHubMix API Error: {words}"
        return Failure(problem, status, f"AIProviderError('{text}')", (text,), problem in _PASSING, handled=True)
    name, text = _SDK[problem]
    said = f'{name}("{text}")' if "'" in text else f"{name}('{text}')"
    return Failure(problem, status, said, (f"openai.{name}: {text}",), problem in _PASSING)
