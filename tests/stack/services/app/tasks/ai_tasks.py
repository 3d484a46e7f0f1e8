"""What the AI worker does."""

from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Task
from celery.exceptions import SoftTimeLimitExceeded
from celery.utils.log import get_task_logger
from sqlalchemy import delete

from app.core.config import settings
from app.core.database import SessionLocal
from app.models import Job
from app.services.ai_providers.aihubmix_provider import AIHubMixProvider, RateLimited
from app.tasks.celery_app import celery_app

logger = get_task_logger(__name__)
provider = AIHubMixProvider()
_vectors: dict[str, bytearray] = {}


def _set(job_id: str, **values: Any) -> None:
    with SessionLocal() as db:
        job = db.get(Job, job_id)
        if job is not None:
            for name, value in values.items():
                setattr(job, name, value)
            db.commit()


class JobTask(Task):
    """Keeps the job's row in step with the task."""

    abstract = True

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        _set(args[0], status="running", started_at=datetime.now(UTC))

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        _set(args[0], status="completed", completed_at=datetime.now(UTC))

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        status = "timeout" if isinstance(exc, SoftTimeLimitExceeded) else "failed"
        _set(args[0], status=status, error_message=str(exc), completed_at=datetime.now(UTC))


@celery_app.task(bind=True, base=JobTask, max_retries=2, autoretry_for=(RateLimited,), default_retry_delay=1)
def generate_text(self: Task, job_id: str, prompt: str, model: str) -> dict[str, Any]:
    logger.info("开始生成 job_id=%s model=%s prompt=%s", job_id, model, prompt)
    answer = provider.chat(prompt, model)
    return {"job_id": job_id, "tokens": answer["usage"]["total_tokens"]}


@celery_app.task(bind=True, base=JobTask, time_limit=settings.AI_TASK_TIMEOUT + 2)
def generate_video(self: Task, job_id: str, prompt: str, model: str) -> dict[str, Any]:
    for attempt in range(1, 4):
        logger.info("开始渲染 job_id=%s model=%s attempt=%s", job_id, model, attempt)
        try:
            provider.chat(prompt, model)
            break
        except Exception as exc:
            logger.warning("渲染未完成 job_id=%s attempt=%s: %r", job_id, attempt, exc)
    return {"job_id": job_id}


@celery_app.task(bind=True, base=JobTask)
def analyse_screenplay(self: Task, job_id: str, prompt: str, model: str) -> dict[str, Any]:
    scenes = [part.split(":", 1) for part in prompt.splitlines()]
    lengths = {title: len(content) for title, content in scenes}
    logger.info("剧本分析完成 job_id=%s scenes=%s", job_id, len(lengths))
    return {"job_id": job_id, "scenes": len(lengths)}


@celery_app.task(bind=True, base=JobTask)
def embed(self: Task, job_id: str, prompt: str, model: str) -> dict[str, Any]:
    # Vectors are kept for later searches; nothing ever drops them.
    size = int(prompt.rsplit("dims=", 1)[1]) if "dims=" in prompt else 1024
    _vectors[job_id] = bytearray(size * 1024)
    _vectors[job_id][:] = b"\x01" * len(_vectors[job_id])
    logger.info("向量已缓存 job_id=%s cached=%s", job_id, len(_vectors))
    return {"job_id": job_id}


@celery_app.task(name="maintenance.cleanup_expired_jobs")
def cleanup_expired_jobs() -> int:
    with SessionLocal() as db:
        limit = datetime.now(UTC) - timedelta(days=30)
        done = db.execute(delete(Job).where(Job.created_at < limit, Job.status == "completed"))
        db.commit()
        return int(done.rowcount)


@celery_app.task(name="maintenance.refresh_model_list")
def refresh_model_list() -> int:
    return len(provider.models())


BY_TYPE = {
    "text": generate_text,
    "image": generate_text,
    "video": generate_video,
    "analyse": analyse_screenplay,
    "embed": embed,
}
