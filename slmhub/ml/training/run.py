"""One training run from SPEC to manifest: plan, train or resume, write the adapter, then the manifest."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import peft
import safetensors
import torch
import transformers
from transformers import PrinterCallback, Trainer, TrainingArguments

from slmhub.ml.basemodel import (
    BaseModelMissingError,
    base_folder,
    context_length,
    load_base,
    sha256_of_file,
    sha256_of_weights,
)
from slmhub.ml.prompt_formats import PromptFormat, open_format
from slmhub.ml.prompt_formats.compact import StaticPrompt
from slmhub.ml.prompt_formats.messages import PromptFormatError
from slmhub.ml.training.augmentation import CopyAugmentation
from slmhub.ml.training.checkpoints import newest_valid, step_of, write_atomically
from slmhub.ml.training.data import IGNORED, Collator, Schedule, encode, rendered, within_length
from slmhub.ml.training.progress import CleanStop, ProgressCallback, ProgressFile
from slmhub.ml.training.spec import Example, InputError, Recipe, TrainingSpec, read_examples

# peft refuses LoRA on Mamba's out_proj; a MoE router returns a tuple that LoRA cannot wrap.
EXCLUDED_MODULES = {
    "nemotron_h": ["out_proj"],
    "falcon_h1": ["out_proj"],
    "mamba": ["out_proj"],
    "mamba2": ["out_proj"],
    "phimoe": ["router"],
}
EVALUATED_ON_THE_WAY = 64
CALIBRATION_STEPS = 6
CHECKPOINTS, ADAPTER, MANIFEST, PLAN = "checkpoints", "adapter", "manifest.json", "plan.json"


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs in memory."""

    model: Any
    prompt_format: PromptFormat
    train: list[Example]
    validation: list[Example]
    base: Path
    left_out: int


def run(spec: TrainingSpec, stop: CleanStop) -> bool:
    """Trains, or resumes, until the manifest stands; False if stopped before. Raises InputError."""
    if (spec.run_dir / MANIFEST).exists():
        _check_plan(spec)
        return True
    prepared = _prepare(spec)
    steps = _planned_steps(spec, prepared)
    checkpoint = newest_valid(spec.run_dir / CHECKPOINTS)
    collator = Collator(prepared.prompt_format.pad)
    progress = ProgressCallback(
        ProgressFile(spec.run_dir / "progress.jsonl", resumed_step=step_of(checkpoint)),
        collator,
        steps_per_epoch=len(prepared.train) / spec.recipe.batch_size,
        resumed_step=step_of(checkpoint),
    )
    trainer = _trainer(spec, prepared, steps, collator)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(progress)
    trainer.add_callback(stop)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if stop.requested and trainer.state.global_step < steps:
        return False
    _finish(spec, prepared, trainer, seconds=progress.elapsed)
    return True


def _prepare(spec: TrainingSpec) -> Prepared:
    lines = [read_examples(path, spec.prompt_format) for path in (spec.train, spec.validation)]
    try:
        folder = base_folder(spec.base)
        model, tokenizer = load_base(folder)
        static = StaticPrompt.from_json(spec.static_prompt)
        prompt_format = open_format(spec.prompt_format, tokenizer, static)
    except BaseModelMissingError as error:
        raise InputError("base_missing", str(error)) from error
    except PromptFormatError as error:
        raise InputError("prompt_format", str(error)) from error
    train, validation = (rendered(one, prompt_format) for one in lines)
    longest = min(spec.recipe.max_length, context_length(model))
    fitting = within_length(train, prompt_format, longest), within_length(validation, prompt_format, longest)
    torch.manual_seed(spec.recipe.seed)
    model = peft.get_peft_model(model, _lora(spec.recipe, model.config.model_type))
    left_out = len(train) + len(validation) - len(fitting[0]) - len(fitting[1])
    return Prepared(model, prompt_format, *fitting, base=folder, left_out=left_out)


def _lora(recipe: Recipe, model_type: str) -> peft.LoraConfig:
    return peft.LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        target_modules="all-linear",
        exclude_modules=EXCLUDED_MODULES.get(model_type),
        task_type="CAUSAL_LM",
    )


def _check_plan(spec: TrainingSpec) -> dict[str, Any] | None:
    """The plan of an earlier start of the same SPEC. Raises InputError if another SPEC owns the folder."""
    path = spec.run_dir / PLAN
    if not path.exists():
        return None
    plan: dict[str, Any] = json.loads(path.read_text())
    if plan["spec"] != spec.fingerprint():
        raise InputError("run_dir", f"{spec.run_dir} holds a run of another SPEC. Choose a new run_dir.")
    return plan


def _planned_steps(spec: TrainingSpec, prepared: Prepared) -> int:
    """Fixed at the first start, so that a resumed run follows the same learning rates to the same end."""
    plan = _check_plan(spec)
    if plan is None:
        spec.run_dir.mkdir(parents=True, exist_ok=True)
        plan = {"spec": spec.fingerprint(), "steps": _count_steps(spec.recipe, prepared)}
        write_atomically(spec.run_dir / PLAN, json.dumps(plan))
    return int(plan["steps"])


