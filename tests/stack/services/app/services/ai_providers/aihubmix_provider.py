"""Client of the OpenAI-compatible provider AIHubMix."""

from typing import Any

import httpx

from app.core.config import settings


class AIProviderError(Exception):
    """The provider refused or failed."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message, status)
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"


class RateLimited(AIProviderError):
    """Too many requests; worth trying again."""


class AIHubMixProvider:
    def __init__(self) -> None:
        self._client = httpx.Client(
            base_url=settings.AIHUBMIX_BASE_URL,
            headers={"Authorization": f"Bearer {settings.AIHUBMIX_API_KEY}"},
            timeout=settings.AIHUBMIX_TIMEOUT,
        )

    def chat(self, prompt: str, model: str = "gpt-4o-mini") -> dict[str, Any]:
        payload = {"model": model, "messages": [{"role": "user", "content": prompt}]}
        try:
            response = self._client.post("/v1/chat/completions", json=payload)
        except httpx.TimeoutException as exc:
            raise AIProviderError("AIHubMix API Error: Request timed out") from exc
        except httpx.TransportError as exc:
            raise AIProviderError(f"AIHubMix API Error: Connection failed: {exc}") from exc
        if response.is_error:
            self._refuse(response)
        return dict(response.json())

    def models(self) -> list[str]:
        response = self._client.get("/v1/models")
        if response.is_error:
            self._refuse(response)
        return [m["id"] for m in response.json()["data"]]

    @staticmethod
    def _refuse(response: httpx.Response) -> None:
        try:
            message = response.json()["error"]["message"]
        except (ValueError, KeyError):
            message = f"HTTP {response.status_code}"
        kind = RateLimited if response.status_code == 429 else AIProviderError
        raise kind(f"AIHubMix API Error: {message}", response.status_code)
