"""Whatever the JSON or the bytes: records and rejects, and no exception but the declared one."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slmhub.formats import FORMATS, Limits, MalformedError, Record, Reject, peek, read
from slmhub.formats.mapped import Mapping, apply, fingerprint, paths_of, suggest
from slmhub.formats.registry import claiming
from tests.formats.test_benchmark_runs import SWE, TAU2
from tests.formats.test_sharegpt import ROW as SHAREGPT
from tests.formats.worlds import LOOKUP, chat_row

USER = {"role": "user", "content": "Hi"}
SAID: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [LOOKUP]}
CHAT = chat_row()
SPAN = {
    "traceId": "0af7651916cd43dd8448eb211c80319c",
    "spanId": "b7ad6b7169203331",
    "parentSpanId": "",
    "name": "chat gpt-4o",
    "kind": 3,
    "startTimeUnixNano": "1731920593000000000",
    "endTimeUnixNano": "1731920594000000000",
    "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
        {
            "key": "gen_ai.input.messages",
            "value": {"stringValue": '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]'},
        },
        {"key": "llm.input_messages.0.message.role", "value": {"stringValue": "user"}},
        {"key": "ai.prompt", "value": {"stringValue": '{"messages":[]}'}},
    ],
    "events": [{"name": "gen_ai.user.message", "timeUnixNano": "1731920593000000000", "attributes": []}],
    "status": {"code": 1},
}
OTLP = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": [SPAN]}]}]}
RUN = {
    "id": "8f2f5f0e-0000-4000-8000-000000000001",
    "trace_id": "8f2f5f0e-0000-4000-8000-000000000001",
    "run_type": "llm",
    "name": "ChatOpenAI",
    "start_time": "2025-01-01T00:00:00Z",
    "end_time": "2025-01-01T00:00:01Z",
    "inputs": {"messages": [[{"lc": 1, "id": ["HumanMessage"], "kwargs": {"content": "Hi"}}]]},
    "outputs": {"generations": [[{"message": {"kwargs": {"content": "Yo", "tool_calls": []}}}]]},
    "extra": {"metadata": {"ls_provider": "openai", "thread_id": "t"}, "invocation_params": {"tools": []}},
}
OBSERVATION = {
    "id": "o1",
    "traceId": "t1",
    "type": "GENERATION",
    "name": "chat",
    "startTime": "2025-01-01T00:00:00Z",
    "input": '[{"role": "user", "content": "Hi"}]',
    "output": {"role": "assistant", "content": "Yo"},
    "usage": {"input": 3, "output": 1},
    "metadata": '{"a": 1}',
}
# One row as it really comes, for every registered format.
ROWS: dict[str, Any] = {
    "captures": {"path": "/v1/traces", "headers": {}, "otlp_json": OTLP},
    "otlp_json": OTLP,
    "langfuse_ingestion": {
        "batch": [
            {"id": "e", "type": "generation-create", "timestamp": "2025-01-01T00:00:00Z", "body": OBSERVATION}
        ]
    },
    "langfuse_export": {"trace": {"id": "t1", "sessionId": "s"}, "observations": [OBSERVATION]},
    "langsmith_runs": {"post": [RUN], "patch": [{**RUN, "outputs": {}}]},
    "vercel_spans": {
        "name": "ai.generateText.doGenerate",
        "spanContext": {"traceId": SPAN["traceId"], "spanId": SPAN["spanId"], "traceFlags": 1},
        "attributes": {"ai.operationId": "ai.generateText.doGenerate", "ai.prompt.messages": "[]"},
        "startTime": [1731920593, 0],
        "endTime": [1731920594, 0],
    },
    "openai_batch": {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": CHAT["request"],
        "response": {"status_code": 200, "body": CHAT["response"]},
    },
    "openai_chat": CHAT,
    "pairs": {
        "request": {"uri": "/v1/messages", "body": {"model": "c", "max_tokens": 5, "messages": [USER]}},
        "response": {"body": {"type": "message", "role": "assistant", "content": [{"type": "text"}]}},
    },
    "stored_completions": {**CHAT["response"], "object": "chat.completion", "messages": [USER]},
    "tau2": TAU2,
    "tau_bench": {"task_id": 1, "reward": 1.0, "info": {}, "traj": [USER, SAID], "trial": 0},
    "swe_agent": SWE,
    "toolbench": {
        "win": True,
        "tree": {},
        "answer_generation": {"function": [{"name": "f"}], "train_messages": [[USER, SAID]], "query": "q"},
    },
    "openai_dpo": {"input": {"messages": [USER]}, "preferred_output": [SAID], "non_preferred_output": [SAID]},
    "openai_finetune": {"messages": [USER, SAID], "tools": [], "parallel_tool_calls": False},
    "sharegpt": SHAREGPT,
    "alpaca": {"instruction": "Add.", "input": "2, 2", "output": "4", "history": [["a", "b"]]},
    "prompt_completion": {"prompt": [USER], "completion": [SAID], "system": "S"},
}  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(
        ["user", "assistant", "{}", "[", "2024-01-01", "1e400", "-1", 10**18, 1e300, "text", "\x00"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        yield from paths(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with `new` at the path; the value itself where the path no longer leads anywhere."""
    if not path:
        return new
    key = path[0]
    if isinstance(value, dict) and key in value:
        return {**value, key: replaced(value[key], path[1:], new)}
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return [*value[:key], replaced(value[key], path[1:], new), *value[key + 1 :]]
    return value


