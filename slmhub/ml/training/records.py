"""What a run writes for others to read: lines of progress, and the manifest of what it made."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from slmhub.ml.methods import DEFAULT
from slmhub.ml.prompt_formats import COMPACT

Record = TypeVar("Record")


class ProgressLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of progress.jsonl. A figure that is not measured at this step, or is no number, is None."""

    step: int = 0
    total_steps: int = 0
    epoch: float | None = None
    loss: float | None = None
    learning_rate: float | None = None
    eval_loss: float | None = None
    eval_exact: float | None = None
    elapsed_s: float | None = None
    eta_s: float | None = None
    tokens_per_s: float | None = None
    at: str = ""


class ExampleCounts(msgspec.Struct, frozen=True, kw_only=True):
    train: int = 0
    validation: int = 0
    left_out_too_long: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished run made, and of what. Its file is written last: where it stands, all is there.

    `path` is the folder of the weights and `files` the hashes of what is in it, both seen from the run's
    folder; `sha256` stands for the weights and is empty before there are any. Runs from before there were
    formats and methods name none.
    """

    kind: str = "specialist"
    path: str = ""
    base: str = ""
    base_sha256: str | None = None
    sha256: str = ""
    method: str = DEFAULT
    prompt_format: str = COMPACT
    static_prompt: dict[str, Any] = {}
    recipe: dict[str, Any] = {}
    files: dict[str, str] = {}
    examples: ExampleCounts = ExampleCounts()
    steps: int = 0
    seconds: float | None = None
    final_loss: float | None = None
    validation_loss: float | None = None
    validation_exact: float | None = None
    versions: dict[str, str] = {}


def read_record(text: str | bytes, kind: type[Record]) -> Record:
    """NaN and Infinity, which a diverging run writes, become None. Raises ValueError."""
    try:
        return msgspec.convert(json.loads(text, parse_constant=lambda _: None), kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
