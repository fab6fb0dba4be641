"""Folds Anthropic's streaming events into the message that they add up to."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import Json, json_in, object_in, string_in

_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


def fold_events(events: list[Json]) -> Json:
    """What is no event of theirs is passed over; a stream that breaks off keeps what had come."""
    message: Json = {"type": "message", "role": "assistant"}
    usage: Json = {}
    blocks: dict[int, Json] = {}
    pieces: dict[tuple[int, str], list[str]] = {}
    for event in events:
        kind = event.get("type")
        if kind == "message_start":
            message |= object_in(event.get("message"))
            usage |= _without_nulls(message.get("usage"))
        elif kind == "message_delta":
            message |= _without_nulls(event.get("delta"))
            usage |= _without_nulls(event.get("usage"))
        elif kind == "error":
            message["error"] = event.get("error")
        else:
            _take(event, blocks, pieces)
    for index, block in blocks.items():
        for key in ("text", "thinking", "signature"):
            if (index, key) in pieces:
                block[key] = string_in(block.get(key)) + "".join(pieces[index, key])
        written = "".join(pieces.get((index, "partial_json"), ()))
        if written:
            # The object that the unstreamed answer holds; a cut one stays text.
            arguments = json_in(written)
            block["input"] = written if arguments is None else arguments
    content = [blocks[index] for index in sorted(blocks)]
    return {**message, "usage": usage, "content": content or message.get("content") or []}


def _without_nulls(given: Any) -> Json:
    """A later value replaces an earlier one, a null none."""
    return {key: value for key, value in object_in(given).items() if value is not None}


def _take(event: Json, blocks: dict[int, Json], pieces: dict[tuple[int, str], list[str]]) -> None:
    index = event.get("index")
    if not isinstance(index, int):
        return
    if event.get("type") == "content_block_start":
        blocks[index] = dict(object_in(event.get("content_block")))
    if event.get("type") != "content_block_delta" or index not in blocks:
        return
    delta = object_in(event.get("delta"))
    kind = string_in(delta.get("type"))
    if kind in _DELTAS:
        key = _DELTAS[kind]
        pieces.setdefault((index, key), []).append(string_in(delta.get(key)))
    elif kind == "citations_delta":
        held = blocks[index].get("citations")
        blocks[index]["citations"] = [*(held if isinstance(held, list) else []), delta.get("citation")]
