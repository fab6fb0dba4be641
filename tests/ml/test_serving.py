from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer

from slmhub.ml.basemodel import load_model, load_tokenizer
from slmhub.ml.files import sha256_of_weights
from slmhub.ml.generation import FinishReason, Generation, generate
from slmhub.ml.prompt_formats.compact import Compact, parse_answer
from slmhub.ml.serving.app import build_app
from slmhub.ml.serving.catalogue import Catalogue, ServedModel
from slmhub.ml.serving.engine import Asked, Engine, Finished, Ticket, text_before_stop
from slmhub.ml.serving.loading import LoadedModels
from slmhub.ml.serving.requests import read_chat_request
from slmhub.ml.serving.responses import Completion
from tests.ml.tiny import write_tiny_base

SPECIALIST = "specialist-12@ab12cd34ef56"
Ask = dict[str, Any]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import peft
    import torch

    model = load_model(base)
    torch.manual_seed(1)
    config = peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    folder = tmp_path_factory.mktemp("adapter")
    peft.get_peft_model(model, config).save_pretrained(folder)
    return folder


@pytest.fixture
def models(tmp_path: Path, base: Path, adapter: Path) -> Path:
    folder = tmp_path / "models"
    manifest = {
        "kind": "specialist",
        "path": str(adapter),
        "base": str(base),
        "sha256": sha256_of_weights(adapter),
        "base_sha256": sha256_of_weights(base),
        "static_prompt": {"messages": [{"role": "system", "text": "You sort mail."}], "toolset": True},
    }
    write_manifest(folder, SPECIALIST, manifest)
    write_manifest(folder, "tiny", {"kind": "base", "path": str(base), "sha256": None})
    return folder


@pytest.fixture
async def client(models: Path) -> AsyncIterator[TestClient[Any, Any]]:
    engine = Engine(LoadedModels(most=2))
    server = TestServer(build_app(Catalogue(models, {}), engine))
    async with TestClient(server) as client:
        yield client


def write_manifest(folder: Path, name: str, manifest: dict[str, Any]) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "manifest.json").write_text(json.dumps(manifest))


def ask(text: str = "hello", **more: Any) -> Ask:
    return {"model": "tiny", "messages": [{"role": "user", "content": text}], "max_tokens": 12} | more


async def post(client: TestClient[Any, Any], body: Ask) -> tuple[int, dict[str, Any]]:
    async with client.post("/v1/chat/completions", json=body) as response:
        return response.status, await response.json()


async def stream(client: TestClient[Any, Any], body: Ask) -> list[dict[str, Any]]:
    async with client.post("/v1/chat/completions", json=body | {"stream": True}) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        events = (await response.text()).strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]


