"""The SPEC of a training run and its examples, checked before anything heavy is loaded. Imports no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from slmhub.ml.methods import DEFAULT, METHODS
from slmhub.ml.methods.recipe import LENGTHS, Recipe, fields_of
from slmhub.ml.prompt_formats import COMPACT, FORMATS


class InputError(Exception):
    """The SPEC or its files cannot be trained on; `kind` is for programs, the message for people."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True)
class Example:
    """Texts that a prompt format has rendered."""

    id: str
    prompt: str
    completion: str


@dataclass(frozen=True)
class Conversation:
    """A call as OpenAI chat shapes, to be rendered by the format of the run."""

    id: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    answer: dict[str, Any]


@dataclass(frozen=True)
class TrainingSpec:
    """Where to read and write, and how to train."""

    run_dir: Path
    base: str
    train: Path
    validation: Path
    recipe: Recipe
    static_prompt: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prompt_format: str = COMPACT

    def fingerprint(self) -> str:
        """Equal for two SPECs that train the same thing in the same folder."""
        fields = {**vars(self), "recipe": msgspec.to_builtins(self.recipe)}
        if self.prompt_format == COMPACT:
            # Folders from before there were formats must be known again.
            del fields["prompt_format"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode()).hexdigest()


def read_spec(path: Path) -> TrainingSpec:
    """Raises InputError if the file is not a valid SPEC."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("spec", f"Cannot read the SPEC {path}: {error}") from error
    if not isinstance(raw, dict):
        raise InputError("spec", "The SPEC must be a JSON object.")
    missing = [key for key in ("run_dir", "base", "train", "validation") if not raw.get(key)]
    if missing:
        raise InputError("spec", f"The SPEC lacks {', '.join(missing)}.")
    prompt_format = raw.get("prompt_format", COMPACT)
    if prompt_format not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError("prompt_format", f"Prompt format {prompt_format!r} is not known; known: {known}.")
    return TrainingSpec(
        run_dir=Path(raw["run_dir"]),
        base=str(raw["base"]),
        train=Path(raw["train"]),
        validation=Path(raw["validation"]),
        recipe=read_recipe(raw.get("recipe") or {}),
        static_prompt=raw.get("static_prompt") or {},
        prompt_format=prompt_format,
    )


def read_recipe(raw: Mapping[str, Any]) -> Recipe:
    """Raises InputError on an unknown key, an unsupported method or a number out of bounds."""
    name = raw.get("method", DEFAULT)
    if not isinstance(name, str) or name not in METHODS:
        raise InputError("method", f"Method {name!r} is not supported; supported: {', '.join(METHODS)}.")
    kind: type[Recipe] = METHODS[name].recipe
    fields = fields_of(kind)
    unknown = sorted(raw.keys() - fields.keys() - {"method"})
    if unknown:
        raise InputError("recipe", f"The recipe has unknown keys: {', '.join(unknown)}.")
    for field in fields.values():
        value = raw.get(field.name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and field.least <= value <= field.most):
            words = f"{field.name} must be a number from {field.least} to {field.most}, not {value!r}."
            raise InputError("recipe", words)
    try:
        recipe = msgspec.convert({**raw, "method": name}, kind)
    except msgspec.ValidationError as error:
        raise InputError("recipe", f"The recipe cannot be read: {error}") from error
    lengths = [length for length in LENGTHS if getattr(recipe, length) is not None]
    if len(lengths) > 1:
        raise InputError("recipe", f"The recipe may hold only one of {', '.join(lengths)}.")
    return recipe if lengths else msgspec.structs.replace(recipe, steps=300)


def read_examples(path: Path, prompt_format: str = COMPACT) -> list[Example | Conversation]:
    """Raises InputError if the file cannot be read, a line is malformed or nothing is in it."""
    try:
        with path.open(encoding="utf-8") as lines:
            examples = [
                _example(line, prompt_format, place=f"{path}, line {number}", number=number)
                for number, line in enumerate(lines, 1)
                if line.strip()
            ]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("data", f"Cannot read {path}: {error}") from error
    if not examples:
        raise InputError("empty_data", f"{path} holds no examples.")
    return examples


def _example(line: str, prompt_format: str, *, place: str, number: int) -> Example | Conversation:
    """`{"prompt", "completion"}` is compact text; `{"messages", "answer", "tools"}` suits any format."""
    try:
        raw = json.loads(line)
        name = str(raw.get("id", number))
        if "messages" in raw:
            return Conversation(
                name, list(raw["messages"]), list(raw.get("tools") or ()), dict(raw["answer"])
            )
        prompt, completion = raw["prompt"], raw["completion"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("data", f"{place}: {error!r}") from error
    if not isinstance(prompt, str) or not isinstance(completion, str):
        raise InputError("data", f"{place}: prompt and completion must be strings.")
    if prompt_format != COMPACT:
        raise InputError("data", f"{place}: the {prompt_format} format needs messages and an answer.")
    return Example(name, prompt, completion)
