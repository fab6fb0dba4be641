from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from slmhub.ml.files import sha256_of_weights
from slmhub.ml.prompt_formats import COMPACT, NATIVE, open_format
from slmhub.ml.prompt_formats.compact import NOTHING_STATIC, StaticPrompt
from slmhub.ml.prompt_formats.messages import PromptFormatError
from slmhub.ml.prompt_formats.native import Native
from slmhub.ml.serving.app import build_app
from slmhub.ml.serving.catalogue import Catalogue
from slmhub.ml.serving.engine import Engine
from slmhub.ml.serving.loading import LoadedModels
from slmhub.ml.starter.tokenizer import byte_tokenizer
from slmhub.ml.training.__main__ import BAD_INPUT, main
from tests.ml.tiny import chatml_tokenizer, write_chatml_base

FIND = {
    "type": "function",
    "function": {"name": "find", "parameters": {"type": "object", "properties": {"city": {}}}},
}
SYSTEM = {"role": "system", "content": "You help."}
FORMAT = Native(chatml_tokenizer())

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
leaves = st.none() | st.booleans() | st.integers() | text
arguments = st.dictionaries(text, leaves | st.lists(leaves, max_size=2), max_size=3)


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def calling(*several: str, content: str | None = None) -> dict[str, Any]:
    calls = [
        {"id": f"call_{at}", "type": "function", "function": {"name": "find", "arguments": one}}
        for at, one in enumerate(several)
    ]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def test_it_asks_as_the_chat_template_does() -> None:
    messages = [
        SYSTEM,
        user([{"type": "text", "text": "weather?"}]),
        calling('{"city": "Oslo"}'),
        {"role": "tool", "tool_call_id": "call_0", "content": "rain"},
    ]

    assert FORMAT.render_prompt(messages, [FIND]) == (
        "<|im_start|>system\nYou help.\n\n<tools>\n"
        f"{json.dumps(FIND)}\n</tools><|im_end|>\n"
        "<|im_start|>user\nweather?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "find", "arguments": {"city": "Oslo"}}\n</tool_call>'
        "<|im_end|>\n"
        "<|im_start|>user\n<tool_response>rain</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_its_answer_ends_with_the_mark_of_the_template_and_not_of_the_tokenizer() -> None:
    tokenizer = chatml_tokenizer()
    ids = FORMAT.encode_answer(FORMAT.render_answer({"role": "assistant", "content": "rain"}))

    assert FORMAT.end == tokenizer.convert_tokens_to_ids("<|im_end|>") != tokenizer.eos_token_id
    assert FORMAT.decode(ids) == "rain<|im_end|>"


@given(st.lists(arguments, min_size=1, max_size=3))
def test_it_gives_back_the_calls_that_it_wrote(several: list[dict[str, object]]) -> None:
    written = FORMAT.render_answer(calling(*(json.dumps(one) for one in several)))
    message = FORMAT.parse_answer(written, [FIND])

    assert message["content"] is None
    assert [json.loads(call["function"]["arguments"]) for call in message["tool_calls"]] == several


def test_it_keeps_the_words_before_a_call() -> None:
    written = FORMAT.render_answer(calling('{"city": "Oslo"}', content="I look it up."))

    assert FORMAT.parse_answer(written, [FIND])["content"] == "I look it up."


def test_it_reads_calls_that_are_the_whole_answer() -> None:
    message = FORMAT.parse_answer('{"name": "find", "parameters": {"city": "Oslo"}}', [FIND])

    assert message["tool_calls"][0]["function"] == {"name": "find", "arguments": '{"city":"Oslo"}'}


def test_it_takes_what_is_no_call_to_an_offered_tool_for_text() -> None:
    for written in (
        '<tool_call>\n{"name": "drop_table", "arguments": {}}\n</tool_call>',
        '<tool_call>\n{"name": "find", "arg',
        '{"name": ["find"]}',
        "[" * 100_000,
        "",
    ):
        assert FORMAT.parse_answer(written, [FIND]) == {"role": "assistant", "content": written}


def test_it_holds_back_what_may_become_a_call() -> None:
    assert [
        FORMAT.words_so_far(one) for one in ("rain", "rain <tool", "rain <tool_call>\n{", '{"na', "a < b")
    ] == [
        4,
        4,
        4,
        0,
        5,
    ]


def test_it_refuses_a_base_that_cannot_be_asked_so() -> None:
    without_template = byte_tokenizer()
    without_template.chat_template = None
    with pytest.raises(PromptFormatError, match="no chat template"):
        open_format(NATIVE, without_template, NOTHING_STATIC)
    with pytest.raises(PromptFormatError, match="leaves nothing out"):
        open_format(NATIVE, chatml_tokenizer(), StaticPrompt(window=1))
    with pytest.raises(PromptFormatError, match="'magic' is not known"):
        open_format("magic", chatml_tokenizer(), NOTHING_STATIC)


def test_it_refuses_tools_that_the_template_would_drop() -> None:
    plain = Native(byte_tokenizer())

    with pytest.raises(PromptFormatError, match="does not show tools"):
        plain.render_prompt([user("hi")], [FIND])
    with pytest.raises(PromptFormatError, match="does not show tool calls"):
        plain.render_answer(calling("{}"))


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    for name in ("train", "validation"):
        lines = [
            {"id": at, "messages": [SYSTEM, user(f"Oslo {at}?")], "tools": [FIND], "answer": calling("{}")}
            for at in range(8)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {
        "run_dir": str(tmp_path / "run"),
        "base": str(write_chatml_base(tmp_path / "base")),
        "train": str(tmp_path / "train.jsonl"),
        "validation": str(tmp_path / "validation.jsonl"),
        "recipe": {"rank": 4, "steps": 2, "batch_size": 4},
        "prompt_format": NATIVE,
    }


def trained(spec: dict[str, Any], folder: Path) -> int:
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    return main([str(path)])


def test_a_specialist_is_served_in_the_format_it_was_trained_in(spec: dict[str, Any], tmp_path: Path) -> None:
    assert trained(spec, tmp_path) == 0
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["prompt_format"] == NATIVE
    prompts = {
        name: asyncio.run(prompt_tokens(tmp_path / name, spec["base"], name)) for name in (NATIVE, COMPACT)
    }
    asked = FORMAT.encode_prompt(FORMAT.render_prompt([SYSTEM, user("Oslo?")], [FIND]))
    assert prompts[NATIVE] == len(asked) > prompts[COMPACT]


async def prompt_tokens(models: Path, base: str, prompt_format: str) -> int:
    weights = models.parent / "run" / "weights"
    (models / "one").mkdir(parents=True)
    manifest = {
        "kind": "specialist",
        "path": str(weights),
        "base": base,
        "sha256": sha256_of_weights(weights),
        "prompt_format": prompt_format,
    }
    (models / "one" / "manifest.json").write_text(json.dumps(manifest))
    body = {"model": "one", "messages": [SYSTEM, user("Oslo?")], "tools": [FIND], "max_tokens": 2}
    server = TestServer(build_app(Catalogue(models, {}), Engine(LoadedModels(most=1))))
    async with TestClient(server) as client, client.post("/v1/chat/completions", json=body) as response:
        return int((await response.json())["usage"]["prompt_tokens"])


def test_the_trainer_refuses_compact_texts_and_a_base_without_a_template(
    spec: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = Path(spec["base"])
    (base / "chat_template.jinja").unlink()
    assert trained(spec, tmp_path) == BAD_INPUT
    assert "has no chat template" in capsys.readouterr().err

    Path(spec["train"]).write_text('{"prompt": "a", "completion": "b"}\n')
    assert trained(spec, tmp_path) == BAD_INPUT
    assert "needs messages and an answer" in capsys.readouterr().err
