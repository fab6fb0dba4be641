"""LangChain's results of a model: `{generations: [[{text, message, generation_info}]], llm_output}`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from slmhub.formats.fields import Json, as_text, either, first_text, object_in, objects_in, tokens_of
from slmhub.formats.parts import assistant, text_part
from slmhub.formats.platforms import langchain_messages
from slmhub.formats.providers.names import finish_of
from slmhub.formats.providers.shapes import Answered
from slmhub.formats.records import Issue, Usage

_FINISH_KEYS = ("finish_reason", "stop_reason", "done_reason")
_MODEL_KEYS = ("model_name", "model", "model_id")


def answered_in_generations(given: Any, issues: set[Issue]) -> Answered | None:
    """The first candidate for the first prompt; None when there is none."""
    candidates = object_in(given).get("generations")
    while isinstance(candidates, list) and candidates and isinstance(candidates[0], list):
        candidates = candidates[0]
    found = objects_in(candidates)
    if not found:
        return None
    if len(found) > 1:
        issues.add(Issue.SEVERAL_CHOICES)

    generation, whole = found[0], object_in(given.get("llm_output"))
    message = object_in(generation.get("message"))
    fields = langchain_messages.fields_of(message)
    about, more = object_in(fields.get("response_metadata")), object_in(generation.get("generation_info"))
    if langchain_messages.is_message(message) or isinstance(message.get("role"), str):
        output = langchain_messages.message_of(message, issues)
    else:
        output = assistant([text_part(as_text(generation.get("text") or ""))])
    reason = first_text([about, more], _FINISH_KEYS)
    finish = finish_of(reason)
    return Answered(
        output=output,
        usage=first_usage([usage_of(fields.get("usage_metadata")), _token_usage(about), _token_usage(whole)]),
        finish_reason=finish,
        finish_reason_given=reason if reason != finish else None,
        model=first_text([about, whole], _MODEL_KEYS),
        response_id=first_text([about, whole, fields], ("id",)) if message else None,
    )


def usage_of(metadata: Any) -> Usage:
    """LangChain's `usage_metadata`: cached tokens are part of the input, reasoning of the output."""
    given = object_in(metadata)
    inputs = object_in(given.get("input_token_details"))
    outputs = object_in(given.get("output_token_details"))
    return Usage(
        input=tokens_of(given.get("input_tokens")),
        output=tokens_of(given.get("output_tokens")),
        cached_input=tokens_of(inputs.get("cache_read")),
        cache_write=tokens_of(inputs.get("cache_creation")),
        reasoning=tokens_of(outputs.get("reasoning")),
    )


def first_usage(usages: Iterable[Usage]) -> Usage:
    """Field by field the first that is known."""
    known: dict[str, int] = {}
    for usage in usages:
        for name, value in msgspec.structs.asdict(usage).items():
            if value is not None:
                known.setdefault(name, value)
    return Usage(**known)


def _token_usage(place: Json) -> Usage:
    """What the provider's own counts became on the way: OpenAI's spelling, or Anthropic's."""
    given = object_in(place.get("token_usage") or place.get("usage"))
    prompt = object_in(given.get("prompt_tokens_details"))
    completion = object_in(given.get("completion_tokens_details"))
    return Usage(
        input=tokens_of(either(given, "prompt_tokens", "input_tokens")),
        output=tokens_of(either(given, "completion_tokens", "output_tokens")),
        cached_input=tokens_of(prompt.get("cached_tokens")),
        reasoning=tokens_of(completion.get("reasoning_tokens")),
    )
