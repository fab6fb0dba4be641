"""`python -m slmhub.ml.starter --out DIR [--minutes N] [--seed 0]`: trains the starter base model."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

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
    recipe = StarterRecipe(minutes=options.minutes, seed=options.seed)
    shape = StarterShape(hidden=options.hidden, layers=options.layers)
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    tokenizer = byte_tokenizer()
    encode = SequenceEncoder(tokenizer)
    model = build_starter(shape, seed=recipe.seed)
    tests = held_out(encode)

    def report(progress: Pretraining) -> None:
        figures: dict[str, float] = {}
        if progress.steps % SAVE_EVERY_STEPS == 0:
            figures = {name: round(exact_match(model, rows), 3) for name, rows in tests.items()}
            _save(model, tokenizer, options.out)
        print(json.dumps(asdict(progress) | {"exact_match": figures}), flush=True)

    progress = pretrain(model, encode, recipe, report=report)
    _save(model, tokenizer, options.out)
    figures = {name: exact_match(model, rows) for name, rows in held_out(encode, rows=256).items()}
    _write_manifest(options.out, recipe=recipe, shape=shape, progress=progress, figures=figures)


def _save(
    model: transformers.Qwen2ForCausalLM, tokenizer: transformers.PreTrainedTokenizerFast, out: Path
) -> None:
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m slmhub.ml.starter", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=StarterRecipe.minutes, help="of processor time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--layers", type=int, default=StarterShape.layers)
    parser.add_argument("--hidden", type=int, default=StarterShape.hidden)
    return parser.parse_args()


def _write_manifest(
    out: Path,
    *,
    recipe: StarterRecipe,
    shape: StarterShape,
    progress: Pretraining,
    figures: dict[str, float],
) -> None:
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.iterdir())
        if path.is_file() and path.name != "manifest.json"
    }
    manifest = {
        "name": "slmhub-starter",
        "licence": "Apache-2.0",
        "data": "generated text only (slmhub.ml.starter.skills)",
        "shape": asdict(shape),
        "recipe": asdict(recipe),
        "mixture": MIXTURE,
        "training": asdict(progress),
        "exact_match": figures,
        "sha256": files["model.safetensors"],
        "files": files,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
