"""What kind of call this is: the part of it that repeats, with the values taken out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache
from typing import Any

import orjson
import xxhash

from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.records import Message
from slmhub.formats.tool_calls import tool_calls_of

SLOT = "<*>"
START, USER, TOOL, RESPOND, NOTHING = "start", "user", "tool", "respond", "none"
# The name of a tool that has none.
UNKNOWN = "unknown"
_PROMPT_ROLES = frozenset({"system", "developer"})
_LONGEST_WORD = 32
_KEYS_SHOWN = 20

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{3,40}-----[^-]*-----END [A-Z0-9 ]{3,40}-----")
_ADDRESS = re.compile(r"\b[a-z]{2,12}://[^\s\"'<>{}|()\[\],;]*[^\s\"'<>{}|()\[\],;.:!?]")
_SURROGATE = re.compile(r"\[[A-Z][A-Z_]{1,40}_\d+\]")
_WORD = re.compile(r"[^\s\"'{}<>,;|()\[\]=]+")
_HAS_SLOT = re.compile(r"\d|@")
_SLOT_RUN = re.compile(r"[+(#]*<\*>(?:[ ()+.#-]{0,3}<\*>)*")
_WORD_END = ".:!?"


class Audience(StrEnum):
    MACHINE = "machine"
    HUMAN = "human"


@lru_cache(maxsize=256)
def mask(text: str) -> str:
    """The text with every value (e-mail, address, date, id, number, surrogate, long token) as one slot.

    Original and redacted text give the same result where a finding is a value of these kinds.
    """
    plain = _SURROGATE.sub("0", _ADDRESS.sub("0", _PEM.sub("0", text)))
    return _SLOT_RUN.sub(SLOT, _WORD.sub(_masked_word, plain))


def text_of(content: Any) -> str:
    """The text of a message's content: a string, null, or parts (text, refusal and reasoning parts count)."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = []
    for part in content:
        text = part
        if isinstance(part, dict):
            text = part.get("text") or part.get("refusal") or part.get("reasoning")
        if text and isinstance(text, str):
            texts.append(text)
    return "\n".join(texts)


def template_of(messages: Iterable[Message]) -> str:
    """The masked text of the system and developer prompts."""
    prompts = (message for message in messages if message.get("role") in _PROMPT_ROLES)
    return "\n".join(mask(text_of(message.get("content"))) for message in prompts)


def previous_kind(messages: list[Message]) -> str:
    """What the call answers: "start", "user", "tool:NAME", or another role's name."""
    last = messages[-1] if messages else {}
    role = last.get("role")
    if not role or role in _PROMPT_ROLES:
        return START
    if role != TOOL:
        return str(role)
    wanted = last.get("tool_call_id")
    for message in reversed(messages[:-1]) if wanted is not None else ():
        for call in tool_calls_of(message):
            if call.id == wanted:
                return f"{TOOL}:{call.name or UNKNOWN}"
    return f"{TOOL}:{last.get('name') or UNKNOWN}"


def action_of(output: Message | None) -> str:
    """What the answer does: "tool:NAME" ("tool:A+B"), "json:key,key", "respond", or "none"."""
    if not output:
        return NOTHING
    # Each once, in order: a model may call one tool several times at once.
    names = dict.fromkeys(call.name or UNKNOWN for call in tool_calls_of(output))
    if names:
        return f"{TOOL}:{'+'.join(names)}"
    keys = _json_keys(text_of(output.get("content")))
    return RESPOND if keys is None else f"json:{','.join(keys[:_KEYS_SHOWN])}"


def argument_keys(output: Message | None) -> tuple[str, ...]:
    """Sorted keys of the tool calls' arguments, or of the JSON object that the answer is."""
    if not output:
        return ()
    sources = [call.arguments for call in tool_calls_of(output)] or [text_of(output.get("content"))]
    return tuple(sorted({key for source in sources for key in _json_keys(source) or ()}))


def audience(action: str, parameters: dict[str, Any]) -> Audience:
    """Who reads the answer: a machine when it calls tools, is JSON (`action_of`), or was asked to be."""
    wanted = parameters.get("response_format")
    asked = isinstance(wanted, dict) and str(wanted.get("type", "")).startswith("json")
    machine = asked or action not in (RESPOND, NOTHING)
    return Audience.MACHINE if machine else Audience.HUMAN


def routing_signature(messages: list[Message], tools: list[dict[str, Any]]) -> str:
    """32 hex digits of what a router knows before the answer: prompt template, tools, what came before."""
    names = sorted({defined_name(tool) for tool in tools})
    return xxhash.xxh3_128_hexdigest(orjson.dumps([template_of(messages), names, previous_kind(messages)]))


def first_ask(messages: Iterable[Message]) -> str:
    """The text of the first user message, "" without one."""
    return next((text_of(message.get("content")) for message in messages if message.get("role") == USER), "")


def last_ask(messages: list[Message]) -> str:
    """The text of the last user message, "" without one."""
    return first_ask(reversed(messages))


def _masked_word(match: re.Match[str]) -> str:
    word = match.group()
    body = word.rstrip(_WORD_END)
    if len(body) < _LONGEST_WORD and not _HAS_SLOT.search(body):
        return word
    return SLOT + word[len(body) :] if body else word


def defined_name(tool: dict[str, Any]) -> str:
    function = tool.get("function")
    return str((function if isinstance(function, dict) else tool).get("name") or tool.get("type") or "")


def _json_keys(text: str) -> list[str] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = decode(text)
    except NotJsonError:
        return None
    return sorted(value)
