"""Business errors and how they are answered."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from app.services.ai_providers.aihubmix_provider import AIProviderError

logger = logging.getLogger(__name__)


class AppError(Exception):
    status_code = 400
    error_code = "BAD_REQUEST"
    message = "请求错误"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.message)
        self.detail = detail


class Unauthorized(AppError):
    status_code, error_code, message = 401, "UNAUTHORIZED", "未授权"


class InsufficientCredits(AppError):
    status_code, error_code, message = 402, "INSUFFICIENT_CREDITS", "积分不足"


class NotFound(AppError):
    status_code, error_code, message = 404, "NOT_FOUND", "资源不存在"


class Conflict(AppError):
    status_code, error_code, message = 409, "CONFLICT", "资源已存在"


def _answer(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"success": False, "message": message, "error_code": code}, status_code=status)


def install(app: FastAPI) -> None:
    @app.exception_handler(AppError)
    async def business(request: Request, exc: AppError) -> JSONResponse:
        logger.warning(
            "业务异常 %s %s status=%s error_code=%s message=%s detail=%s",
            request.method, request.url.path, exc.status_code, exc.error_code, exc.message, exc.detail,
        )  # fmt: skip
        return _answer(exc.status_code, exc.error_code, exc.message)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, exc: RequestValidationError) -> JSONResponse:
        logger.warning("参数验证失败 %s %s errors=%s", request.method, request.url.path, exc.errors())
        return _answer(400, "VALIDATION_ERROR", "参数验证失败")

    @app.exception_handler(ValidationError)
    async def invalid_model(request: Request, exc: ValidationError) -> JSONResponse:
        logger.error("参数验证失败 %s %s", request.method, request.url.path, exc_info=exc)
        return _answer(400, "VALIDATION_ERROR", "参数验证失败")

    @app.exception_handler(AIProviderError)
    async def provider(request: Request, exc: AIProviderError) -> JSONResponse:
        logger.error("AI 服务调用失败 %s %s: %s", request.method, request.url.path, exc)
        return _answer(502, "AI_PROVIDER_ERROR", "AI 服务暂时不可用")

    @app.exception_handler(Exception)
    async def unexpected(request: Request, exc: Exception) -> JSONResponse:
        logger.error("未处理的异常 %s %s", request.method, request.url.path, exc_info=exc)
        return _answer(500, "INTERNAL_ERROR", "服务器内部错误")
