"""A tiny base model and a frozen dataset, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.utils import timezone

from apps.datasets.columns import Counts
from apps.datasets.models import DatasetVersion, Example, Split
from apps.discovery.models import Task
from apps.registry.models import BaseModel, LicenceClass
from apps.training.models import Specialist, TrainingRun
from tests.world import World

NAMES = ["Ana", "Bo", "Cem", "Dua", "Eli", "Fay", "Gus", "Hal"]
SHORT = {
    "method": "lora",
    "rank": 4,
    "alpha": 8,
    "learning_rate": 0.003,
    "steps": 30,
    "batch_size": 4,
    "augment_copies": 0.0,
    "seed": 0,
    "max_length": 256,
    "eval_every": 10,
    "save_every": 5,
}


def write_tiny_base(folder: Path, *, context: int = 256) -> Path:
    """A Qwen2 of a few thousand random weights with a byte tokenizer."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from slmhub.ml.starter.tokenizer import byte_tokenizer

    tokenizer = byte_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=context,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def base_at(folder: Path, **fields: Any) -> BaseModel:
    given = {
        "slug": "tiny",
        "name": "Tiny",
        "family": "Tests",
        "path": str(folder),
        "parameters": 20_000,
        "context": 256,
        "licence": "Apache-2.0",
        "licence_class": LicenceClass.PERMISSIVE,
        "bytes_per_token": 1.0,
    }
    return BaseModel.objects.create(**{**given, **fields})


def answer(name: str) -> dict[str, Any]:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "greet", "arguments": json.dumps({"name": name})},
    }
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def frozen_dataset(world: World, *, train: int = 24, validation: int = 6, test: int = 12) -> DatasetVersion:
    task = Task.objects.create(agent=world.agent, cell=f"c{Task.objects.count()}", title="Greet a person")
    dataset = DatasetVersion.objects.create(
        agent=world.agent,
        task=task,
        number=1,
        digest="d" * 64,
        frozen_at=timezone.now(),
        counts=Counts(train=train, validation=validation, test=test),
        overlap={"wording": {"seen": test, "of": test}, "values": {"seen": 0, "of": test}},
    )
    splits = [Split.TRAIN] * train + [Split.VALIDATION] * validation + [Split.TEST] * test
    Example.objects.bulk_create(_example(dataset, at, split) for at, split in enumerate(splits))
    return dataset


def _example(dataset: DatasetVersion, position: int, split: Split) -> Example:
    name = NAMES[position % len(NAMES)]
    text = f"Say hello to {name}, visitor {position}."
    return Example(
        dataset=dataset,
        split=split,
        session=f"s{position}",
        position=position,
        messages=[{"role": "user", "content": text}],
        expected=answer(name),
        prompt=text,
        completion=json.dumps({"tool": "greet", "args": {"name": name}}, separators=(",", ":")),
    )


def made_specialist(world: World, base: BaseModel, dataset: DatasetVersion | None = None) -> Specialist:
    """A specialist's rows without its training."""
    dataset = dataset or frozen_dataset(world)
    run = TrainingRun.objects.create(agent=world.agent, dataset=dataset, base=base, recipe=SHORT)
    return Specialist.objects.create(
        agent=world.agent,
        task=dataset.task,
        run=run,
        base=base,
        sha256="a" * 64,
        served_name=f"specialist-{run.pk}@aaaaaaaaaaaa",
        path="/nowhere",
    )
