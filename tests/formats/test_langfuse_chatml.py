"""Langfuse's own normal form of its framework traces, compared with ours.

`docs/langfuse-chatml.md` lists the differences that remain; here they are computed and must be exactly those.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slmhub.formats.platforms.langfuse_export import matches, records
from slmhub.formats.records import Message, Record

ROOT = Path(__file__).parents[2]
TRACES = ROOT.parent / "shared/data/wire/langfuse_framework_traces"
EXPECTED = sorted(TRACES.glob("*.chatml.json"))
DOC = ROOT / "docs/langfuse-chatml.md"
needs_data = pytest.mark.skipif(not EXPECTED, reason="../shared/data is not here")

EQUAL = "equal"
UNREAD = "Langfuse reads nothing"
OBJECT = "no message in Langfuse's form"
INSTRUCTIONS = "the system prompt stands apart"
LAST = "the whole conversation as output"
TOOL = "a tool's input or result"
REASONING = "opaque reasoning kept"
WRAPPED = "choice not unwrapped"
UNEXPLAINED = "unexplained"


def ours_of(path: Path) -> dict[str, Record]:
    row = json.loads(path.with_name(path.name.replace(".chatml.", ".trace.")).read_text())
    assert matches(row)
    return {record.span_id: record for record in records(row) if isinstance(record, Record)}


def named_as_ours(given: dict[str, Any]) -> Message:
    """Langfuse's ChatML in our names: its calls are flat, and what it did not understand is under `json`."""
    message: Message = {"role": "assistant" if given.get("role") == "model" else given.get("role")}
    calls = given.get("tool_calls") or []
    content = given.get("content")
    message["content"] = None if content in (None, "") and calls else _text_of(content)
    if calls:
        message["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
            }
            for call in calls
        ]
    return message | {key: given[key] for key in ("name", "tool_call_id") if given.get(key)}


def _text_of(content: Any) -> Any:
    if isinstance(content, list) and len(content) == 1 and content[0].get("type") == "text":
        return content[0]["text"]
    return content


def difference(record: Record, side: str, theirs: dict[str, Any]) -> str:
    ours = record.messages if side == "input" else [record.output] if record.output else []
    if not theirs["success"]:
        return UNREAD
    said = theirs["data"]
    named = [named_as_ours(message) for message in said]
    if named == ours:
        return EQUAL
    if record.kind.value == "tool":
        return TOOL
    if side == "output":
        return _output_difference(record, said, named, ours)
    return _input_difference(said, named, ours)


def _output_difference(
    record: Record, said: list[dict[str, Any]], named: list[Message], ours: list[Message]
) -> str:
    if len(said) > 1 and named[-1:] == ours:
        return LAST
    if all("role" not in message for message in said):
        inner = said[0].get("json", {}).get("message")
        return WRAPPED if [inner] == ours else OBJECT
    parts = ours[0]["content"] if ours else None
    if isinstance(parts, list) and any("Reasoning" in str(part.get("type")) for part in parts):
        return REASONING
    return UNEXPLAINED


def _input_difference(said: list[dict[str, Any]], named: list[Message], ours: list[Message]) -> str:
    if ours and ours[0]["role"] == "system" and [_without_reasoning(m) for m in ours[1:]] == named:
        return INSTRUCTIONS
    return OBJECT if any("text" in message.get("json", {}) for message in said) else UNEXPLAINED


def _without_reasoning(message: Message) -> Message:
    parts = message["content"]
    if not isinstance(parts, list):
        return message
    plain = [part for part in parts if "Reasoning" not in str(part.get("type"))]
    return {**message, "content": _text_of(plain) or None}


def differences() -> dict[str, tuple[int, int]]:
    """How many sides differ, and in which traces, by the kind of difference."""
    found: dict[str, tuple[int, set[str]]] = {}
    for path in EXPECTED:
        ours = ours_of(path)
        for id, sides in json.loads(path.read_text()).items():
            for side in ("input", "output"):
                if sides.get(side):
                    kind = difference(ours[id], side, sides[side])
                    count, traces = found.get(kind, (0, set()))
                    found[kind] = (count + 1, traces | {path.name.partition(".")[0]})
    return {kind: (count, len(traces)) for kind, (count, traces) in found.items()}


def listed() -> dict[str, tuple[int, int]]:
    """The table of the document, counts only: `| difference | sides | traces | why |`."""
    rows = [line.strip("|\n ").split("|") for line in DOC.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return {row[0]: (int(row[1]), int(row[2])) for row in cells if row[1].isdigit()}


@needs_data
def test_what_differs_from_langfuses_normal_form_is_what_the_document_lists() -> None:
    assert differences() == listed()


@needs_data
def test_no_difference_is_unexplained() -> None:
    assert UNEXPLAINED not in differences()


@needs_data
@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: path.name.partition(".")[0])
def test_where_langfuse_reads_nothing_the_text_is_here(path: Path) -> None:
    ours = ours_of(path)
    trace = json.loads(path.with_name(path.name.replace(".chatml.", ".trace.")).read_text())
    raw = {observation["id"]: observation for observation in trace["observations"]}
    for id, sides in json.loads(path.read_text()).items():
        for side, read in (("input", ours[id].messages), ("output", ours[id].output)):
            if sides.get(side) and not sides[side]["success"] and raw[id][side] != "null":
                assert read
