"""Session, user and environment out of the free metadata that an emitter lets programs attach."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import text_of
from slmhub.formats.otlp.reading import Reading
from slmhub.formats.otlp.values import decoded, strings_of
from slmhub.formats.records import Issue

_SESSION = (
    "session_id",
    "sessionId",
    "session",
    "conversation_id",
    "conversationId",
    "thread_id",
    "threadId",
)
_CHAT = ("chat_id", "chatId")
_USER = ("user_id", "userId", "user", "ls_user_id")
_AGENT = ("agent_name", "agentName", "lc_agent_name", "ls_agent_name", "agent")


def add_context(reading: Reading, metadata: dict[str, Any], issues: set[Issue]) -> None:
    """Fills what the reading lacks; keys that say nothing more leave the metadata."""
    rest = dict(metadata)
    reading.session = reading.session or _popped(rest, (*_SESSION, *_CHAT))
    reading.user = reading.user or _popped(rest, _USER)
    reading.agent = reading.agent or _popped(rest, _AGENT)
    reading.environment = reading.environment or _popped(rest, ("environment",))
    tags = strings_of(rest.get("tags"), issues)
    if tags:
        del rest["tags"]
        reading.tags = [*reading.tags, *tags]
    reading.metadata = {**reading.metadata, **{key: decoded(value, issues) for key, value in rest.items()}}


def _popped(rest: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    key = next((key for key in keys if text_of(rest.get(key))), None)
    return text_of(rest.pop(key)) if key else None
