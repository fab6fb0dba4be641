"""Folds the events of Converse's stream into the response that they add up to."""

from __future__ import annotations

from slmhub.formats.fields import Json, json_in, object_in

_KINDS = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)


def is_event(event: Json) -> bool:
    return not _KINDS.isdisjoint(event) and not isinstance(event.get("type"), str)


def fold_events(events: list[Json]) -> Json:
    whole: Json = {}
    blocks: dict[int, Json] = {}
    pieces: dict[tuple[int, str], list[str]] = {}
    for event in events:
        for kind, said in event.items():
            if kind in ("contentBlockStart", "contentBlockDelta"):
                _take(object_in(said), blocks, pieces)
            elif kind in ("messageStop", "metadata"):
                whole |= object_in(said)
            elif kind.endswith("Exception"):
                whole["error"] = said
    content: list[Json] = []
    for index in sorted(blocks):
        texts = {kind: "".join(text) for (at, kind), text in pieces.items() if at == index}
        if "toolUse" in blocks[index]:
            # The object that the unstreamed answer holds; a cut one stays text.
            written = texts.get("input", "")
            arguments = json_in(written)
            use = {**blocks[index]["toolUse"], "input": written if arguments is None else arguments}
            content.append({"toolUse": use})
        elif "reasoning" in texts:
            thought = {"text": texts["reasoning"]}
            if texts.get("signature"):
                thought["signature"] = texts["signature"]
            content.append({"reasoningContent": {"reasoningText": thought}})
        else:
            content.append({"text": texts.get("text", "")})
    return {**whole, "output": {"message": {"role": "assistant", "content": content}}}


def _take(said: Json, blocks: dict[int, Json], pieces: dict[tuple[int, str], list[str]]) -> None:
    index = said.get("contentBlockIndex", 0)
    if not isinstance(index, int):
        return
    held = blocks.setdefault(index, {})
    start, delta = object_in(said.get("start")), object_in(said.get("delta"))
    if isinstance(start.get("toolUse"), dict):
        held["toolUse"] = dict(start["toolUse"])
    thought = object_in(delta.get("reasoningContent"))
    for kind, text in (
        ("text", delta.get("text")),
        ("input", object_in(delta.get("toolUse")).get("input")),
        ("reasoning", thought.get("text")),
        ("signature", thought.get("signature")),
    ):
        if isinstance(text, str):
            pieces.setdefault((index, kind), []).append(text)
