"""The Celery application."""

import logging

from celery import Celery
from celery.signals import after_setup_logger

from app.core.config import settings

celery_app = Celery(
    "jointo", broker=settings.BROKER_URL, backend=settings.RESULT_BACKEND, include=["app.tasks.ai_tasks"]
)
celery_app.conf.update(
    task_default_queue="ai_tasks",
    task_routes={"app.tasks.ai_tasks.*": {"queue": "ai_tasks"}, "maintenance.*": {"queue": "maintenance"}},
    task_soft_time_limit=settings.AI_TASK_TIMEOUT,
    task_time_limit=settings.AI_TASK_TIMEOUT + 4,
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    beat_schedule={
        "cleanup-expired-jobs": {"task": "maintenance.cleanup_expired_jobs", "schedule": 10.0},
        "refresh-model-list": {"task": "maintenance.refresh_model_list", "schedule": 15.0},
    },
)


@after_setup_logger.connect
def quiet(**_: object) -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)
