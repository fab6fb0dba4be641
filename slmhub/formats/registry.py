"""Every row format, the more specific shape first: the first one that claims a row reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from slmhub.formats.examples import alpaca, openai_dpo, openai_finetune, prompt_completion, sharegpt
from slmhub.formats.exchanges import openai_batch, openai_chat, pairs, stored_completions
from slmhub.formats.otlp import json_exports as otlp_json
from slmhub.formats.platforms import (
    captures,
    langfuse_export,
    langfuse_ingestion,
    langsmith_runs,
    vercel_spans,
)
from slmhub.formats.records import Record, Reject
from slmhub.formats.trajectories import swe_agent, tau2, tau_bench, toolbench

AUTO = "auto"


class Format(NamedTuple):
    """`matches` looks at a decoded JSON value; `records` reads it and raises MalformedError.

    One row may hold many spans (an OTLP export, a trace of Langfuse); of those a bad one is yielded as a
    Reject (its line number is set by the reader) and the rest goes in.
    """

    name: str
    expected: str
    matches: Callable[[Any], bool]
    records: Callable[[Any], Iterable[Record | Reject]]


FORMATS = tuple(
    Format(module.NAME, module.EXPECTED, module.matches, module.records)
    for module in (
        captures,
        otlp_json,
        langfuse_ingestion,
        langfuse_export,
        langsmith_runs,
        vercel_spans,
        openai_batch,
        openai_chat,
        pairs,
        stored_completions,
        tau2,
        tau_bench,
        swe_agent,
        toolbench,
        openai_dpo,
        sharegpt,
        openai_finetune,
        alpaca,
        prompt_completion,
    )
)


class UnknownFormatError(ValueError):
    """A format name that nobody here reads."""


def formats_named(format: str) -> tuple[Format, ...]:
    """All formats for "auto", else the one of that name. Raises UnknownFormatError."""
    chosen = tuple(known for known in FORMATS if format in (AUTO, known.name))
    if not chosen:
        known = ", ".join(known.name for known in FORMATS)
        raise UnknownFormatError(f"unknown format {format!r}; known: auto, {known}")
    return chosen


def claiming(row: Any, formats: tuple[Format, ...] = FORMATS) -> Format | None:
    return next((known for known in formats if known.matches(row)), None)
