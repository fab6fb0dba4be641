"""Short names of providers and of the ways an answer ends, whatever an emitter calls them."""

from __future__ import annotations

import re
from functools import lru_cache

_PROVIDERS = (
    ("azure", r"azure|^az\."),
    ("aws_bedrock", r"bedrock|^aws$|amazonaws"),
    ("google", r"google|gemini|vertex|^gcp\b|^palm$"),
    ("anthropic", r"anthropic|^claude$"),
    ("openrouter", r"openrouter"),
    ("openai", r"openai"),
    ("mistral", r"mistral"),
    ("ollama", r"ollama"),
    ("together", r"together"),
    ("fireworks", r"fireworks"),
    ("deepseek", r"deepseek"),
    ("perplexity", r"perplexity"),
    ("xai", r"^x_?\.?ai$|api\.x\.ai|^grok$"),
    ("groq", r"groq"),
    ("cohere", r"cohere"),
    ("watsonx", r"watsonx|^ibm\b"),
    ("moonshot", r"moonshot|^kimi$"),
    ("huggingface", r"hugging_?face"),
    ("litellm", r"litellm"),
    ("vllm", r"vllm"),
    ("portkey", r"portkey"),
)
_KNOWN = tuple((name, re.compile(pattern)) for name, pattern in _PROVIDERS)
_NOT_NAME = re.compile(r"[^a-z0-9_.-]+")
_LONGEST = 64

_STOP = "stop end_turn stop_sequence pause_turn finish finished complete completed eos eos_token "
_STOP += "stop_criteria_met end"
_LENGTH = (
    "length max_tokens max_output_tokens model_context_window_exceeded error_limit context_window_exceeded"
)
_CALLS = "tool_calls tool_call tool_use tool-calls function_call tool_use_start"
_FILTER = (
    "content_filter content-filter content_filtered refusal safety recitation blocklist "
    "prohibited_content spii language image_safety image_prohibited_content image_recitation "
    "guardrail_intervened error_toxic"
)
_ERROR = (
    "error failed cancelled canceled expired errored malformed_function_call unexpected_tool_call "
    "malformed_model_output malformed_tool_use other"
)
_WORDS = {
    word: meaning
    for meaning, words in (
        ("stop", _STOP),
        ("length", _LENGTH),
        ("tool_calls", _CALLS),
        ("content_filter", _FILTER),
        ("error", _ERROR),
    )
    for word in words.split()
}


def provider_of(text: str | None) -> str | None:
    """`openai`, `anthropic`, `google`, `aws_bedrock`, `azure` …; an unknown one as it is, in lower case.

    >>> provider_of("gcp.vertex_ai"), provider_of("az.ai.openai"), provider_of("MyProxy")
    ('google', 'azure', 'myproxy')
    """
    return _short_name(text[:_LONGEST].strip().lower()) if isinstance(text, str) and text else None


@lru_cache(maxsize=512)
def _short_name(lower: str) -> str | None:
    found = next((name for name, pattern in _KNOWN if pattern.search(lower)), None)
    return found or _NOT_NAME.sub("_", lower).strip("_") or None


def finish_of(given: str | None) -> str | None:
    """`stop`, `length`, `tool_calls`, `content_filter` or `error`; an unknown word as it is."""
    return _WORDS.get(given.lower(), given) if isinstance(given, str) and given else None
