"""One request on its way through the gateway, and what the spool keeps of it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from apps.gateway.surfaces.surface import Surface
from apps.spool.record import Header, PayloadKind, Served
from apps.traces.models import Source
from slmhub.formats.fields import object_in


@dataclass(frozen=True)
class Call:
    """`received` is the body as its caller wrote it, `request` what backends are asked."""

    surface: Surface
    agent_id: int
    received: dict[str, Any]
    request: dict[str, Any]
    session: str = ""
    id: str = field(default_factory=lambda: f"gw-{uuid.uuid4().hex}")
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    clock: float = field(default_factory=time.perf_counter)

    @property
    def wants_stream(self) -> bool:
        return bool(self.request.get("stream"))

    @property
    def wants_usage(self) -> bool:
        """In the last event of a stream."""
        return bool(object_in(self.request.get("stream_options")).get("include_usage"))

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self.clock) * 1000

    def header(self, served: Served) -> Header:
        return Header(
            kind=PayloadKind.ROW,
            source=Source.GATEWAY,
            agent=self.agent_id,
            content_type="application/json",
            served=served,
        )

    def payload(self, response: dict[str, Any]) -> bytes:
        """What was asked and answered, as a row that `slmhub.formats` reads."""
        row = {
            "id": self.id,
            "session_id": self.session or None,
            "timestamp": self.started_at.isoformat(),
            "request": self.received,
            "response": response,
        }
        return orjson.dumps(row)


def session_in(received: dict[str, Any]) -> str:
    metadata = received.get("metadata")
    value = metadata.get("session_id") if isinstance(metadata, dict) else None
    return value[:200] if isinstance(value, str) else ""
