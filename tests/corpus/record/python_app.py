"""Prints one small story through the logging library that LAYOUT names; run by the recorder in several venvs."""

import logging
import os
import sys

LAYOUTS = {
    "basic": "%(levelname)s:%(name)s:%(message)s",
    "dated": "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
    "level_first": "%(asctime)s %(levelname)s %(name)s %(message)s",
    "level_padded": "%(asctime)s [%(levelname)-8s] %(name)s: %(message)s",
    "pid_place": "%(asctime)s [%(process)d] %(levelname)s %(name)s (%(filename)s:%(lineno)d) %(message)s",
    "pipes": "%(asctime)s | %(levelname)s | %(name)s:%(funcName)s:%(lineno)d | %(message)s",
    "brackets": "[%(asctime)s] [%(levelname)s] [%(name)s] %(message)s",
    "django_verbose": "%(levelname)s %(asctime)s %(module)s %(process)d %(thread)d %(message)s",
    "zoned": "%(asctime)s %(levelname)s [%(name)s] %(message)s",
}


class Dot(logging.Formatter):
    default_msec_format = "%s.%03d"


def stdlib(layout):
    handler = logging.StreamHandler(sys.stderr)
    date = "%Y-%m-%dT%H:%M:%S%z" if layout == "zoned" else None
    handler.setFormatter((Dot if layout == "pipes" else logging.Formatter)(LAYOUTS[layout], date))
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])
    return logging.getLogger("app.services.ai")


def library(layout):
    if layout.startswith("loguru"):
        from loguru import logger

        logger.remove()
        logger.add(sys.stderr, serialize=layout == "loguru_json", colorize=layout == "loguru_colour")
        return logger
    if layout.startswith("structlog"):
        import structlog

        last = structlog.processors.JSONRenderer() if layout.endswith("json") else structlog.dev.ConsoleRenderer(
            colors=layout.endswith("colour"), exception_formatter=structlog.dev.plain_traceback)
        chain = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso")]
        if layout.endswith("json"):
            chain.append(structlog.processors.format_exc_info)
        structlog.configure(processors=[*chain, last], logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        return structlog.get_logger()
    handler = logging.StreamHandler(sys.stderr)
    if layout == "json_logger":
        from pythonjsonlogger.json import JsonFormatter

        handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    else:
        import ecs_logging

        handler.setFormatter(ecs_logging.StdlibFormatter())
    logging.basicConfig(level=logging.DEBUG, handlers=[handler])
    return logging.getLogger("app.services.ai")


def chained():
    try:
        {}["credit"]
    except KeyError as error:
        raise ValueError("no credit left for job 812") from error


def story(log):
    log.info("worker ready, errors: 0, retries: 0")
    log.debug("cache hit key=job:812 ttl=30")
    log.warning("credit low for user 42")
    log.info('user 42 wrote: "what does deadlock detected mean?"')
    log.error("AIHubMix API Error: Model not found or not available")
    try:
        chained()
    except ValueError:
        log.exception("generation failed")
    log.info("two lines\nand the second is indented:\n    MemoryError: said a user")
    try:
        raise RuntimeError("AIHubMix API Error: Rate limit exceeded")
    except RuntimeError:
        log.exception("provider refused")
    log.critical("shutting down")


def hard_to_cut():
    """What the traceback module can print besides the usual: groups, syntax errors, no message, a bare traceback."""
    log = logging.getLogger("app.batch")
    try:
        raise ExceptionGroup("batch failed", [ValueError("a"), ExceptionGroup("inner", [KeyError("b"), OSError(28, "No space left")])])
    except ExceptionGroup:
        log.exception("batch 7 failed")
    try:
        compile("def f(:\n  pass\n", "/srv/app/plugin.py", "exec")
    except SyntaxError:
        log.exception("plugin does not load")
    try:
        raise NotImplementedError
    except NotImplementedError:
        log.exception("no message")
    try:
        try:
            raise ConnectionResetError(104, "Connection reset by peer")
        except OSError:
            raise KeyError("session")
    except KeyError:
        log.exception("while handling")
    try:
        raise ValueError("first line\n\nthird line after a blank one")
    except ValueError:
        log.exception("multi-line message of the exception")

    def deep(n):
        return deep(n - 1) if n else 1 / 0

    try:
        deep(12)
    except ZeroDivisionError:
        log.exception("repeated frames")
    log.info("done")
    raise SystemError("nobody caught this")


if __name__ == "__main__":
    layout = os.environ["LAYOUT"]
    log = stdlib(layout.removeprefix("hard_")) if layout.removeprefix("hard_") in LAYOUTS else library(layout)
    hard_to_cut() if layout.startswith("hard_") else story(log)