def content_of(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


async def test_it_answers_in_the_openai_shape(client: TestClient[Any, Any]) -> None:
    status, answer = await post(client, ask())

    assert status == 200
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["choices"][0]["finish_reason"] in ("stop", "length")
    assert answer["usage"]["prompt_tokens"] == len("hello") + 2
    assert 0 < answer["slmhub"]["confidence"] <= answer["slmhub"]["mean_confidence"] <= 1


async def test_it_lists_what_it_serves(client: TestClient[Any, Any]) -> None:
    async with client.get("/v1/models") as response:
        rows = (await response.json())["data"]
    async with client.get("/healthz") as response:
        assert (await response.json())["status"] == "ok"

    assert [row["id"] for row in rows] == [SPECIALIST, "tiny"]


async def test_it_knows_no_other_name_and_never_falls_back_to_the_base(client: TestClient[Any, Any]) -> None:
    for name in ("specialist-13@000000000000", "../tiny", "", "tiny/../tiny", "x" * 500):
        status, answer = await post(client, ask(model=name))
        assert status == 404
        assert answer["error"]["code"] == "model_not_found"


async def test_it_serves_a_model_that_appears_and_refuses_one_that_is_gone(
    client: TestClient[Any, Any], models: Path, base: Path
) -> None:
    write_manifest(models, "late", {"kind": "base", "path": str(base)})
    assert (await post(client, ask(model="late")))[0] == 200

    shutil.rmtree(models / "late")
    assert (await post(client, ask(model="late")))[0] == 404


async def test_it_leaves_out_the_static_prompt_of_a_specialist(client: TestClient[Any, Any]) -> None:
    messages = [{"role": "system", "content": "You sort mail."}, {"role": "user", "content": "hello"}]
    _, with_system = await post(client, ask(model=SPECIALIST, messages=messages))
    _, without = await post(client, ask(model=SPECIALIST))

    assert with_system["usage"]["prompt_tokens"] == len("hello") + 2
    assert content_of(with_system) == content_of(without)


async def test_it_applies_the_adapter(client: TestClient[Any, Any]) -> None:
    answers = [content_of((await post(client, ask(model=name)))[1]) for name in ("tiny", SPECIALIST)]

    assert answers[0] != answers[1]


async def test_it_refuses_weights_that_are_not_the_approved_ones(
    client: TestClient[Any, Any], models: Path, base: Path
) -> None:
    write_manifest(models, "forged", {"kind": "base", "path": str(base), "sha256": "0" * 64})
    status, answer = await post(client, ask(model="forged"))

    assert (status, answer["error"]["code"]) == (409, "model_corrupt")


async def test_it_refuses_a_format_that_is_unknown_or_that_the_base_cannot_be_asked_in(
    client: TestClient[Any, Any], models: Path, base: Path, tmp_path: Path
) -> None:
    bare = shutil.copytree(base, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    write_manifest(models, "odd", {"kind": "base", "path": str(base), "prompt_format": "magic"})
    write_manifest(models, "bare", {"kind": "base", "path": str(bare), "prompt_format": "native"})

    for name, words in (("odd", "unknown prompt format"), ("bare", "no chat template")):
        status, answer = await post(client, ask(model=name))
        assert (status, answer["error"]["code"]) == (409, "model_corrupt")
        assert words in answer["error"]["message"]


async def test_it_streams_the_text_of_an_answer_that_might_have_been_a_call(
    client: TestClient[Any, Any],
) -> None:
    tools = [{"type": "function", "function": {"name": "find", "parameters": {}}}]
    _, answer = await post(client, ask(tools=tools))
    chunks = await stream(client, ask(tools=tools))

    text = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks)
    assert text == content_of(answer)


async def test_it_says_which_command_fetches_missing_base_weights(
    client: TestClient[Any, Any], models: Path
) -> None:
    write_manifest(models, "absent", {"kind": "base", "path": "some-org/some-model"})
    status, answer = await post(client, ask(model="absent"))

    assert status == 503
    assert "hf download some-org/some-model" in answer["error"]["message"]


async def test_it_names_the_field_that_is_wrong(client: TestClient[Any, Any]) -> None:
    wrong: list[tuple[Ask, str]] = [
        (ask(messages=[]), "messages"),
        (ask(messages=[{"role": "wizard", "content": ""}]), "messages[0].role"),
        (ask(messages=[{"role": "user", "content": 5}]), "messages[0].content"),
        (ask(max_tokens=0), "max_tokens"),
        (ask(temperature=9), "temperature"),
        (ask(stop=[1]), "stop"),
        (ask(n=2), "n"),
        (ask(tools=[1]), "tools"),
    ]
    for body, field in wrong:
        status, answer = await post(client, body)
        assert status == 400
        assert f"'{field}'" in answer["error"]["message"]


async def test_it_refuses_a_body_that_is_not_json(client: TestClient[Any, Any]) -> None:
    for body in (b"{", b"\xff", b"[" * 100_000, b"[]"):
        async with client.post("/v1/chat/completions", data=body) as response:
            assert response.status == 400
            assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_it_refuses_a_prompt_that_is_longer_than_the_context(client: TestClient[Any, Any]) -> None:
    status, answer = await post(client, ask("x" * 600))

    assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")


async def test_it_streams_the_same_text(client: TestClient[Any, Any]) -> None:
    _, answer = await post(client, ask())
    chunks = await stream(client, ask(stream_options={"include_usage": True}))

    text = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks[:-1])
    assert text == content_of(answer)
    assert chunks[-2]["choices"][0]["finish_reason"] == answer["choices"][0]["finish_reason"]
    assert chunks[-2]["slmhub"] == answer["slmhub"]
    assert chunks[-1]["usage"] == answer["usage"]


async def test_it_stops_before_a_stop_string_streaming_or_not(client: TestClient[Any, Any]) -> None:
    whole = content_of((await post(client, ask(max_tokens=30)))[1])
    stop = whole[4:6]
    expected = whole[: whole.index(stop)]
    _, answer = await post(client, ask(max_tokens=30, stop=stop))
    chunks = await stream(client, ask(max_tokens=30, stop=stop))

    assert content_of(answer) == expected
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert "".join(one["choices"][0]["delta"].get("content", "") for one in chunks) == expected


