"""The gateway on a real server, in front of the demo's teacher and a stand-in of the specialist server."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import httpx
import pytest
from aiohttp import web
from openai import APIStatusError, AuthenticationError, PermissionDeniedError

from apps.accounts.refreshing import STALENESS_S
from apps.accounts.rights import Scope
from apps.team.services import create_agent, create_api_key, revoke_api_key
from apps.traces.models import Source, Status
from tests.gateway.desk import ASK, Desk
from tests.gateway.specialists import LOOKUP, Upstream, completion
from tests.profile import free_port
from tests.servers import eventually
from tests.world import World

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.slow,
    pytest.mark.production,
]


def content(answer: httpx.Response) -> Any:
    return answer.json()["choices"][0]["message"]


# ---- who may call


def test_the_openai_package_gets_the_teachers_answer(desk: Desk, teacher: str) -> None:
    desk.teacher(teacher)
    direct = httpx.post(f"{teacher}/chat/completions", json={**ASK, "model": "big"}).json()

    answer = desk.openai().chat.completions.with_raw_response.create(**ASK)
    assert answer.parse().choices[0].message.content == direct["choices"][0]["message"]["content"]
    assert answer.headers["x-slmhub-served-by"] == "teacher"
    assert answer.headers["x-slmhub-simulated"] == "true"


def test_the_openai_package_streams_the_teachers_answer(desk: Desk, teacher: str) -> None:
    desk.teacher(teacher)
    whole = desk.openai().chat.completions.create(**ASK).choices[0].message.content
    stream = desk.openai().chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)

    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert chunks[-1].usage is not None
    spans = desk.recorded()
    assert [span.output_preview for span in spans] == [whole, whole]
    assert [span.output_tokens for span in spans] == [chunks[-1].usage.completion_tokens] * 2


@pytest.mark.parametrize("secret", ["x", "hub_unknown", "x" * 5000])
def test_an_unknown_key_gets_401(desk: Desk, secret: str) -> None:
    answer = desk.ask(secret=secret)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


def test_a_revoked_key_is_refused_within_a_second(desk: Desk, teacher: str) -> None:
    desk.teacher(teacher)
    assert desk.ask().status_code == 200

    revoke_api_key(key=desk.key, actor=desk.world.admin)
    revoked_at = time.monotonic()
    eventually(lambda: desk.ask().status_code == 401, within=5, every=0.02)
    assert time.monotonic() - revoked_at < STALENESS_S
    with pytest.raises(AuthenticationError):
        desk.openai().chat.completions.create(**ASK)


def test_a_key_is_good_from_its_first_moment_on(desk: Desk, teacher: str) -> None:
    desk.teacher(teacher)
    for _ in range(5):
        options = {"agent": desk.world.agent, "scopes": [Scope.INFER], "actor": desk.world.admin}
        secret = create_api_key(workspace=desk.world.workspace, name="new", **options)[1]
        assert desk.ask(secret=secret).status_code == 200


def test_a_key_without_the_scope_gets_403(world: World, address: str) -> None:
    desk = Desk.build(world, address, scopes=[Scope.INGEST])
    eventually(lambda: desk.ask().status_code != 401, within=3)

    with pytest.raises(PermissionDeniedError, match="infer"):
        desk.openai().chat.completions.create(**ASK)


def test_a_workspaces_key_says_which_agent_calls(world: World, address: str, teacher: str) -> None:
    other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
    desk = Desk.build(world, address, agent=None)
    desk.teacher(teacher)

    assert desk.ask().status_code == 400
    assert desk.ask(**{"x-slmhub-agent": "nobody"}).status_code == 404
    assert desk.ask(**{"x-slmhub-agent": other.slug}).status_code == 503
    assert desk.ask(**{"x-slmhub-agent": world.agent.slug}).status_code == 200
    assert [span.agent for span in desk.recorded()] == [world.agent]


def test_a_key_of_an_agent_speaks_for_that_agent_only(world: World, desk: Desk, teacher: str) -> None:
    other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
    desk.teacher(teacher)

    assert desk.ask(**{"x-slmhub-agent": other.slug}).status_code == 403
    assert desk.ask(**{"x-slmhub-agent": world.agent.slug}).status_code == 200
    assert [span.agent for span in desk.recorded()] == [world.agent]


def test_an_agent_of_another_workspace_cannot_be_named(world: World, address: str) -> None:
    theirs = create_agent(workspace=world.elsewhere, name="Theirs", actor=world.stranger)
    create_agent(workspace=world.workspace, name="Second", actor=world.admin)
    desk = Desk.build(world, address, agent=None)

    assert desk.ask(**{"x-slmhub-agent": theirs.slug}).status_code == 404


# ---- the specialist


def test_after_the_approval_the_specialist_answers_and_after_the_roll_back_the_teacher(
    desk: Desk, teacher: str, specialists: Upstream
) -> None:
    desk.teacher(teacher)
    rollout = desk.route()

    answer = desk.openai().chat.completions.with_raw_response.create(**ASK)
    call = answer.parse().choices[0].message.tool_calls[0]  # type: ignore[index]
    assert answer.headers["x-slmhub-served-by"] == rollout.specialist.served_name
    assert (call.function.name, call.function.arguments) == ("lookup", '{"order": "A-1"}')
    assert specialists.asked[0]["model"] == rollout.specialist.served_name
    assert specialists.asked[0]["messages"] == ASK["messages"]

    desk.roll_back(rollout)
    assert desk.ask().headers["x-slmhub-served-by"] == "teacher"


def test_the_specialists_answer_can_be_streamed(desk: Desk, teacher: str, specialists: Upstream) -> None:
    desk.teacher(teacher)
    rollout = desk.route()

    stream = desk.openai().chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
    assert stream.response.headers["x-slmhub-served-by"] == rollout.specialist.served_name
    chunks = list(stream)
    (call,) = [part for chunk in chunks for choice in chunk.choices for part in choice.delta.tool_calls or []]
    assert call.function is not None
    assert (call.index, call.function.name) == (0, "lookup")
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 10
    assert specialists.asked[0]["stream"] is False


def test_other_calls_still_go_to_the_teacher(desk: Desk, teacher: str, specialists: Upstream) -> None:
    desk.teacher(teacher)
    desk.route()
    other = {**ASK, "messages": [{"role": "system", "content": "Greet."}, {"role": "user", "content": "Hi"}]}

    assert desk.ask(other).headers["x-slmhub-served-by"] == "teacher"
    assert desk.ask({**ASK, "n": 2}).headers["x-slmhub-served-by"] == "teacher"
    assert specialists.asked == []


DOUBTS = [
    ({"error": {"message": "no such model"}}, 404, "specialist answered 404"),
    (b"<html>", 200, "specialist unreachable: JSONDecodeError"),
    ([], 200, "malformed answer"),
    ({"choices": []}, 200, "malformed answer"),
    (completion(LOOKUP) | {"slmhub": None}, 200, "malformed answer"),
    (completion(LOOKUP, confidence="high"), 200, "malformed answer"),
    (completion(None), 200, "malformed answer"),
    (completion("text"), 200, "malformed answer"),
    (completion({"role": "assistant", "tool_calls": ["x"]}), 200, "malformed answer"),
    (completion(LOOKUP, confidence=0.41), 200, "confidence 0.41 below 0.50"),
    (
        completion({"role": "assistant", "content": "I cannot."}),
        200,
        "answer is of another kind than the task's",
    ),
]


@pytest.mark.parametrize(("said", "status", "reason"), DOUBTS)
def test_in_doubt_the_teacher_answers(
    desk: Desk, teacher: str, specialists: Upstream, said: Any, status: int, reason: str
) -> None:
    desk.teacher(teacher)
    desk.route()
    specialists.says(said, status=status)

    for stream in (False, True):
        answer = desk.ask({**ASK, "stream": stream})
        assert answer.status_code == 200
        assert answer.headers["x-slmhub-served-by"] == "teacher"
        assert answer.headers["x-slmhub-fallback"] == reason
    spans = desk.recorded()
    assert [span.fallback for span in spans] == [reason, reason]
    assert {span.served_by for span in spans} == {"teacher"}


def test_a_specialist_server_that_is_down_is_noticed_at_once(
    desk: Desk, teacher: str, specialists: Upstream
) -> None:
    desk.teacher(teacher)
    desk.route()
    specialists.stop()

    started = time.monotonic()
    answer = desk.ask()
    assert time.monotonic() - started < 2
    assert answer.headers["x-slmhub-fallback"].startswith("specialist unreachable")
    specialists.start()
    eventually(lambda: "x-slmhub-fallback" not in desk.ask().headers, within=3)


# ---- the teacher


def test_the_teacher_gets_its_own_key_and_model(desk: Desk, upstream: Upstream) -> None:
    desk.teacher(f"{upstream.url}/v1", model="their-model", key="sk-theirs")
    answer = desk.ask()

    assert content(answer) == LOOKUP
    assert upstream.asked[0]["model"] == "their-model"
    assert upstream.headers[0]["Authorization"] == "Bearer sk-theirs"
    assert desk.secret not in str(upstream.headers)


def test_what_the_teacher_refuses_is_passed_on(desk: Desk, upstream: Upstream) -> None:
    desk.teacher(f"{upstream.url}/v1")
    upstream.says({"error": {"message": "slow down", "type": "rate_limit"}}, status=429)

    with pytest.raises(APIStatusError, match="slow down") as refused:
        desk.openai().chat.completions.create(**ASK)
    assert refused.value.status_code == 429
    (span,) = desk.recorded()
    assert span.status == Status.ERROR


@pytest.mark.parametrize("said", [b"<html>oh</html>", b"[1, 2]", b""])
def test_an_answer_that_is_none_is_502(desk: Desk, upstream: Upstream, said: bytes) -> None:
    desk.teacher(f"{upstream.url}/v1")
    upstream.says(said)

    answer = desk.ask()
    assert answer.status_code == 502
    assert answer.json()["error"]["message"]


def test_a_teacher_that_compresses_is_understood(desk: Desk, upstream: Upstream) -> None:
    desk.teacher(f"{upstream.url}/v1")

    async def respond(request: web.Request) -> web.StreamResponse:
        body = gzip.compress(json.dumps(completion(LOOKUP)).encode())
        return web.Response(
            body=body, headers={"content-encoding": "gzip", "content-type": "application/json"}
        )

    upstream.respond = respond
    assert content(desk.ask()) == LOOKUP


def test_a_teacher_that_is_down_is_502(desk: Desk) -> None:
    desk.teacher(f"http://127.0.0.1:{free_port()}/v1")

    answer = desk.ask()
    assert answer.status_code == 502
    assert answer.json()["error"]["type"] == "upstream_error"


def test_a_teacher_that_goes_in_the_middle_of_its_answer_is_502(desk: Desk, upstream: Upstream) -> None:
    desk.teacher(f"{upstream.url}/v1")

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json", "content-length": "1000"})
        await response.prepare(request)
        await response.write(b'{"choices": [')
        assert request.transport is not None
        request.transport.close()
        return response

    upstream.respond = respond
    assert desk.ask().status_code == 502


def test_a_stream_that_breaks_off_ends_without_done_and_is_recorded(desk: Desk, upstream: Upstream) -> None:
    desk.teacher(f"{upstream.url}/v1")

    async def respond(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(
            b'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "Half"}}]}\n\n'
        )
        assert request.transport is not None
        request.transport.close()
        return response

    upstream.respond = respond
    answer = desk.ask({**ASK, "stream": True})
    assert "Half" in answer.text
    assert "[DONE]" not in answer.text
    (span,) = desk.recorded()
    assert (span.status, span.output_preview) == (Status.ERROR, "Half")
    assert "broke off" in span.error


def test_without_a_teacher_it_is_503(desk: Desk) -> None:
    answer = desk.ask()

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "no_teacher"


# ---- bad input


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "messages"),
        (b'{"messages": "hi"}', "messages"),
        (b'{"messages": ["hi"]}', "messages"),
        (b'{"messages": [], "tools": {"a": 1}}', "tools"),
        (b'{"messages": [], "tools": ["x"]}', "tools"),
        (b'{"messages": [], "stream_options": "x"}', "stream_options"),
    ],
)
def test_a_body_that_is_no_request_gets_400(desk: Desk, teacher: str, body: bytes, said: str) -> None:
    answer = desk.ask(body)

    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


ODD = [
    {"messages": []},
    {"messages": [{}]},
    {"messages": [{"role": 5, "content": {"a": 1}}]},
    {"messages": [{"role": "tool", "tool_call_id": "x"}], "tools": [{}]},
    {
        "messages": [
            {"role": "assistant", "tool_calls": 5},
            {"role": "tool", "tool_call_id": "x", "content": 1},
        ]
    },
    {"messages": [{"role": "assistant", "tool_calls": ["x"]}, {"role": "tool", "tool_call_id": "x"}]},
    {"messages": [{"role": "system", "content": [1, None, {"text": 5}]}], "tools": [{"function": "x"}]},
    {"messages": [{"role": "user", "content": "x\u0000y"}], "metadata": [1], "n": "many"},
]


@pytest.mark.parametrize("body", ODD)
def test_odd_messages_are_the_teachers_business(desk: Desk, upstream: Upstream, body: dict[str, Any]) -> None:
    desk.teacher(f"{upstream.url}/v1")

    assert desk.ask(body).status_code == 200
    desk.recorded()


def test_a_body_that_is_too_large_gets_413_and_the_caller_can_read_it(desk: Desk, upstream: Upstream) -> None:
    desk.teacher(f"{upstream.url}/v1")
    large = {"messages": [{"role": "user", "content": "x" * 17 * 1024**2}]}

    answer = desk.ask(large)
    assert answer.status_code == 413
    assert "16 MiB" in answer.json()["error"]["message"]
    assert desk.ask().status_code == 200


def test_a_path_that_is_not_there_gets_404_in_the_same_shape(desk: Desk) -> None:
    answer = httpx.post(
        f"http://{desk.address}/v1/embeddings", headers={"authorization": f"Bearer {desk.secret}"}, json={}
    )

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_it_lists_who_may_answer(desk: Desk, teacher: str, specialists: Upstream) -> None:
    desk.teacher(teacher, model="big")
    rollout = desk.route()

    models = {model.id: model.owned_by for model in desk.openai().models.list()}
    assert models == {"big": "teacher", rollout.specialist.served_name: "specialist"}


# ---- the record


def test_every_call_is_recorded_with_who_answered(desk: Desk, teacher: str, specialists: Upstream) -> None:
    desk.teacher(teacher)
    rollout = desk.route()
    desk.ask(**{"x-slmhub-session": "visit-1"})
    specialists.says(completion(LOOKUP, confidence=0.1))
    desk.ask({**ASK, "metadata": {"session_id": "visit-2"}})
    first, second = desk.recorded()

    assert (first.source, first.agent, first.action) == (Source.GATEWAY, desk.world.agent, "tool:lookup")
    assert (first.served_by, first.simulated) == (rollout.specialist.served_name, False)
    assert (second.served_by, second.simulated) == ("teacher", True)
    assert (first.fallback, second.fallback) == ("", "confidence 0.10 below 0.50")
    assert [span.session.external_id for span in (first, second)] == ["visit-1", "visit-2"]  # type: ignore[union-attr]
    assert first.latency_ms is not None
    assert first.latency_ms > 0
    assert first.routing_key in rollout.evidence.routing.keys


def test_a_recorded_call_is_redacted_like_any_other(desk: Desk, upstream: Upstream) -> None:
    desk.teacher(f"{upstream.url}/v1")
    messages = [{"role": "user", "content": "I am jane.doe@example.org, help me"}]
    desk.ask({"messages": messages})
    (span,) = desk.recorded()

    assert "jane.doe" not in span.input_preview
    assert upstream.asked[0]["messages"] == messages


def test_what_is_recorded_shows_on_the_gateways_page(desk: Desk, teacher: str, specialists: Upstream) -> None:
    desk.teacher(teacher)
    rollout = desk.route()
    desk.ask()
    specialists.says(completion(LOOKUP, confidence=0.1))
    desk.ask()
    desk.recorded()

    page = desk.world.client(desk.world.viewer).get(desk.world.url("gateway:overview")).content.decode()
    assert rollout.specialist.served_name in page
    assert "confidence 0.10 below 0.50" in page
