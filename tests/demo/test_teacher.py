from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from slmhub.demo.fresh import fresh_requests
from slmhub.demo.messages import same_answer
from slmhub.demo.teacher import make_app


@pytest_asyncio.fixture
async def teacher() -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(make_app(error_rate=0.01, latency=0))) as client:
        yield client


async def streamed(teacher: TestClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    response = await teacher.post("/v1/chat/completions", json=body | {"stream": True})
    assert response.content_type == "text/event-stream"
    events = [e.removeprefix("data: ") for e in (await response.text()).split("\n\n") if e]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


def joined(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    content = "".join(delta.get("content") or "" for delta in deltas)
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    if not calls:
        return {"content": content}
    arguments = "".join(call["function"]["arguments"] for call in calls)
    return {
        "content": None,
        "tool_calls": [{"function": {"name": calls[0]["function"]["name"], "arguments": arguments}}],
    }


async def test_it_answers_fresh_requests_right(teacher: TestClient) -> None:
    right = 0
    for fresh in fresh_requests(seed=23, n=200):
        response = await teacher.post("/v1/chat/completions", json=fresh.request)
        body = await response.json()
        right += same_answer(fresh.expected, body["choices"][0]["message"])
        assert body["system_fingerprint"] == "simulated-teacher"
        assert response.headers["x-slmhub-simulated"] == "true"
    assert right >= 196


async def test_it_streams_the_same_answer(teacher: TestClient) -> None:
    for fresh in fresh_requests(seed=24, n=14):
        whole = await (await teacher.post("/v1/chat/completions", json=fresh.request)).json()
        chunks = await streamed(teacher, fresh.request)
        assert same_answer(whole["choices"][0]["message"], joined(chunks))
        assert chunks[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]


async def test_it_streams_usage_when_asked(teacher: TestClient) -> None:
    (fresh,) = fresh_requests(seed=25, n=1)
    chunks = await streamed(teacher, fresh.request | {"stream_options": {"include_usage": True}})
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] > 0


async def test_it_streams_under_the_label_of_a_simulation(teacher: TestClient) -> None:
    (fresh,) = fresh_requests(seed=26, n=1)
    response = await teacher.post("/v1/chat/completions", json=fresh.request | {"stream": True})
    assert response.headers["x-slmhub-simulated"] == "true"


async def test_it_lists_its_model_and_its_health(teacher: TestClient) -> None:
    models = await (await teacher.get("/v1/models")).json()
    assert [model["id"] for model in models["data"]] == ["gpt-large-sim"]
    assert (await (await teacher.get("/healthz")).json())["simulated"] is True


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b"{}", b'{"messages": []}', b'{"messages": ["hi"]}', b"[" * 100_000, b"\xff\x00",
        b'{"messages": [{"role": "user"}], "stream_options": 1}',
    ],
    ids=lambda body: body[:24],
)  # fmt: skip
async def test_it_refuses_what_is_not_a_chat_request(teacher: TestClient, body: bytes) -> None:
    response = await teacher.post("/v1/chat/completions", data=body)
    assert response.status == 400
    assert (await response.json())["error"]["message"]


async def test_it_survives_strange_messages(teacher: TestClient) -> None:
    (fresh,) = fresh_requests(seed=27, n=1)
    system = fresh.request["messages"][0]
    for odd in ({"role": "user", "content": None}, {"role": "tool", "content": "[[1]]"}, {"content": 5}):
        response = await teacher.post("/v1/chat/completions", json={"messages": [system, odd]})
        assert response.status == 200