async def test_it_gives_each_of_many_at_once_its_own_answer(client: TestClient[Any, Any]) -> None:
    texts = [f"text {'x' * (at % 7)} {at}" for at in range(20)]
    alone = [content_of((await post(client, ask(text)))[1]) for text in texts]
    together = await asyncio.gather(*(post(client, ask(text)) for text in texts))

    assert [content_of(answer) for _, answer in together] == alone


async def test_it_repeats_a_warm_answer_with_the_same_seed(client: TestClient[Any, Any]) -> None:
    warm = ask(temperature=1.5, seed=7)
    first, second = [content_of((await post(client, warm))[1]) for _ in range(2)]
    _, other = await post(client, ask(temperature=1.5, seed=8))

    assert first == second != content_of(other)


class WatchedEngine(Engine):
    """Remembers its tickets."""

    def submit(self, served: ServedModel, asked: Asked) -> Ticket:
        self.last = super().submit(served, asked)
        return self.last


async def test_it_stops_a_request_whose_client_has_gone(models: Path) -> None:
    engine = WatchedEngine(LoadedModels(most=2))
    async with TestServer(build_app(Catalogue(models, {}), engine)) as server, ClientSession() as session:
        response = await session.post(
            server.make_url("/v1/chat/completions"), json=ask(max_tokens=500, stream=True)
        )
        await response.content.readany()
        response.close()
        row = engine.last.row
        assert row is not None
        for _ in range(1000):
            if row.finish is not None:
                break
            await asyncio.sleep(0.01)

    assert row.finish is FinishReason.CANCELLED
    assert len(row.ids) < row.limit


def test_it_ends_a_cancelled_row_and_finishes_the_others(base: Path) -> None:
    model, tokenizer = load_model(base), load_tokenizer(base)
    compact = Compact(tokenizer)
    rows = [Generation(compact.encode_prompt("abc"), limit=20) for _ in range(2)]
    steps = 0

    def cancel_first() -> None:
        nonlocal steps
        steps += 1
        rows[0].cancelled = rows[0].cancelled or steps == 3

    generate(model.eval(), rows, end=-1, pad=compact.pad, on_step=cancel_first)

    assert (rows[0].finish, len(rows[0].ids)) == (FinishReason.CANCELLED, 3)
    assert (rows[1].finish, len(rows[1].ids)) == (FinishReason.LENGTH, 20)


def test_it_decodes_as_the_library_does(base: Path) -> None:
    model, tokenizer = load_model(base), load_tokenizer(base)
    compact = Compact(tokenizer)
    prompts = [compact.encode_prompt(text) for text in ("a", "some longer text", "é and 漢字")]
    rows = [Generation(prompt, limit=25 - 8 * at) for at, prompt in enumerate(prompts)]
    generate(model.eval(), rows, end=compact.end, pad=compact.pad)

    import torch

    for row, prompt in zip(rows, prompts, strict=True):
        ids = torch.tensor([prompt])
        expected = model.generate(
            ids, max_new_tokens=row.limit, do_sample=False, pad_token_id=0, eos_token_id=2
        )
        assert row.ids == [token for token in expected[0, len(prompt) :].tolist() if token != compact.end]


def test_it_keeps_special_tokens_of_a_text_as_text(base: Path) -> None:
    tokenizer = load_tokenizer(base)
    compact = Compact(tokenizer)
    prompt = compact.encode_prompt("a<|eos|><|assistant|>b")

    assert prompt.count(compact.end) == 0
    assert compact.decode(prompt) == "a<|eos|><|assistant|>b"


def test_it_turns_a_written_call_into_a_tool_call() -> None:
    tools = [{"type": "function", "function": {"name": "find", "parameters": {}}}]
    request = read_chat_request(json.dumps(ask(tools=tools)).encode())
    message = parse_answer('{"tool":"find","args":{"city":"Oslo"}}', tools)
    finished = Finished(message, FinishReason.STOP, 3, 4, 0.5, 0.9, "ab")
    answer = Completion(request).whole(finished)
    chunks = Completion(request).last_chunks(finished, sent=0)

    call = answer["choices"][0]["message"]["tool_calls"][0]["function"]
    assert call == {"name": "find", "arguments": '{"city":"Oslo"}'}
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert chunks[0]["choices"][0]["delta"]["tool_calls"][0]["function"] == call
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_it_cuts_at_the_first_of_several_stops() -> None:
    assert text_before_stop("one two three", ("three", "two")) == "one "
