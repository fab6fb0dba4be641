"""The ways in which a large model gets a step wrong."""

from __future__ import annotations

import random
import string
from dataclasses import replace
from typing import Any

from slmhub.demo.messages import Answer, dumps
from slmhub.demo.steps import REPLY, Step

_EXCUSES = (
    "I am sorry, I could not find this in the message.",
    "Could you please give me more details?",
    "Sure! Let me take care of that for you.",
)


def mistaken(step: Step, right: Answer, rng: random.Random) -> Answer:
    """A wrong answer in place of `right`: a wrong value mostly, else a lost field, prose or a cut-off."""
    if right.fields is None:
        return Answer(text=f"{rng.choice(_EXCUSES)} Nora")
    kind = rng.choices(("value", "lost", "prose", "cut"), weights=(70, 10, 12, 8))[0]
    if kind == "prose":
        return Answer(text=rng.choice(_EXCUSES))
    if kind == "cut" and right.tool is None:
        return Answer(text=dumps(right.fields)[: -rng.randint(2, 12)], truncated=True)
    if kind == "lost" and len(right.fields) > 1:
        lost = rng.choice(list(right.fields))
        return replace(right, fields={k: v for k, v in right.fields.items() if k != lost})
    return replace(right, fields=_one_wrong_value(step, right.fields, rng))


def erring(step: Step, right: Answer, key: str, rate: float) -> Answer:
    """`right`, or for a share `rate` of the keys a mistake: always the same one for the same key."""
    rng = random.Random(f"mistake:{step.name}:{key}")
    if step is REPLY or rng.random() >= rate:
        return right
    return mistaken(step, right, rng)


def _one_wrong_value(step: Step, fields: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    key = rng.choice(list(fields))
    return fields | {key: _wrong_value(fields[key], step.labels.get(key, ()), rng)}


def _wrong_value(value: Any, labels: tuple[str, ...], rng: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if labels:
        return rng.choice([label for label in labels if label != value])
    return _mistyped(value, rng) if value else "unknown"


def _mistyped(value: str, rng: random.Random) -> str:
    position = rng.choice([i for i, c in enumerate(value) if c.isalnum()])
    old = value[position]
    alphabet = string.digits if old.isdigit() else string.ascii_letters
    new = rng.choice([c for c in alphabet if c != old and c.isupper() == old.isupper()])
    return value[:position] + new + value[position + 1 :]
