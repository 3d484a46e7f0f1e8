"""The tasks that the Celery recorder runs; each goes wrong in its own way."""

import os
import signal
import time

from celery import Celery
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded
from celery.utils.log import get_task_logger

app = Celery("capp", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(
    task_acks_late=False, broker_connection_retry_on_startup=True, worker_hijack_root_logger=True,
    beat_schedule={"settle-credits": {"task": "capp.ok", "schedule": 1.0, "args": (7,)}},
)  # fmt: skip
log = get_task_logger(__name__)


@app.task
def ok(x):
    log.info("working on %s: errors: 0, retry: none", x)
    return {"x": x}


@app.task
def bad(x):
    try:
        {}["k"]
    except KeyError as error:
        raise ValueError("bad %s" % x) from error


@app.task
def logged(x):
    try:
        raise RuntimeError("AIHubMix API Error: Invalid API Key")
    except RuntimeError:
        log.exception("generation %s failed", x)


@app.task(bind=True, max_retries=1)
def flaky(self, x):
    try:
        raise ConnectionError("AIHubMix API Error: Rate limit exceeded")
    except ConnectionError as error:
        raise self.retry(exc=error, countdown=1)


@app.task(soft_time_limit=1)
def soft():
    try:
        time.sleep(20)
    except SoftTimeLimitExceeded:
        raise


@app.task(time_limit=1)
def hard():
    time.sleep(20)


@app.task
def killed():
    os.kill(os.getpid(), signal.SIGKILL)


@app.task
def exited():
    os._exit(70)


@app.task
def ignored():
    raise Ignore()


@app.task
def rejected():
    raise Reject("no", requeue=False)


@app.task(throws=(LookupError,))
def expected():
    raise LookupError("not today")


@app.task
def fork_noise():
    import sys

    sys.stderr.write("plain text on stderr\n")
