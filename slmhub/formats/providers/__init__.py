"""Requests and responses of the model providers.

Each module reads one wire format: `asked` and `answered` take a body, `fold` the text of a stream.
`is_request` and `is_response` say whether a body is visibly that provider's.
"""

from __future__ import annotations

from typing import Any

from slmhub.formats.providers import (
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    gemini,
    ollama,
    openai_chat,
    openai_completions,
    openai_responses,
)
from slmhub.formats.providers.events import events_of, is_stream
from slmhub.formats.providers.shapes import Answered, Asked, Provider

__all__ = [
    "Answered",
    "Asked",
    "Provider",
    "answer_of",
    "anthropic",
    "ask_of",
    "bedrock_converse",
    "bedrock_invoke",
    "events_of",
    "gemini",
    "is_stream",
    "ollama",
    "openai_chat",
    "openai_completions",
    "openai_responses",
    "stream_of",
]

# The more particular shape first: chat completions are what most others resemble.
_ASKED: tuple[Provider, ...] = (
    gemini,
    bedrock_invoke,
    anthropic,
    bedrock_converse,
    ollama,
    openai_chat,
    openai_responses,
    openai_completions,
)
_ANSWERED: tuple[Provider, ...] = (
    openai_chat,
    openai_responses,
    anthropic,
    gemini,
    bedrock_converse,
    ollama,
    openai_completions,
    bedrock_invoke,
)


def ask_of(body: Any) -> Provider | None:
    """The provider module whose request this visibly is."""
    return (
        next((known for known in _ASKED if known.is_request(body)), None) if isinstance(body, dict) else None
    )


def answer_of(body: Any) -> Provider | None:
    """The provider module whose response this visibly is."""
    return (
        next((known for known in _ANSWERED if known.is_response(body)), None)
        if isinstance(body, dict)
        else None
    )


def stream_of(events: list[dict[str, Any]]) -> Provider | None:
    """The provider module whose streaming events these are."""
    return next(
        (known for event in events[:20] for known in _ANSWERED if known.is_event(event)),
        None,
    )