def _count_steps(recipe: Recipe, prepared: Prepared) -> int:
    if recipe.steps is not None:
        return recipe.steps
    if recipe.epochs is not None:
        return max(1, math.ceil(recipe.epochs * len(prepared.train) / recipe.batch_size))
    return max(1, int((recipe.max_seconds or 0) / _seconds_per_step(recipe, prepared)))


def _seconds_per_step(recipe: Recipe, prepared: Prepared) -> float:
    """Measured on forward and backward passes that leave the weights as they are.

    On a processor its own time counts, so that a busy machine makes a run longer and not worse.
    """
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    schedule = Schedule(
        prepared.train, prepared.prompt_format, steps=CALIBRATION_STEPS, batch_size=recipe.batch_size, seed=1
    )
    collate = Collator(prepared.prompt_format.pad)
    seconds = []
    for step in range(CALIBRATION_STEPS):
        rows = [schedule[at] for at in range(step * recipe.batch_size, (step + 1) * recipe.batch_size)]
        started = clock()
        prepared.model(**collate(rows)).loss.backward()
        prepared.model.zero_grad(set_to_none=True)
        seconds.append(clock() - started)
    return 1.15 * sum(seconds[1:]) / (CALIBRATION_STEPS - 1)


def _trainer(spec: TrainingSpec, prepared: Prepared, steps: int, collator: Collator) -> Trainer:
    recipe = spec.recipe
    schedule = Schedule(
        prepared.train, prepared.prompt_format, steps=steps, batch_size=recipe.batch_size, seed=recipe.seed
    )
    if recipe.augment_copies > 0:
        schedule.augmented(CopyAugmentation(prepared.train), recipe.augment_copies)
    return Trainer(
        model=prepared.model,
        args=_arguments(spec, steps),
        train_dataset=schedule,
        eval_dataset=_encoded(prepared, prepared.validation[:EVALUATED_ON_THE_WAY]),
        data_collator=collator,
        compute_metrics=_exact_match,
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1),
    )


def _encoded(prepared: Prepared, examples: list[Example]) -> Any:
    return [encode(prepared.prompt_format, one.prompt, one.completion) for one in examples]


def _arguments(spec: TrainingSpec, steps: int) -> TrainingArguments:
    recipe = spec.recipe
    return TrainingArguments(
        output_dir=str(spec.run_dir / CHECKPOINTS),
        max_steps=steps,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=32,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=min(20, max(1, steps // 10)),
        weight_decay=0.0,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        seed=recipe.seed,
        bf16=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        # The Schedule has decided the order already.
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=False,
        logging_steps=max(1, min(10, steps // 20)),
        eval_strategy="steps",
        eval_steps=recipe.eval_every,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
    )


def _exact_match(outcome: transformers.EvalPrediction) -> dict[str, float]:
    """Share of rows whose completion greedy decoding would give: every teacher-forced argmax is right."""
    labels = np.asarray(outcome.label_ids)[:, 1:]
    predictions = np.asarray(outcome.predictions)[:, :-1]
    right = ((predictions == labels) | (labels == IGNORED)).all(axis=1)
    return {"exact": float(right.mean())}


def _finish(spec: TrainingSpec, prepared: Prepared, trainer: Trainer, *, seconds: float) -> None:
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    steps = trainer.state.global_step
    figures = trainer.evaluate(_encoded(prepared, prepared.validation))
    _write_adapter(spec.run_dir, prepared.model)
    weights = Path(ADAPTER) / "adapter_model.safetensors"
    files = [weights, Path(ADAPTER) / "adapter_config.json"]
    manifest = {
        "kind": "specialist",
        "path": ADAPTER,
        "base": spec.base,
        "base_sha256": sha256_of_weights(prepared.base),
        "sha256": sha256_of_file(spec.run_dir / weights),
        "recipe": dataclasses.asdict(spec.recipe),
        "files": {str(file): sha256_of_file(spec.run_dir / file) for file in files},
        "examples": {
            "train": len(prepared.train),
            "validation": len(prepared.validation),
            "left_out_too_long": prepared.left_out,
        },
        "steps": steps,
        "seconds": round(seconds, 2),
        "final_loss": losses[-1] if losses else None,
        "validation_loss": figures["eval_loss"],
        "validation_exact": figures["eval_exact"],
        "prompt_format": spec.prompt_format,
        "static_prompt": dict(spec.static_prompt),
        "versions": _versions(),
    }
    write_atomically(spec.run_dir / MANIFEST, json.dumps(manifest, indent=1) + "\n")


def _write_adapter(run_dir: Path, model: Any) -> None:
    temporary = run_dir / (ADAPTER + ".tmp")
    for folder in (temporary, run_dir / ADAPTER):
        shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(temporary, safe_serialization=True)
    (temporary / "README.md").unlink(missing_ok=True)
    temporary.rename(run_dir / ADAPTER)


def _versions() -> dict[str, str]:
    modules = (torch, transformers, peft, safetensors)
    return {module.__name__: str(module.__version__) for module in modules}
