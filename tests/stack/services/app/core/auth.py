"""Bearer tokens."""

import time

import jwt
from fastapi import Header

from app.core.config import settings
from app.core.errors import Unauthorized

LIFETIME = 3600


def issue(user_id: str, lifetime: int = LIFETIME) -> str:
    return jwt.encode({"sub": user_id, "exp": int(time.time()) + lifetime}, settings.JWT_SECRET, algorithm="HS256")


def current_user(authorization: str | None = Header(default=None)) -> str:
    if not authorization:
        raise Unauthorized("未提供 Authorization header")
    try:
        claims = jwt.decode(authorization.removeprefix("Bearer "), settings.JWT_SECRET, algorithms=["HS256"])
    except jwt.ExpiredSignatureError:
        raise Unauthorized("Token 过期") from None
    except jwt.InvalidTokenError:
        raise Unauthorized("Token 无效") from None
    return str(claims["sub"])
