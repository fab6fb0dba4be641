"""Token counts and costs in the spellings that Langfuse takes."""

from __future__ import annotations

from typing import Any

from slmhub.formats.fields import number_of, object_in, tokens_of
from slmhub.formats.records import Usage

_INPUT = ("input", "input_tokens", "prompt_tokens", "promptTokens", "prompt")
_OUTPUT = ("output", "output_tokens", "completion_tokens", "completionTokens", "completion")
_TOTAL = ("total", "total_tokens", "totalTokens")
_CACHED = ("cache_read", "cached_tokens", "cache_read_input_tokens", "cached", "cachedTokens", "cached_input")
_WRITTEN = ("cache_creation", "cache_creation_input_tokens", "cache_write", "cache_write_tokens")
_REASONING = ("reasoning", "reasoning_tokens", "thoughts_tokens", "thoughts_token_count")
_OF_INPUT = ("input_", "prompt_details.", "prompt_tokens_details.")
_OF_OUTPUT = ("output_", "completion_details.", "completion_tokens_details.")


def usage_of(details: Any) -> Usage:
    """Of `usageDetails` or the older `usage`.

    Langfuse's counts exclude one another: `input_cached_tokens` is not in `input`, unless input and output
    alone make the total, or the keys are those of an API that includes it.
    """
    counts = _counts_of(object_in(details))
    inputs = {
        key: count
        for key, count in counts.items()
        if key not in _INPUT and (key.startswith(_OF_INPUT) or key in _CACHED or key in _WRITTEN)
    }
    outputs = {
        key: count for key, count in counts.items() if key not in _OUTPUT and key.startswith(_OF_OUTPUT)
    }
    usage = Usage(
        input=_first(counts, _INPUT),
        output=_first(counts, _OUTPUT),
        cached_input=_detail(inputs, _CACHED),
        cache_write=_detail(inputs, _WRITTEN),
        reasoning=_detail({**outputs, **counts}, _REASONING),
    )
    is_nested = any("." in key for key in counts)
    total = _first(counts, _TOTAL)
    if is_nested or (total is not None and total == (usage.input or 0) + (usage.output or 0)):
        return usage
    usage.input = _sum_of(usage.input, inputs)
    usage.output = _sum_of(usage.output, outputs)
    return usage


def _counts_of(details: dict[str, Any]) -> dict[str, int]:
    """Every count by its key; those of a nested object, as OpenAI has them, by "outer.inner"."""
    flat = dict(details)
    for key, value in details.items():
        for name, count in object_in(value).items():
            flat[f"{key}.{name}"] = count
    counts = {}
    for key, value in flat.items():
        count = tokens_of(value)
        if count is not None:
            counts[key] = count
    return counts


def cost_of(body: dict[str, Any]) -> float | None:
    """USD of an observation; a cost of nothing is no cost."""
    for key in ("costDetails", "providedCostDetails"):
        details = {name: number_of(value) for name, value in object_in(body.get(key)).items()}
        costs = {name: cost for name, cost in details.items() if cost}
        if costs:
            return costs.get("total") or sum(costs.values())
    usage = object_in(body.get("usage"))
    places = ((body, "totalCost"), (body, "calculatedTotalCost"), (usage, "totalCost"), (usage, "total_cost"))
    for place, key in places:
        cost = number_of(place.get(key))
        if cost:
            return cost
    return None


def _detail(counts: dict[str, int], names: tuple[str, ...]) -> int | None:
    for key, count in counts.items():
        bare = key.rpartition(".")[2].removeprefix("input_").removeprefix("output_")
        if key in names or bare in names:
            return count
    return None


def _first(counts: dict[str, int], keys: tuple[str, ...]) -> int | None:
    return next((counts[key] for key in keys if key in counts), None)


def _sum_of(base: int | None, details: dict[str, int]) -> int | None:
    return base if not details else (base or 0) + sum(details.values())
