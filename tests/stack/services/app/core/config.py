"""Settings, all from the environment as in a compose file."""

import os
from dataclasses import dataclass, field


def _env(name: str, default: str) -> str:
    return os.environ.get(name, default)


@dataclass(frozen=True)
class Settings:
    DATABASE_URL: str = field(default_factory=lambda: _env("DATABASE_URL", ""))
    BROKER_URL: str = field(default_factory=lambda: _env("CELERY_BROKER_URL", ""))
    RESULT_BACKEND: str = field(default_factory=lambda: _env("CELERY_RESULT_BACKEND", ""))
    AIHUBMIX_BASE_URL: str = field(default_factory=lambda: _env("AIHUBMIX_BASE_URL", ""))
    AIHUBMIX_API_KEY: str = field(default_factory=lambda: _env("AIHUBMIX_API_KEY", ""))
    AIHUBMIX_TIMEOUT: float = field(default_factory=lambda: float(_env("AIHUBMIX_TIMEOUT", "30")))
    JWT_SECRET: str = field(default_factory=lambda: _env("JWT_SECRET", "dev-only-secret-of-at-least-32-bytes"))
    DB_POOL_SIZE: int = field(default_factory=lambda: int(_env("DB_POOL_SIZE", "5")))
    DB_MAX_OVERFLOW: int = field(default_factory=lambda: int(_env("DB_MAX_OVERFLOW", "10")))
    DB_POOL_TIMEOUT: float = field(default_factory=lambda: float(_env("DB_POOL_TIMEOUT", "2")))
    AI_TASK_TIMEOUT: int = field(default_factory=lambda: int(_env("AI_TASK_TIMEOUT", "4")))
    SLOW_REQUEST_SECONDS: float = field(default_factory=lambda: float(_env("SLOW_REQUEST_SECONDS", "3")))


settings = Settings()
