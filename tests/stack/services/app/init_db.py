"""Create tables and the data a new installation starts with."""

import logging

from sqlalchemy import select, text

from app.core import logging as app_logging
from app.core.database import SessionLocal, engine
from app.models import AIModel, Base, User, UserCredits

logger = logging.getLogger("app.init_db")
# Enough rows that a join without an index is slow and everything else is not.
MESSAGES = 6000


def main() -> None:
    app_logging.setup()
    Base.metadata.create_all(engine)
    with SessionLocal() as db:
        if db.scalar(select(User).limit(1)) is not None:
            logger.info("数据库已就绪")
            return
        for number in range(12):
            user = f"u-{number:04d}"
            db.add(User(user_id=user, phone=f"1380013{8000 + number}", nickname=f"用户{number}"))
            db.flush()
            db.add(UserCredits(user_id=user, balance=1 if number == 11 else 100000))
        for name, kind in (("gpt-4o-mini", "text"), ("gpt-4o", "text"), ("flux-1", "image")):
            db.add(AIModel(model_name=name, model_type=kind, provider="aihubmix"))
        db.execute(
            text(
                "INSERT INTO ai_messages (conversation_id, user_id, content)"
                " SELECT 'c-seed', 'u-' || lpad((n % 10)::text, 4, '0'), '第' || n || '场 ' || repeat(md5(n::text), 3)"
                " FROM generate_series(1, :rows) n"
            ),
            {"rows": MESSAGES},
        )
        db.commit()
    logger.info("数据库初始化完成 messages=%s", MESSAGES)


if __name__ == "__main__":
    main()
