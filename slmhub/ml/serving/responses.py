"""OpenAI response shapes of an answer, whole and in chunks. Imports no torch."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slmhub.ml.serving.requests import ChatRequest

if TYPE_CHECKING:
    from slmhub.ml.serving.engine import Finished


@dataclass(frozen=True)
class Completion:
    """The frame that all chunks of one answer share."""

    request: ChatRequest
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, finished: Finished) -> dict[str, Any]:
        reason = self._finish_reason(finished)
        choice = {"index": 0, "message": finished.message, "logprobs": None, "finish_reason": reason}
        return self._frame("chat.completion") | {
            "choices": [choice],
            "usage": usage(finished),
            "slmhub": evidence(finished),
        }

    def chunk(self, delta: dict[str, Any]) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        return self._frame("chat.completion.chunk") | {"choices": [choice]}

    def last_chunks(self, finished: Finished, *, sent: int) -> list[dict[str, Any]]:
        """What is left after `sent` characters of content, the end, and the usage if it was asked for."""
        rest = (finished.message.get("content") or "")[sent:]
        calls = finished.message.get("tool_calls", [])
        chunks = []
        if rest:
            chunks.append(self.chunk({"content": rest}))
        if calls:
            indexed = [{"index": at} | call for at, call in enumerate(calls)]
            chunks.append(self.chunk({"tool_calls": indexed}))
        end = self.chunk({}) | {"slmhub": evidence(finished)}
        end["choices"][0]["finish_reason"] = self._finish_reason(finished)
        chunks.append(end)
        if self.request.include_usage:
            chunks.append(self._frame("chat.completion.chunk") | {"choices": [], "usage": usage(finished)})
        return chunks

    def _frame(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.request.model}

    def _finish_reason(self, finished: Finished) -> str:
        return "tool_calls" if finished.message.get("tool_calls") else str(finished.reason)


def usage(finished: Finished) -> dict[str, int]:
    return {
        "prompt_tokens": finished.prompt_tokens,
        "completion_tokens": finished.completion_tokens,
        "total_tokens": finished.prompt_tokens + finished.completion_tokens,
    }


def evidence(finished: Finished) -> dict[str, Any]:
    """How sure the model was, and which weights answered."""
    return {
        "confidence": round(finished.confidence, 6),
        "mean_confidence": round(finished.mean_confidence, 6),
        "sha256": finished.sha256,
    }


def error_body(message: str, *, kind: str, code: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
