"""What the providers' servers really answered, compared with numbers and names taken from the raw text."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slmhub.formats import MalformedError, Record, SpanKind
from slmhub.formats.exchanges import openai_chat, pairs

WIRE = Path(__file__).parents[4] / "shared/data/wire"
FILES = sorted([*WIRE.glob("samples_by_format/*.jsonl"), *WIRE.glob("vcr_*.jsonl.gz")])
pytestmark = pytest.mark.skipif(not FILES, reason="the captures of ../shared/data are not here")

INPUT_COUNTS = ("prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount", "prompt_eval_count")
ENDS = {
    "openai_chat": openai_chat.NAME,
    "openai_completions": "openai_completions",
    "openai_responses": "openai_responses",
    "anthropic_messages": "anthropic_messages",
    "gemini_generate_content": "gemini",
    "bedrock_converse": "bedrock_converse",
    "bedrock_invoke": "bedrock_invoke",
    "ollama_chat": "ollama",
}
Row = dict[str, Any]


def rows_of(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            yield json.loads(line)


def read(row: Row) -> Record:
    (record,) = pairs.records(row)
    assert isinstance(record, Record)
    return record


def raw(body: Any) -> str:
    """The body with all its text, streamed pieces of JSON unescaped."""
    return body if isinstance(body, str) else json.dumps(body)


def last_count(body: Any, keys: tuple[str, ...]) -> int | None:
    """The last number under one of the keys, taken with a pattern from the raw text."""
    found = re.findall(rf'"(?:{"|".join(keys)})": ?(\d+)', raw(body))
    return int(found[-1]) if found else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_every_capture_is_a_visible_call(path: Path) -> None:
    for row in rows_of(path):
        record = read(row)
        assert record.kind is SpanKind.LLM
        assert record.model
        assert record.provider
        assert record.messages or record.output or record.error
        assert bool(record.error) == (row["response"]["status"] >= 400)
        assert record.attributes["http_status"] == row["response"]["status"]
        assert "authorization" not in json.dumps(record.attributes).lower()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_every_answer_has_an_output(path: Path) -> None:
    missing = [row for row in rows_of(path) if not read(row).output and row["response"]["status"] < 400]
    assert all(row["response"]["body"] == "" for row in missing)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_the_format_is_that_of_the_files_name(path: Path) -> None:
    expected = next((name for start, name in ENDS.items() if path.name.startswith(start)), None)
    for row in rows_of(path):
        assert expected in (None, read(row).format)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_the_input_tokens_are_those_of_the_raw_text(path: Path) -> None:
    for row in rows_of(path):
        body = row["response"]["body"]
        expected = last_count(body, INPUT_COUNTS)
        if expected is None:
            continue
        beside = ("cache_read_input_tokens", "cache_creation_input_tokens", "toolUsePromptTokenCount")
        extra = sum(last_count(body, (key,)) or 0 for key in beside)
        assert read(row).usage.input == expected + extra


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_the_total_of_the_raw_text_is_input_and_output(path: Path) -> None:
    for row in rows_of(path):
        expected = last_count(row["response"]["body"], ("total_tokens", "totalTokens", "totalTokenCount"))
        usage = read(row).usage
        if expected is not None and usage.input is not None and usage.output is not None:
            assert usage.input + usage.output == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_the_tools_called_are_those_named_in_the_raw_text(path: Path) -> None:
    for row in rows_of(path):
        record = read(row)
        called = Counter(
            call["function"]["name"]
            for call in (record.output or {}).get("tool_calls", [])
            if "function" in call
        )
        assert called == Counter(names_called(row["response"]["body"]))


def names_called(body: Any) -> list[str]:
    """The names of the calls in an answer, by each provider's spelling."""
    text = raw(body)
    patterns = (
        r'"function": ?\{(?:"index": ?\d+, ?|"arguments": ?"(?:[^"\\]|\\.)*", ?)?"name": ?"([^"]+)"',
        r'"functionCall": ?\{\s*"name": ?"([^"]+)"',
        r'"toolUse": ?\{[^{}]*(?:\{[^{}]*\}[^{}]*)?"name": ?"([^"]+)"',
        r'"type": ?"tool_use", ?"id": ?"[^"]+", ?"name": ?"([^"]+)"',
    )
    found = [name for pattern in patterns for name in re.findall(pattern, text)]
    return found or responses_calls(body)


def responses_calls(body: Any) -> list[str]:
    if isinstance(body, str):
        done = [
            json.loads(line[5:])
            for line in body.splitlines()
            if line.startswith("data:") and "[DONE]" not in line
        ]
        ended = [event for event in done if event.get("type") == "response.completed"]
        body = ended[-1]["response"] if ended else {}
    output = body.get("output") if isinstance(body, dict) else None
    items = output if isinstance(output, list) else []
    return [item["name"] for item in items if item.get("type") == "function_call"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_every_tool_of_the_request_is_a_tool_of_the_call(path: Path) -> None:
    for row in rows_of(path):
        body = row["request"]["body"]
        if not isinstance(body, dict):
            continue
        given = [*(body.get("tools") or []), *(body.get("functions") or []), *tool_specs(body)]
        declared = [one for tool in given for one in tool.get("functionDeclarations", [tool])]
        assert len(read(row).tools) == len(declared)


def tool_specs(body: Row) -> list[Row]:
    return list((body.get("toolConfig") or {}).get("tools") or [])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_the_text_of_an_answer_stands_in_the_raw_text(path: Path) -> None:
    for row in rows_of(path):
        body, output = row["response"]["body"], read(row).output
        if isinstance(body, dict) and output and isinstance(output["content"], str):
            assert json.dumps(output["content"]) in json.dumps(body)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.split(".")[0])
def test_a_message_that_was_sent_is_a_message_of_the_call(path: Path) -> None:
    for row in rows_of(path):
        body = row["request"]["body"]
        if not isinstance(body, dict) or not isinstance(body.get("messages") or body.get("contents"), list):
            continue
        results = json.dumps(body).count('"tool_result"') + json.dumps(body).count('"toolResult"')
        sent = len(body.get("messages") or body["contents"])
        system = 1 if any(body.get(key) for key in ("system", "systemInstruction")) else 0
        count = len(read(row).messages)
        assert (
            sent + system <= count <= sent + system + results + json.dumps(body).count('"functionResponse"')
        )


def test_a_row_without_the_http_around_it_is_the_same_call() -> None:
    for path in FILES:
        for row in rows_of(path):
            whole = read(row)
            bare = {"request": row["request"]["body"], "response": row["response"]["body"]}
            try:
                found = openai_chat.parse(bare) if openai_chat.matches(bare) else read(bare)
            except MalformedError:
                assert not bare["response"]
                continue
            if whole.error or not whole.messages or whole.format == "bedrock_invoke":
                continue
            assert (found.messages, found.output, found.usage) == (whole.messages, whole.output, whole.usage)
