from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from safetensors import safe_open

from slmhub.ml.basemodel import STARTER, load_model, load_tokenizer
from slmhub.ml.files import sha256_of_file
from slmhub.ml.generation import Generation, generate
from slmhub.ml.prompt_formats.compact import Compact
from slmhub.ml.starter.architecture import StarterShape, build_starter
from slmhub.ml.starter.pretraining import SequenceEncoder, exact_match, held_out
from slmhub.ml.starter.skills import MIXTURE, SKILLS, draw
from slmhub.ml.starter.tokenizer import byte_tokenizer
from slmhub.ml.starter.values import KINDS

LARGEST_WEIGHTS = 8 * 1024 * 1024


def test_it_makes_tokens_of_bytes_and_bytes_of_tokens() -> None:
    tokenizer = byte_tokenizer()
    text = 'aZ {\n"é" 漢 \x00'
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]

    assert len(ids) == len(text.encode())
    assert tokenizer.decode(ids) == text


def test_it_writes_turns_by_its_chat_template() -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]

    assert byte_tokenizer().apply_chat_template(turns, tokenize=False) == "<|user|>hi<|assistant|>yo<|eos|>"


def test_it_draws_the_same_pairs_from_the_same_seed() -> None:
    assert [draw(Random(4), 5) for _ in range(3)] == [draw(Random(4), 5) for _ in range(3)]


@pytest.mark.parametrize("skill", ["extract", "look_up", "call_tool"])
def test_it_asks_only_for_what_stands_in_the_prompt(skill: str) -> None:
    random = Random(1)
    for _ in range(200):
        prompt, completion = SKILLS[skill](random, 6)
        if completion.startswith("{"):
            answer = json.loads(completion)
            values = answer.get("args", answer)
            assert all(value is None or str(value) in prompt for value in values.values())


def test_it_makes_values_that_are_seldom_the_same() -> None:
    random = Random(2)
    for name in ("person", "place", "code", "email", "token"):
        made = [KINDS[name].make(random) for _ in range(500)]
        assert len(set(made)) > 480


def test_it_looks_back_from_the_first_step() -> None:
    """Head d of layer 0 attends d + 1 tokens back before any training."""
    import torch

    model = build_starter(StarterShape(layers=2), seed=0).eval()
    model.set_attn_implementation("eager")
    ids = torch.randint(5, 261, (1, 40), generator=torch.Generator().manual_seed(0))
    attentions = model(ids, output_attentions=True).attentions[0][0]

    for head in range(4):
        looked_at = attentions[head, 10:].argmax(-1)
        assert (looked_at == torch.arange(10, 40) - head - 1).float().mean() > 0.9


def test_it_ships_weights_that_match_their_manifest() -> None:
    manifest = json.loads((STARTER / "manifest.json").read_text())

    assert manifest["sha256"] == sha256_of_file(STARTER / "model.safetensors")
    assert {name: sha256_of_file(STARTER / name) for name in manifest["files"]} == manifest["files"]
    assert (STARTER / "model.safetensors").stat().st_size <= LARGEST_WEIGHTS


def test_it_ships_a_stock_architecture() -> None:
    model = load_model(STARTER)
    with safe_open(STARTER / "model.safetensors", framework="pt") as weights:
        assert set(weights.keys()) <= set(model.state_dict())

    assert type(model).__module__.startswith("transformers.models.qwen2")
    assert model.config.max_position_embeddings == 2048


def test_it_ships_weights_that_do_what_their_manifest_says() -> None:
    manifest = json.loads((STARTER / "manifest.json").read_text())
    model = load_model(STARTER)
    tests = held_out(SequenceEncoder(byte_tokenizer()), rows=100)

    for name in ("copy", "extract"):
        assert exact_match(model, tests[name]) == pytest.approx(manifest["exact_match"][name], abs=0.15)


def test_it_repeats_most_strings_that_it_has_never_seen() -> None:
    model, tokenizer = load_model(STARTER), load_tokenizer(STARTER)
    compact = Compact(tokenizer)
    random = Random("strings of this test")
    texts = [f"{KINDS['person'].make(random)}; {KINDS['code'].make(random)}" for _ in range(60)]
    rows = [Generation(compact.encode_prompt(f"repeat\n{text}"), limit=80) for text in texts]
    generate(model.eval(), rows, end=compact.end, pad=compact.pad)
    repeated = [compact.decode(row.ids) == text for row, text in zip(rows, texts, strict=True)]

    assert sum(repeated) / len(repeated) > 0.8


def test_it_trains_and_writes_a_model_that_loads(tmp_path: Path) -> None:
    short = ["--minutes", "0.05", "--rows", "16"]
    command = [sys.executable, "-m", "slmhub.ml.starter", "--out", str(tmp_path), *short]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    load_model(tmp_path)

    assert manifest["exact_match"].keys() == MIXTURE.keys()
    assert manifest["training"]["steps"] > 0
