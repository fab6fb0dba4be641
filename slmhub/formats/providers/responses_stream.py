"""Folds the typed events of a streamed response; one that breaks off keeps what had come."""

from __future__ import annotations

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
        kind, index, delta = string_in(event.get("type")), event.get("output_index", 0), event.get("delta")
        if not isinstance(index, int):
            return
        if kind in ("response.output_item.added", "response.output_item.done"):
            self.items[index] = dict(object_in(event.get("item")))
            if kind.endswith("done"):
                self.done.add(index)
            return
        # A finished item holds its text already.
        if index not in self.items or index in self.done or not isinstance(delta, str):
            return
        item = self.items[index]
        if kind in _ARGUMENTS:
            key = _ARGUMENTS[kind]
            self.texts.setdefault((index, key, 0), (item, key, []))[2].append(delta)
        elif kind in _TEXTS:
            place, part_type, key = _TEXTS[kind]
            given = event.get("content_index", event.get("summary_index", 0))
            at = given if isinstance(given, int) else 0
            if (index, place, at) not in self.texts:
                held = item.get(place)
                part: Json = {"type": part_type, key: ""}
                item[place] = [*(held if isinstance(held, list) else []), part]
                self.texts[index, place, at] = (part, key, [])
            self.texts[index, place, at][2].append(delta)

    def output(self) -> list[Json]:
        for (index, _, _), (holder, key, pieces) in self.texts.items():
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
            error = event.get("error")
            if not isinstance(error, dict):
                error = {"message": event.get("message"), "code": event.get("code")}
            whole = {**whole, "status": "failed", "error": error}
        else:
            unfinished.take(event)
    if over and whole.get("output"):
        return whole
    return {**whole, "output": unfinished.output() or whole.get("output") or []}
