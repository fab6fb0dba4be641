"""One training run from SPEC to manifest: plan, train or resume, write the weights, then the manifest."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import peft
import safetensors
import torch
import transformers
from transformers import PrinterCallback, Trainer, TrainingArguments

from slmhub.ml.basemodel import BaseModelMissingError, base_folder, context_length, load_tokenizer
from slmhub.ml.files import sha256_of_weights
from slmhub.ml.methods import Method, method_of
from slmhub.ml.methods.recipe import Recipe
from slmhub.ml.prompt_formats import PromptFormat, open_format
from slmhub.ml.prompt_formats.compact import StaticPrompt
from slmhub.ml.prompt_formats.messages import PromptFormatError
from slmhub.ml.training.augmentation import CopyAugmentation
from slmhub.ml.training.checkpoints import newest_valid, step_of
from slmhub.ml.training.data import IGNORED, Collator, Schedule, encode, rendered, within_length
from slmhub.ml.training.progress import CleanStop, ProgressCallback, ProgressFile
from slmhub.ml.training.records import ExampleCounts, Manifest
from slmhub.ml.training.run_folder import RunFolder
from slmhub.ml.training.spec import Example, InputError, TrainingSpec, read_examples

EVALUATED_ON_THE_WAY = 64
CALIBRATION_STEPS = 6


@dataclass(frozen=True)
class Prepared:
    """Everything a run needs in memory."""

    model: Any
    method: Method[Any]
    prompt_format: PromptFormat
    train: list[Example]
    validation: list[Example]
    base: Path
    left_out: int

    def encoded(self, examples: list[Example]) -> Any:
        return [encode(self.prompt_format, one.prompt, one.completion) for one in examples]


def run(spec: TrainingSpec, stop: CleanStop) -> bool:
    """Trains, or resumes, until the manifest stands; False if stopped before. Raises InputError."""
    folder = RunFolder(spec.run_dir)
    if folder.manifest.exists():
        _check_plan(spec, folder)
        return True
    prepared = _prepare(spec)
    steps = _planned_steps(spec, folder, prepared)
    checkpoint = newest_valid(folder.checkpoints)
    collator = Collator(prepared.prompt_format.pad)
    progress = ProgressCallback(
        ProgressFile(folder.progress, resumed_step=step_of(checkpoint)),
        collator,
        steps_per_epoch=len(prepared.train) / spec.recipe.batch_size,
        resumed_step=step_of(checkpoint),
    )
    trainer = Trainer(
        model=prepared.model,
        args=_arguments(spec.recipe, folder, steps),
        train_dataset=_schedule(spec.recipe, prepared, steps),
        eval_dataset=prepared.encoded(prepared.validation[:EVALUATED_ON_THE_WAY]),
        data_collator=collator,
        compute_metrics=_exact_match,
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(progress)
    trainer.add_callback(stop)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if stop.requested and trainer.state.global_step < steps:
        return False
    _finish(spec, folder, prepared, trainer, seconds=progress.elapsed)
    return True


def _prepare(spec: TrainingSpec) -> Prepared:
    lines = [read_examples(path, spec.prompt_format) for path in (spec.train, spec.validation)]
    try:
        base = base_folder(spec.base)
        static = StaticPrompt.from_json(spec.static_prompt)
        prompt_format = open_format(spec.prompt_format, load_tokenizer(base), static)
    except BaseModelMissingError as error:
        raise InputError("base_missing", str(error)) from error
    except PromptFormatError as error:
        raise InputError("prompt_format", str(error)) from error
    train, validation = (rendered(one, prompt_format) for one in lines)
    method = method_of(spec.recipe)
    torch.manual_seed(spec.recipe.seed)
    model = method.prepare(base, spec.recipe)
    longest = min(spec.recipe.max_length, context_length(model))
    fitting = within_length(train, prompt_format, longest), within_length(validation, prompt_format, longest)
    left_out = len(train) + len(validation) - len(fitting[0]) - len(fitting[1])
    return Prepared(model, method, prompt_format, *fitting, base=base, left_out=left_out)


def _check_plan(spec: TrainingSpec, folder: RunFolder) -> dict[str, Any] | None:
    """The plan of an earlier start of the same SPEC. Raises InputError if another SPEC owns the folder."""
    if not folder.plan.exists():
        return None
    plan: dict[str, Any] = json.loads(folder.plan.read_text())
    if plan["spec"] != spec.fingerprint():
        raise InputError("run_dir", f"{spec.run_dir} holds a run of another SPEC. Choose a new run_dir.")
    return plan


def _planned_steps(spec: TrainingSpec, folder: RunFolder, prepared: Prepared) -> int:
    """Fixed at the first start, so that a resumed run follows the same learning rates to the same end."""
    plan = _check_plan(spec, folder)
    if plan is None:
        recipe = spec.recipe
        if recipe.steps is not None:
            steps = recipe.steps
        elif recipe.epochs is not None:
            steps = math.ceil(recipe.epochs * len(prepared.train) / recipe.batch_size)
        else:
            steps = int((recipe.max_seconds or 0) / _seconds_per_step(recipe, prepared))
        plan = {"spec": spec.fingerprint(), "steps": max(1, steps)}
        folder.write_json(folder.plan, plan)
    return int(plan["steps"])


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


def _schedule(recipe: Recipe, prepared: Prepared, steps: int) -> Schedule:
    schedule = Schedule(
        prepared.train,
        prepared.prompt_format,
        steps=steps,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
    )
    if recipe.augment_copies > 0:
        schedule.augmented(CopyAugmentation(prepared.train), recipe.augment_copies)
    return schedule


def _arguments(recipe: Recipe, folder: RunFolder, steps: int) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder.checkpoints),
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


def _finish(
    spec: TrainingSpec, folder: RunFolder, prepared: Prepared, trainer: Trainer, *, seconds: float
) -> None:
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    steps = trainer.state.global_step
    figures = trainer.evaluate(prepared.encoded(prepared.validation))
    files = folder.replace_weights(lambda empty: prepared.method.save(prepared.model, empty))
    libraries = (torch, transformers, peft, safetensors)
    folder.write_manifest(
        Manifest(
            path=folder.weights.name,
            base=spec.base,
            base_sha256=sha256_of_weights(prepared.base),
            sha256=sha256_of_weights(folder.weights),
            method=prepared.method.name,
            prompt_format=spec.prompt_format,
            static_prompt=dict(spec.static_prompt),
            recipe=msgspec.to_builtins(spec.recipe),
            files=files,
            examples=ExampleCounts(
                train=len(prepared.train),
                validation=len(prepared.validation),
                left_out_too_long=prepared.left_out,
            ),
            steps=steps,
            seconds=round(seconds, 2),
            final_loss=losses[-1] if losses else None,
            validation_loss=figures["eval_loss"],
            validation_exact=figures["eval_exact"],
            versions={library.__name__: str(library.__version__) for library in libraries},
        )
    )
