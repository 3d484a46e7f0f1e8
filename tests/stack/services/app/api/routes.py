"""The HTTP API."""

import json
import logging
import uuid
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core import auth
from app.core.database import get_db
from app.core.errors import Conflict, InsufficientCredits, NotFound, Unauthorized
from app.models import AIModel, Conversation, Job, User, UserCredits
from app.services.ai_providers.aihubmix_provider import AIHubMixProvider
from app.tasks import ai_tasks

logger = logging.getLogger("app.api.ai")
router = APIRouter(prefix="/api/v1")
provider = AIHubMixProvider()
COST = {"text": 2, "image": 50, "video": 80, "embed": 1, "analyse": 5}
_exports: dict[str, list[bytes]] = {}


class Login(BaseModel):
    phone: str = Field(pattern=r"^1\d{10}$")
    password: str


class Chat(BaseModel):
    prompt: str = Field(min_length=1, max_length=2000)
    model: str = "gpt-4o-mini"


class NewConversation(BaseModel):
    title: str = Field(min_length=1, max_length=100)
    conversation_id: str | None = None


class NewJob(BaseModel):
    job_type: str
    prompt: str = Field(min_length=1)
    model: str = "gpt-4o-mini"
    params: dict[str, Any] = {}


class Transfer(BaseModel):
    to_user_id: str
    amount: int = Field(gt=0)


class ImageParams(BaseModel):
    width: int = Field(ge=64, le=2048)
    height: int = Field(ge=64, le=2048)


@router.post("/auth/login")
def login(body: Login, db: Session = Depends(get_db)) -> dict[str, Any]:
    user = db.scalar(select(User).where(User.phone == body.phone))
    if user is None or body.password != "secret":
        raise Unauthorized("手机号或密码错误")
    logger.info("用户登录 user_id=%s", user.user_id)
    return {"success": True, "access_token": auth.issue(user.user_id)}


@router.get("/ai/models")
def models(db: Session = Depends(get_db)) -> dict[str, Any]:
    return {"success": True, "data": list(db.scalars(select(AIModel.model_name)))}


@router.post("/ai/conversations")
def create_conversation(
    body: NewConversation, user: str = Depends(auth.current_user), db: Session = Depends(get_db)
) -> dict[str, Any]:
    row = Conversation(conversation_id=body.conversation_id or str(uuid.uuid4()), user_id=user, title=body.title)
    db.add(row)
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        raise Conflict(row.conversation_id) from None
    logger.info("会话已创建 user_id=%s conversation_id=%s title=%s", user, row.conversation_id, row.title)
    return {"success": True, "conversation_id": row.conversation_id}


@router.get("/ai/conversations/{conversation_id}")
def get_conversation(
    conversation_id: str, user: str = Depends(auth.current_user), db: Session = Depends(get_db)
) -> dict[str, Any]:
    row = db.get(Conversation, conversation_id)
    if row is None or row.user_id != user:
        raise NotFound(f"conversation_id={conversation_id}")
    return {"success": True, "conversation_id": conversation_id, "title": row.title}


@router.post("/ai/chat")
def chat(body: Chat, user: str = Depends(auth.current_user), db: Session = Depends(get_db)) -> dict[str, Any]:
    balance = db.scalar(select(UserCredits.balance).where(UserCredits.user_id == user))
    if balance is None or balance < COST["text"]:
        raise InsufficientCredits(f"user_id={user} balance={balance} cost={COST['text']}")
    logger.info("ai_chat 请求 user_id=%s model=%s prompt=%s", user, body.model, body.prompt)
    answer = provider.chat(body.prompt, body.model)
    return {"success": True, "answer": answer["choices"][0]["message"]["content"]}


@router.post("/ai/jobs")
def create_job(body: NewJob, user: str = Depends(auth.current_user), db: Session = Depends(get_db)) -> dict[str, Any]:
    cost = COST.get(body.job_type, 2)
    balance = db.scalar(select(UserCredits.balance).where(UserCredits.user_id == user)) or Decimal(0)
    if balance < cost:
        raise InsufficientCredits(f"user_id={user} balance={balance} cost={cost}")
    if body.job_type == "image":
        ImageParams.model_validate(body.params)
    job = Job(job_id=str(uuid.uuid4()), user_id=user, job_type=body.job_type, params=json.dumps(body.params))
    db.add(job)
    db.commit()
    task = ai_tasks.BY_TYPE[body.job_type].delay(job.job_id, body.prompt, body.model)
    job.task_id = task.id
    db.commit()
    logger.info("AI 任务已提交 job_id=%s task_id=%s job_type=%s user_id=%s", job.job_id, task.id, body.job_type, user)
    return {"success": True, "job_id": job.job_id, "task_id": task.id}


@router.get("/ai/jobs/{job_id}")
def get_job(job_id: str, user: str = Depends(auth.current_user), db: Session = Depends(get_db)) -> dict[str, Any]:
    job = db.get(Job, job_id)
    if job is None or job.user_id != user:
        raise NotFound(f"job_id={job_id}")
    return {"success": True, "status": job.status, "error_message": job.error_message}


@router.post("/credits/transfer")
def transfer(body: Transfer, user: str = Depends(auth.current_user), db: Session = Depends(get_db)) -> dict[str, Any]:
    change = update(UserCredits)
    db.execute(change.where(UserCredits.user_id == user).values(balance=UserCredits.balance - body.amount))
    # The note is moderated before the receiver is credited.
    provider.chat(f"审核转账备注: {user} -> {body.to_user_id}")
    db.execute(change.where(UserCredits.user_id == body.to_user_id).values(balance=UserCredits.balance + body.amount))
    db.commit()
    logger.info("积分转账 from=%s to=%s amount=%s", user, body.to_user_id, body.amount)
    return {"success": True}


@router.get("/ai/messages/similar")
def similar(needle: str = "", user: str = Depends(auth.current_user), db: Session = Depends(get_db)) -> dict[str, Any]:
    query = text(
        "SELECT count(*) FROM ai_messages a JOIN ai_messages b"
        " ON length(a.content) = length(b.content) AND a.content > b.content"
        " WHERE a.user_id = :user AND b.content NOT LIKE :needle"
    )
    return {"success": True, "count": db.scalar(query, {"user": user, "needle": f"%{needle}%"})}


@router.get("/ai/usage")
def usage(days: int = 30, user: str = Depends(auth.current_user), db: Session = Depends(get_db)) -> dict[str, Any]:
    query = text(
        "SELECT m.user_id, d.day, sum(length(md5(m.content || d.day))) AS characters\n"
        "  FROM ai_messages m\n"
        " CROSS JOIN generate_series(1, :days) AS d(day)\n"
        " GROUP BY m.user_id, d.day\n"
        " ORDER BY characters DESC LIMIT 5"
    )
    return {"success": True, "rows": len(db.execute(query, {"days": days}).all())}


@router.get("/ai/export")
def export(megabytes: int = 1, user: str = Depends(auth.current_user)) -> dict[str, Any]:
    # Finished exports are kept for the next download.
    parts = _exports.setdefault(user, [])
    for _ in range(megabytes):
        parts.append(bytes(bytearray(b"x") * (1 << 20)))
    logger.info("导出完成 user_id=%s parts=%s", user, len(parts))
    return {"success": True, "parts": len(parts)}
