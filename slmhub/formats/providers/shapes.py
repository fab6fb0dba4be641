"""What any provider is asked and what it answers, in OpenAI chat shapes."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from slmhub.formats.records import Issue, Message, Usage


class Asked(msgspec.Struct, kw_only=True):
    messages: list[Message] = msgspec.field(default_factory=list)
    tools: list[dict[str, Any]] = msgspec.field(default_factory=list)
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    model: str | None = None
    user: str | None = None
    streamed: bool = False
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class Answered(msgspec.Struct, kw_only=True):
    """`created` is an instant as the provider wrote it (`fields.instant_of`), `latency_ms` by its clock."""

    output: Message | None = None
    usage: Usage = msgspec.field(default_factory=Usage)
    finish_reason: str | None = None
    finish_reason_given: str | None = None
    model: str | None = None
    response_id: str | None = None
    error: str | None = None
    created: Any = None
    latency_ms: float | None = None
    attributes: dict[str, Any] = msgspec.field(default_factory=dict)


class Provider(Protocol):
    """What each provider module offers. `asked` and `answered` raise MalformedError and nothing else."""

    @property
    def NAME(self) -> str: ...  # noqa: N802 - a module's constant

    @property
    def PROVIDER(self) -> str | None: ...  # noqa: N802

    def is_request(self, body: dict[str, Any]) -> bool: ...

    def is_response(self, body: dict[str, Any]) -> bool: ...

    def is_event(self, event: dict[str, Any]) -> bool: ...

    def asked(self, body: dict[str, Any], issues: set[Issue]) -> Asked: ...

    def answered(self, body: dict[str, Any], issues: set[Issue]) -> Answered: ...

    def fold_events(self, events: list[dict[str, Any]]) -> dict[str, Any]: ...
