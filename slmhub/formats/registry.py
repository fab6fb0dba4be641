"""Every row format, the more specific shape first: the first one that claims a row reads it.

And what to say of a row when none does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from slmhub.formats.examples import alpaca, openai_dpo, openai_finetune, prompt_completion, sharegpt
from slmhub.formats.exchanges import openai_batch, openai_chat, pairs, stored_completions
from slmhub.formats.files.detection import BOM
from slmhub.formats.foreign_json import NotJsonError, decode
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
_WORD = re.compile(r"[a-z_]{4,}")
_FILLERS = frozenset(("with", "that", "them", "their", "list"))
# The share of a format's keys that a row must have to be called near to it.
_NEAR = 0.5


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


def detect(first_lines: Iterable[bytes]) -> str | None:
    """The format of the first line that any format claims."""
    for line in first_lines:
        try:
            row = decode(line.removeprefix(BOM))
        except NotJsonError:
            continue
        if found := claiming(row):
            return found.name
    return None


def unknown_shape(row: Any, formats: Sequence[Format] = FORMATS) -> str:
    """Names the keys that were found, the nearest format, and the way out."""
    if isinstance(row, list):
        return "the line is a JSON list, expected one object a line"
    if not isinstance(row, dict):
        return f"the line is a JSON {type(row).__name__}, expected one object a line"
    keys = ", ".join(sorted(key[:40] for key in row)[:12]) or "none"
    return f"unknown shape: keys {keys}; {_advice(row, formats)}"


def _advice(row: dict[str, Any], formats: Sequence[Format]) -> str:
    if len(formats) == 1:
        return f"expected {formats[0].expected} ({formats[0].name})"
    if row.get("type") == "function" and "function" in row:
        return "this is a tool's definition, no call"
    way_out = "no known format; say by hand which key is which (a mapping)"
    nearest = max(formats, key=lambda known: _likeness(row, known))
    if _likeness(row, nearest) < _NEAR:
        return way_out
    return f"nearest is {nearest.name}, which expects {nearest.expected}; or else {way_out}"


def _likeness(row: dict[str, Any], known: Format) -> float:
    words = set(_WORD.findall(known.expected)) - _FILLERS
    return len(words & row.keys()) / max(len(words), 1)
