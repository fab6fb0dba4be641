"""Trains the starter on generated skills for a budget of processor time, on one thread."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import cast

import torch
import torch.nn.functional as functional
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from slmhub.ml.starter.skills import MIXTURE, SKILLS, Pair, draw, random_look_up
from slmhub.ml.starter.tokenizer import ASSISTANT, EOS, USER

IGNORED = -100
Batch = tuple[torch.Tensor, torch.Tensor]
Sequence = tuple[list[int], list[int]]


@dataclass(frozen=True)
class StarterRecipe:
    """How long and how fast; `look_up_share` is the part of the budget spent on pure look-up at the start."""

    minutes: float = 15.0
    seed: int = 0
    learning_rate: float = 3e-3
    warmup_steps: int = 30
    batch_tokens: int = 1536
    look_up_share: float = 0.05
    climb_share: float = 0.3
    top_level: int = 6
    momentum: float = 0.95


@dataclass
class Pretraining:
    """Progress so far, for a report."""

    steps: int = 0
    tokens: int = 0
    loss: float = math.nan
    seconds: float = 0.0


class SequenceEncoder:
    """Pairs to (token ids, labels); labels cover the completion and the end mark only."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        marks = [tokenizer.convert_tokens_to_ids(mark) for mark in (USER, ASSISTANT, EOS)]
        self._user, self._assistant, self._end = cast(list[int], marks)

    def __call__(self, pair: Pair) -> Sequence:
        prompt, completion = self._tokenizer(list(pair), add_special_tokens=False).input_ids
        head = [self._user, *prompt, self._assistant]
        tail = [*completion, self._end]
        return head + tail, [IGNORED] * len(head) + tail


def collate(sequences: list[Sequence]) -> Batch:
    """Right padded ids and labels, [rows, longest]."""
    longest = max(len(ids) for ids, _ in sequences)
    ids = torch.zeros((len(sequences), longest), dtype=torch.long)
    labels = torch.full((len(sequences), longest), IGNORED)
    for row, (tokens, targets) in enumerate(sequences):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        labels[row, : len(targets)] = torch.tensor(targets)
    return ids, labels


def bucketed(sequences: list[Sequence], batch_tokens: int) -> list[Batch]:
    """Batches of like lengths, each of about `batch_tokens` tokens with padding."""
    batches: list[Batch] = []
    rows: list[Sequence] = []
    for sequence in sorted(sequences, key=lambda one: len(one[0])):
        if rows and len(sequence[0]) * (len(rows) + 1) > batch_tokens:
            batches.append(collate(rows))
            rows = []
        rows.append(sequence)
    return [*batches, collate(rows)] if rows else batches


def target_logits(model: Qwen2ForCausalLM, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits [targets, vocabulary] and targets [targets] where a label counts; mask [rows, length-1]."""
    ids, labels = batch
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    targets = labels[:, 1:]
    counted = targets != IGNORED
    return model.lm_head(hidden[:, :-1][counted]), targets[counted], counted


@torch.no_grad()
def exact_match(model: Qwen2ForCausalLM, batches: list[Batch]) -> float:
    """Share of rows that greedy decoding gets right: all teacher-forced argmaxes are right."""
    model.eval()
    right = rows = 0
    for batch in batches:
        logits, targets, counted = target_logits(model, batch)
        wrong = torch.zeros(counted.shape[0], dtype=torch.long)
        wrong.index_add_(0, counted.nonzero()[:, 0], (logits.argmax(-1) != targets).long())
        right += int((wrong == 0).sum())
        rows += len(wrong)
    model.train()
    return right / rows


def held_out(encode: SequenceEncoder, *, rows: int = 64, level: int = 5) -> dict[str, list[Batch]]:
    """Fresh pairs of each skill, from a stream that training never draws from."""
    random = Random("held out")
    return {
        name: bucketed([encode(SKILLS[name](random, level)) for _ in range(rows)], 8192) for name in MIXTURE
    }


def pretrain(
    model: Qwen2ForCausalLM,
    encode: SequenceEncoder,
    recipe: StarterRecipe,
    *,
    report: Callable[[Pretraining], None],
) -> Pretraining:
    """Trains until the budget of processor seconds is spent; calls `report` after every 100th step."""
    optimizers = _optimizers(model, recipe)
    progress = Pretraining()
    started = time.process_time()
    batches = _batches(encode, recipe, lambda: progress.seconds / (60 * recipe.minutes))
    model.train()
    while progress.seconds < 60 * recipe.minutes:
        _set_rate(optimizers, recipe, progress)
        batch = next(batches)
        logits, targets, _ = target_logits(model, batch)
        loss = functional.cross_entropy(logits, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        _advance(progress, loss=loss.item(), tokens=batch[0].numel())
        progress.seconds = time.process_time() - started
        if progress.steps % 100 == 0:
            report(progress)
    return progress


def _advance(progress: Pretraining, *, loss: float, tokens: int) -> None:
    progress.loss = loss if math.isnan(progress.loss) else 0.97 * progress.loss + 0.03 * loss
    progress.steps += 1
    progress.tokens += tokens


def _optimizers(model: Qwen2ForCausalLM, recipe: StarterRecipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for embeddings, norms and biases."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and "embed" not in name else others).append(parameter)
    muon = torch.optim.Muon(
        matrices,
        lr=recipe.learning_rate,
        weight_decay=0.0,
        momentum=recipe.momentum,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(others, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    return [muon, adamw]


def _set_rate(optimizers: list[torch.optim.Optimizer], recipe: StarterRecipe, progress: Pretraining) -> None:
    spent = min(1.0, progress.seconds / (60 * recipe.minutes))
    cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * spent))
    warm = min(1.0, (progress.steps + 1) / recipe.warmup_steps)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * cosine * warm


def _batches(encode: SequenceEncoder, recipe: StarterRecipe, spent: Callable[[], float]) -> Iterator[Batch]:
    """Pure look-up first, then the mixture with ever more values per pair."""
    random = Random(recipe.seed + 1)
    while True:
        share = spent()
        climb = (share - recipe.look_up_share) / recipe.climb_share
        level = min(recipe.top_level, 1 + int(max(0.0, climb) * recipe.top_level))
        skill = random_look_up if share < recipe.look_up_share else draw
        if skill is random_look_up:
            level = 1 + int(4 * share / recipe.look_up_share)
        queue = bucketed([encode(skill(random, level)) for _ in range(128)], recipe.batch_tokens)
        random.shuffle(queue)
        yield from queue
