"""The batches of a run, each determined by the seed and its place alone: a resumed run repeats them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch

from slmhub.ml.prompt_formats import PromptFormat
from slmhub.ml.prompt_formats.messages import PromptFormatError
from slmhub.ml.training.augmentation import CopyAugmentation
from slmhub.ml.training.spec import Conversation, Example, InputError

IGNORED = -100
LONGEST_SHARE = 0.1
BATCHES_PER_BUCKET = 8


@dataclass(frozen=True)
class Encoded:
    ids: list[int]
    labels: list[int]


def encode(prompt_format: PromptFormat, prompt: str, completion: str) -> Encoded:
    """Labels cover the completion and its end mark only."""
    head, tail = prompt_format.encode_prompt(prompt), prompt_format.encode_answer(completion)
    return Encoded(head + tail, [IGNORED] * len(head) + tail)


def rendered(lines: Sequence[Example | Conversation], prompt_format: PromptFormat) -> list[Example]:
    """Raises InputError with the line that the format cannot show."""
    examples = []
    for line in lines:
        if isinstance(line, Conversation):
            try:
                prompt = prompt_format.render_prompt(line.messages, line.tools)
                line = Example(line.id, prompt, prompt_format.render_answer(line.answer))
            except PromptFormatError as error:
                raise InputError("prompt_format", f"Example {line.id}: {error}") from error
        examples.append(line)
    return examples


def within_length(examples: Sequence[Example], prompt_format: PromptFormat, longest: int) -> list[Example]:
    """Leaves out examples of more than `longest` tokens; InputError if that are more than a tenth."""
    lengths = [len(encode(prompt_format, one.prompt, one.completion).ids) for one in examples]
    fitting = [one for one, length in zip(examples, lengths, strict=True) if length <= longest]
    too_long = len(examples) - len(fitting)
    if too_long > LONGEST_SHARE * len(examples):
        raise InputError(
            "too_long",
            f"{too_long} of {len(examples)} examples are longer than {longest} tokens (the longest has "
            f"{max(lengths)}). Choose a base model with a longer context, or a smaller window of messages.",
        )
    return fitting


class Schedule(torch.utils.data.Dataset[Encoded]):
    """Every example of a run in the order of training: item i belongs to step i // batch_size."""

    def __init__(
        self,
        examples: Sequence[Example],
        prompt_format: PromptFormat,
        *,
        steps: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self._examples = examples
        self._prompt_format = prompt_format
        self._seed = seed
        self._order = _order(examples, count=steps * batch_size, batch_size=batch_size, seed=seed)
        self._augment: CopyAugmentation | None = None
        self._share = 0.0

    def augmented(self, augment: CopyAugmentation, share: float) -> Schedule:
        self._augment, self._share = augment, share
        return self

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> Encoded:
        example = self._examples[self._order[index]]
        random = Random(f"{self._seed}/{index}")
        if self._augment is not None and random.random() < self._share:
            return encode(self._prompt_format, *self._augment(example, random))
        return encode(self._prompt_format, example.prompt, example.completion)


def _order(examples: Sequence[Example], *, count: int, batch_size: int, seed: int) -> list[int]:
    """Shuffled passes over the examples, like lengths beside each other within a bucket of batches."""
    random = Random(seed)
    order: list[int] = []
    while len(order) < count:
        one_pass = list(range(len(examples)))
        random.shuffle(one_pass)
        order.extend(one_pass)
    bucket = batch_size * BATCHES_PER_BUCKET
    batches: list[list[int]] = []
    for start in range(0, count, bucket):
        alike = sorted(order[start : min(count, start + bucket)], key=lambda at: len(examples[at].prompt))
        rows = [alike[at : at + batch_size] for at in range(0, len(alike), batch_size)]
        random.shuffle(rows)
        batches.extend(rows)
    return [index for batch in batches for index in batch]


class Collator:
    """Right padded batches for a causal model; counts the tokens it has handed out."""

    def __init__(self, pad: int) -> None:
        self._pad = pad
        self.tokens = 0

    def __call__(self, rows: Sequence[Encoded]) -> dict[str, torch.Tensor]:
        longest = max(len(row.ids) for row in rows)
        self.tokens += sum(len(row.ids) for row in rows)
        padding = [longest - len(row.ids) for row in rows]
        pairs = list(zip(rows, padding, strict=True))
        return {
            "input_ids": torch.tensor([row.ids + [self._pad] * gap for row, gap in pairs]),
            "attention_mask": torch.tensor([[1] * len(row.ids) + [0] * gap for row, gap in pairs]),
            "labels": torch.tensor([row.labels + [IGNORED] * gap for row, gap in pairs]),
        }
