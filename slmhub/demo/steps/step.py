"""What every step of the support desk is made of."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from slmhub.demo.grammar import Slots, Wording, read_shapes, read_text
from slmhub.demo.messages import Answer, Message, last_text
from slmhub.demo.planted import Entity


@dataclass(frozen=True)
class Step:
    """One kind of LLM call: its standing prompt, how its input is written and read, what it answers."""

    name: str
    system: str
    write: Callable[[random.Random, Slots, tuple[str, ...]], str]
    read: Callable[[list[Message]], Slots | None]
    answer: Callable[[Slots], Answer]
    tools: tuple[dict[str, Any], ...] = ()
    response_format: dict[str, Any] | None = None
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    plants: tuple[Entity, ...] = ()


@dataclass(frozen=True)
class Wordings:
    """The wording pool of a step whose input is a customer's text."""

    pool: tuple[Wording, ...]
    asides: tuple[str, ...]
    needs: tuple[str, ...]

    def write(self, rng: random.Random, slots: Slots, planted: tuple[str, ...]) -> str:
        chosen = rng.choice([w for w in self.pool if w.fits(slots)])
        aside = (rng.choice(self.asides),) if rng.random() < 0.5 else ()
        return chosen.render(rng, slots, (*aside, *planted))

    def read(self, messages: list[Message]) -> Slots | None:
        text = last_text(messages, "user")
        return read_text(text, self.pool) or read_shapes(text, self.needs)


def tool_schema(name: str, description: str, /, **parameters: str) -> dict[str, Any]:
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def json_schema(name: str, /, **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


JSON_OBJECT: dict[str, Any] = {"type": "json_object"}
