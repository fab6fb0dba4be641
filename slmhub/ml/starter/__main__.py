"""`python -m slmhub.ml.starter --out DIR [--minutes N] [--seed 0]`: trains the starter base model."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import transformers

from slmhub.ml.starter.architecture import StarterShape, build_starter
from slmhub.ml.starter.pretraining import (
    Pretraining,
    SequenceEncoder,
    StarterRecipe,
    exact_match,
    held_out,
    pretrain,
)
from slmhub.ml.starter.skills import MIXTURE
from slmhub.ml.starter.tokenizer import byte_tokenizer

SAVE_EVERY_STEPS = 500


def main() -> None:
    options = _options()
    recipe = _recipe(options)
    shape = StarterShape()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    tokenizer = byte_tokenizer()
    encode = SequenceEncoder(tokenizer)
    model = build_starter(shape, seed=recipe.seed)
    if options.continue_from:
        model = transformers.Qwen2ForCausalLM.from_pretrained(options.continue_from)
    tests = held_out(encode)

    def report(progress: Pretraining) -> None:
        figures: dict[str, float] = {}
        if progress.steps % SAVE_EVERY_STEPS == 0:
            figures = {name: round(exact_match(model, rows), 3) for name, rows in tests.items()}
            _save(model, tokenizer, options.out)
        print(json.dumps(asdict(progress) | {"exact_match": figures}), flush=True)

    progress = pretrain(model, encode, recipe, report=report)
    _save(model, tokenizer, options.out)
    figures = {name: exact_match(model, rows) for name, rows in held_out(encode, rows=options.rows).items()}
    earlier = _earlier(options.continue_from)
    manifest = {
        "name": "slmhub-starter",
        "licence": "Apache-2.0",
        "data": "generated text only (slmhub.ml.starter.skills)",
        "shape": asdict(shape),
        "recipe": asdict(recipe),
        "mixture": MIXTURE,
        "training": asdict(progress),
        "continued_from": earlier,
        "exact_match": figures,
    }
    _write_manifest(options.out, manifest)


def _save(
    model: transformers.Qwen2ForCausalLM, tokenizer: transformers.PreTrainedTokenizerFast, out: Path
) -> None:
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _recipe(options: argparse.Namespace) -> StarterRecipe:
    """From scratch with a climb in difficulty; a continued starter stays at the top."""
    recipe = StarterRecipe(minutes=options.minutes, seed=options.seed)
    if options.continue_from is None:
        return recipe
    return replace(recipe, learning_rate=2e-3, look_up_share=0.0, climb_share=0.01, batch_tokens=2048)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m slmhub.ml.starter", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=StarterRecipe.minutes, help="of processor time")
    parser.add_argument("--continue-from", type=Path, help="a folder that this command wrote before")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=256, help="held out of each skill, for the manifest")
    return parser.parse_args()


def _earlier(folder: Path | None) -> dict[str, Any] | None:
    """What the manifest of the weights that were continued says about how they were made."""
    if folder is None:
        return None
    manifest = json.loads((folder / "manifest.json").read_text())
    kept = ("recipe", "training", "continued_from", "exact_match", "sha256")
    return {key: manifest.get(key) for key in kept}


def _write_manifest(out: Path, manifest: dict[str, Any]) -> None:
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.iterdir())
        if path.is_file() and path.name != "manifest.json"
    }
    versions = {"torch": str(torch.__version__), "transformers": transformers.__version__}
    complete = manifest | {"sha256": files["model.safetensors"], "files": files, "versions": versions}
    (out / "manifest.json").write_text(json.dumps(complete, indent=1) + "\n")


if __name__ == "__main__":
    main()
