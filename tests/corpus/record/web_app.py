"""A FastAPI and a Django application that answer each status the guide names, and two that never answer."""

import os
import time

if os.environ.get("FRAMEWORK") == "django":
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF="main", SECRET_KEY="x" * 60,
            LOGGING={"version": 1, "disable_existing_loggers": False,
                     "handlers": {"console": {"class": "logging.StreamHandler"}},
                     "root": {"handlers": ["console"], "level": "INFO"},
                     "loggers": {"django": {"handlers": ["console"], "level": "INFO", "propagate": False}}},
        )  # fmt: skip
    from django.core.exceptions import PermissionDenied
    from django.http import HttpResponse
    from django.urls import path

    def ok(request):
        return HttpResponse("ok")

    def boom(request):
        raise ValueError("no credit left for job 812")

    def denied(request):
        raise PermissionDenied

    urlpatterns = [path("ok", ok), path("boom", boom), path("denied", denied)]
    if "gunicorn" in os.environ.get("SERVER", ""):
        from django.core.wsgi import get_wsgi_application

        application = get_wsgi_application()
    elif __name__ == "__main__":
        import sys

        from django.core.management import execute_from_command_line

        execute_from_command_line(["main", "runserver", "--noreload", sys.argv[1]])
else:
    from fastapi import FastAPI, HTTPException
    from pydantic import BaseModel

    app = FastAPI()

    class Job(BaseModel):
        prompt: str

    @app.get("/ok")
    def ok():
        return {}

    @app.get("/errors/404.html")
    def page():
        return {}

    @app.post("/jobs", status_code=201)
    def jobs(job: Job):
        return {}

    @app.get("/status/{code}")
    def status(code: int):
        raise HTTPException(code)

    @app.get("/boom")
    def boom():
        raise ValueError("no credit left for job 812")

    @app.get("/slow")
    async def slow():
        time.sleep(6)
