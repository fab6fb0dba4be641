"""Streams as they were logged: server-sent events, JSON lines, or a JSON list, one object an event."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import json_in

_DONE = b"[DONE]"
_ENVELOPE = (b"event:", b"id:", b"retry:", b":")


def is_stream(text: str) -> bool:
    """Whether a body is a stream's text and not one JSON document."""
    return text.lstrip()[:6].startswith(("data:", "event:", ":", "id:"))


def events_of(stream: bytes) -> list[dict[str, Any]]:
    """The JSON objects of a stream, in order; what is no JSON object is passed over."""
    whole = _decoded(stream)
    if whole is not None:
        return [event for event in (whole if isinstance(whole, list) else [whole]) if isinstance(event, dict)]
    events: list[dict[str, Any]] = []
    pending: list[bytes] = []
    for line in [*stream.splitlines(), b""]:
        data = _data_of(line)
        if data and isinstance(event := _decoded(data), dict):
            events.append(event)
        elif data:
            pending.append(data)
        elif pending and not line.strip():
            # One event may spread its data over many lines; it ends with an empty one.
            event = _decoded(b"\n".join(pending))
            pending.clear()
            if isinstance(event, dict):
                events.append(event)
    return events


def _data_of(line: bytes) -> bytes:
    stripped = line.strip()
    if stripped.startswith(_ENVELOPE):
        return b""
    data = stripped.removeprefix(b"data:").strip()
    return b"" if data == _DONE else data


def _decoded(text: bytes) -> Any:
    return json_in(text.decode(errors="replace"))
