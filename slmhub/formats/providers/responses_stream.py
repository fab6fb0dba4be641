"""Folds the typed events of a streamed response; one that breaks off keeps what had come."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import Json, object_in, string_in

_OVER = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_TEXTS = {
    "response.output_text.delta": ("content", "output_text", "text"),
    "response.refusal.delta": ("content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_text", "text"),
}
_ARGUMENTS = {
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
}


class _Unfinished:
    """The items that have begun, with the pieces of text that came for them."""

    def __init__(self) -> None:
        self.items: dict[int, Json] = {}
        self.done: set[int] = set()
        self.texts: dict[tuple[int, str, int], tuple[Json, str, list[str]]] = {}

    def take(self, event: Json) -> None:
        kind, index = string_in(event.get("type")), event.get("output_index", 0)
        if not isinstance(index, int):
            return
        if kind in ("response.output_item.added", "response.output_item.done"):
            self.items[index] = dict(object_in(event.get("item")))
            if kind.endswith("done"):
                self.done.add(index)
        elif index in self.items and index not in self.done and isinstance(event.get("delta"), str):
            self._add(kind, index, event)

    def _add(self, kind: str, index: int, event: Json) -> None:
        item = self.items[index]
        if kind in _ARGUMENTS:
            self._piece(index, _ARGUMENTS[kind], 0, item, event["delta"], _ARGUMENTS[kind])
        elif kind in _TEXTS:
            place, part_type, key = _TEXTS[kind]
            given = event.get("content_index", event.get("summary_index", 0))
            at = given if isinstance(given, int) else 0
            if (index, place, at) not in self.texts:
                held = item.get(place)
                part: Json = {"type": part_type, key: ""}
                item[place] = [*(held if isinstance(held, list) else []), part]
                self.texts[index, place, at] = (part, key, [])
            self.texts[index, place, at][2].append(event["delta"])

    def _piece(self, *where: Any) -> None:
        index, place, at, holder, delta, key = where
        self.texts.setdefault((index, place, at), (holder, key, []))[2].append(delta)

    def output(self) -> list[Json]:
        for index, (holder, key, pieces) in ((at[0], held) for at, held in self.texts.items()):
            if index not in self.done:
                holder[key] = "".join(pieces)
        return [self.items[index] for index in sorted(self.items)]


def fold_events(events: list[Json]) -> Json:
    """The response object that the events end with, or add up to."""
    whole: Json = {"object": "response"}
    unfinished, over = _Unfinished(), False
    for event in events:
        kind = string_in(event.get("type"))
        if isinstance(event.get("response"), dict):
            whole, over = event["response"], kind in _OVER
        elif kind == "error":
            whole = {**whole, "status": "failed", "error": _error(event)}
        else:
            unfinished.take(event)
    if over and whole.get("output"):
        return whole
    return {**whole, "output": unfinished.output() or whole.get("output") or []}


def _error(event: Json) -> Json:
    nested = event.get("error")
    return (
        nested if isinstance(nested, dict) else {"message": event.get("message"), "code": event.get("code")}
    )