def test_it_has_a_row_for_every_format_that_only_this_format_claims() -> None:
    assert set(ROWS) == {known.name for known in FORMATS}
    assert {name: claimed.name for name, row in ROWS.items() if (claimed := claiming(row))} == {
        name: name for name in ROWS
    }


@pytest.mark.parametrize("name", ROWS)
def test_it_reads_the_row_itself(name: str) -> None:
    items = list(read(io.BytesIO(json.dumps(ROWS[name]).encode())))
    assert items
    assert all(isinstance(item, Record) for item in items)


@pytest.mark.parametrize("name", ROWS)
@settings(
    max_examples=60,
    deadline=timedelta(seconds=2),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_no_format_raises_on_any_json_in_any_place(name: str, data: st.DataObject) -> None:
    row = ROWS[name]
    places = list(paths(row))
    for _ in range(data.draw(st.integers(1, 3))):
        row = replaced(row, data.draw(st.sampled_from(places)), data.draw(JSON))
    line = json.dumps(row).encode()
    for asked in ("auto", name):
        items = list(read(io.BytesIO(line), asked))
        assert all(isinstance(item, Record | Reject) for item in items)


@settings(max_examples=150, deadline=timedelta(seconds=2))
@given(st.data())
def test_a_mapping_raises_nothing_else_on_any_row(data: st.DataObject) -> None:
    row = replaced(CHAT, data.draw(st.sampled_from(list(paths(CHAT)))), data.draw(JSON))
    drawn = st.sampled_from(
        [path for path, _ in paths_of([CHAT])] + ["", "request.messages[*].content", "x[0]"]
    )
    mapping = data.draw(st.builds(Mapping, messages=drawn, prompt=drawn, output=drawn, tools=drawn, id=drawn))
    for asked in (mapping, suggest(row)):
        try:
            assert isinstance(apply(row, asked), Record)
        except MalformedError:
            continue
    assert len(fingerprint(row)) == 32


@settings(max_examples=400, deadline=timedelta(seconds=2))
@given(
    st.binary(max_size=600), st.sampled_from([bytes, gzip.compress, zstandard.compress]), st.integers(0, 600)
)
def test_no_bytes_raise(data: bytes, pack: Any, cut: int) -> None:
    stream = pack(data)[:cut]
    assert all(isinstance(item, Record | Reject) for item in read(io.BytesIO(stream)))
    peek(io.BytesIO(stream))


@settings(max_examples=400, deadline=timedelta(seconds=2))
@given(
    st.lists(st.sampled_from([*b'[]{},:"\\ \n0ab\x00\xff\xef\xbb\xbf', 0x0A, 0x12]), max_size=300).map(bytes),
    st.sampled_from(
        [b"", b"[", b"{", b'[{"a": 1},', b"\x0a\x02\x0a", b"\xff\xfe", b"PK\x03\x04", b"\x1f\x8b"]
    ),
    st.sampled_from([Limits(), Limits(line_bytes=20, document_bytes=40)]),
)
def test_no_text_that_resembles_json_raises(data: bytes, begin: bytes, limits: Limits) -> None:
    assert all(isinstance(item, Record | Reject) for item in read(io.BytesIO(begin + data), limits=limits))
    peek(io.BytesIO(begin + data), limits, most_bytes=100)
