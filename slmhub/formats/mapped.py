"""Rows of an unknown JSON shape, read by a mapping that a person draws: which key holds what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any

import msgspec
import xxhash

from slmhub.formats.chat_shapes import message_of
from slmhub.formats.conversations import role_of, split_answer
from slmhub.formats.fields import as_text, content_id, instant_of, number_of, objects_in, text_of, tokens_of
from slmhub.formats.records import Issue, MalformedError, Message, Record, SpanKind, Usage
from slmhub.formats.tools import definition_of

NAME = "mapped"

_STEP = re.compile(r'([^.\[\]"]+)|\[(\d+|\*)\]|\["((?:[^"\\]|\\.)*)"\]|(\.)')
_PLAIN = re.compile(r'[^.\[\]"]+')
_MOST_PATHS, _DEEPEST_PATH, _EXAMPLE = 200, 8, 80
_FINGERPRINT_DEPTH = 3
_LOOKED_AT = 20
_NOT_PATHS = frozenset(("role_key", "content_key", "roles"))

# What emitters call these things, the likeliest first; compared without case, "_" and "-".
_NAMES = {
    "prompt": ("prompt", "question", "query", "instruction", "input", "usermessage", "userinput", "request"),
    "system": ("system", "systemprompt", "systemmessage", "instructions"),
    "output": (
        "completion", "output", "response", "answer", "reply", "assistantmessage", "generation", "result",
    ),
    "tools": ("tools", "functions", "toolschemas"),
    "model": ("model", "modelname", "modelid", "engine", "deployment"),
    "session": ("sessionid", "session", "conversationid", "threadid", "chatid"),
    "user": ("userid", "user", "customerid", "enduser"),
    "started_at": ("startedat", "starttime", "timestamp", "createdat", "created", "time", "date", "ts"),
    "latency_ms": ("latencyms", "durationms", "elapsedms", "latency", "responsetimems"),
    "input_tokens": ("inputtokens", "prompttokens", "tokensin", "tokensprompt", "promptn"),
    "output_tokens": ("outputtokens", "completiontokens", "tokensout", "tokenscompletion"),
    "cost": ("cost", "totalcost", "costusd", "price"),
    "id": ("id", "callid", "requestid", "spanid", "uuid"),
    "trace_id": ("traceid",),
    "parent_id": ("parentid", "parentspanid"),
    "error": ("error", "errormessage", "exception"),
}  # fmt: skip
_ROLE_NAMES = ("role", "from", "speaker", "author", "sender", "type")
_CONTENT_NAMES = ("content", "value", "text", "message", "body")
_LISTS_OF_MESSAGES = (
    "messages",
    "conversation",
    "conversations",
    "dialog",
    "dialogue",
    "turns",
    "history",
    "chat",
)

Step = str | int | None


class Mapping(msgspec.Struct, kw_only=True, frozen=True):
    """Paths into a row ("a.b", "a[0].b", "a[*].b", `["a.b"]`), "" for what it does not hold.

    `messages` is a list of objects whose role and content stand under `role_key` and `content_key`; without
    `output` the last message of the assistant is the answer. `roles` translates the row's names of roles.
    """

    messages: str = ""
    prompt: str = ""
    system: str = ""
    output: str = ""
    tools: str = ""
    model: str = ""
    session: str = ""
    user: str = ""
    started_at: str = ""
    latency_ms: str = ""
    input_tokens: str = ""
    output_tokens: str = ""
    cost: str = ""
    id: str = ""
    trace_id: str = ""
    parent_id: str = ""
    error: str = ""
    role_key: str = "role"
    content_key: str = "content"
    roles: dict[str, str] = {}


PATHS = tuple(name for name in Mapping.__struct_fields__ if name not in _NOT_PATHS)


class PathError(ValueError):
    """A path that cannot be read; the message says where."""


def check(mapping: Mapping) -> None:
    """Raises PathError for a path that is none, and for a mapping that finds no answer."""
    for name in PATHS:
        steps_of(getattr(mapping, name))
    if not (mapping.messages or mapping.prompt):
        raise PathError("say where the messages or the prompt stand")
    if not (mapping.messages or mapping.output or mapping.error):
        raise PathError("say where the answer stands")


@lru_cache(maxsize=1000)
def steps_of(path: str) -> tuple[Step, ...]:
    """Keys, indices, and None for `[*]`. Raises PathError."""
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise PathError(f"{path[:200]!r} is no path: see character {at + 1}")
        key, index, quoted, _ = found.groups()
        if key is not None or quoted is not None:
            steps.append(key if key is not None else re.sub(r"\\(.)", r"\1", quoted))
        elif index is not None:
            steps.append(None if index == "*" else int(index[:9]))
        at = found.end()
    return tuple(steps)


def value_at(row: Any, path: str) -> Any:
    """What stands at the path; a list for one with `[*]`; None for nothing. Raises PathError."""
    return _value(row, steps_of(path)) if path else None


def _value(value: Any, steps: tuple[Step, ...]) -> Any:
    for index, step in enumerate(steps):
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        elif not isinstance(value, list):
            return None
        elif step is None:
            found = (_value(item, steps[index + 1 :]) for item in value)
            return [item for item in found if item is not None]
        else:
            value = value[step] if step < len(value) else None
    return value


def apply(row: Any, mapping: Mapping) -> Record:
    """The call of one row. Raises MalformedError."""
    if not isinstance(row, dict):
        raise MalformedError(f"the row is a JSON {type(row).__name__}, and the mapping reads objects")
    try:
        return _record(row, mapping)
    except PathError as error:
        raise MalformedError(str(error)) from error


def _record(row: dict[str, Any], mapping: Mapping) -> Record:
    found = {name: value_at(row, getattr(mapping, name)) for name in PATHS}
    understood = {steps[0] for steps in (steps_of(getattr(mapping, name)) for name in PATHS) if steps}
    attributes = {key: value for key, value in row.items() if key not in understood}
    issues: set[Issue] = set()
    messages, output = _talk(found, mapping, issues, attributes)
    error = _text(found["error"])
    if output is None and not error:
        raise MalformedError(f"no answer at {mapping.output or mapping.messages!r}")
    span_id, model = text_of(found["id"]) or content_id(row), text_of(found["model"])
    record = Record(
        kind=SpanKind.LLM,
        name=f"chat {model}" if model else "chat",
        span_id=span_id,
        trace_id=text_of(found["trace_id"]) or span_id,
        parent_id=text_of(found["parent_id"]),
        session=text_of(found["session"]),
        user=text_of(found["user"]),
        started_at=instant_of(found["started_at"], issues),
        latency_ms=number_of(found["latency_ms"]),
        model=model,
        messages=messages,
        tools=[definition_of(tool) for tool in objects_in(found["tools"])],
        output=output,
        usage=Usage(input=tokens_of(found["input_tokens"]), output=tokens_of(found["output_tokens"])),
        cost=number_of(found["cost"]),
        error=error,
        attributes=attributes,
        format=NAME,
    )
    if record.started_at and record.latency_ms is not None and record.latency_ms < 1e12:
        record.ended_at = record.started_at + timedelta(milliseconds=record.latency_ms)
    if issues:
        record.attributes["issues"] = sorted(issues)
    return record


def _talk(
    found: dict[str, Any], mapping: Mapping, issues: set[Issue], attributes: dict[str, Any]
) -> tuple[list[Message], Message | None]:
    messages = _messages(found["messages"], mapping, issues)
    system = _text(found["system"])
    if system:
        messages.insert(0, {"role": "system", "content": system})
    if found["prompt"] is not None:
        messages += _spoken(found["prompt"], "user", mapping, issues)
    if found["output"] is not None:
        messages += _spoken(found["output"], "assistant", mapping, issues)
    # A call that failed has no answer; without an error the last answer is the one to learn.
    if found["error"] and (not messages or messages[-1]["role"] != "assistant"):
        return messages, None
    return split_answer(messages, attributes)


def _messages(value: Any, mapping: Mapping, issues: set[Issue]) -> list[Message]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedError(f"{mapping.messages} is no list of messages")
    return [_message(item, mapping, issues, f"message {number}") for number, item in enumerate(value, 1)]


def _message(item: Any, mapping: Mapping, issues: set[Issue], where: str) -> Message:
    if not isinstance(item, dict):
        raise MalformedError(f"{where} is no object")
    role = _text(value_at(item, mapping.role_key))
    content = value_at(item, mapping.content_key)
    if role is None:
        raise MalformedError(f"{where} has no {mapping.role_key}")
    own = (mapping.role_key, mapping.content_key)
    given: Message = {"role": mapping.roles.get(role) or role_of(role)}
    given |= {key: value for key, value in item.items() if key not in own and key not in given}
    given["content"] = content if isinstance(content, list | None) else _text(content)
    return message_of(given, issues, where)


def _spoken(value: Any, role: str, mapping: Mapping, issues: set[Issue]) -> list[Message]:
    """A text, one message or a list of messages."""
    if isinstance(value, dict) and value_at(value, mapping.role_key) is not None:
        return [_message(value, mapping, issues, role)]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return _messages(value, mapping, issues)
    return [{"role": role, "content": _text(value)}]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    return as_text(value)


def fingerprint(row: Any) -> str:
    """32 hex digits of the keys to a depth of three, whatever the values: rows of one emitter share it."""
    paths = sorted({path for path, _ in _walk(row, "", _FINGERPRINT_DEPTH)})
    return xxhash.xxh3_128_hexdigest("\n".join(paths).encode(errors="surrogatepass"))


def paths_of(rows: Iterable[Any]) -> list[tuple[str, str]]:
    """The paths of some rows, each with an example of at most 80 characters."""
    found: dict[str, str] = {}
    for row in rows:
        for path, value in _walk(row, "", _DEEPEST_PATH):
            if len(found) >= _MOST_PATHS:
                return list(found.items())
            text = as_text(value)
            found.setdefault(path, text if len(text) <= _EXAMPLE else text[: _EXAMPLE - 1] + "…")
    return list(found.items())


def _walk(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if path:
        yield path, value
    if depth == 0:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, _joined(path, key), depth - 1)
    elif isinstance(value, list):
        for item in value[:_LOOKED_AT]:
            if isinstance(item, dict):
                # The `[*]` itself is no level.
                for key, inner in item.items():
                    yield from _walk(inner, _joined(f"{path}[*]", key), depth - 1)


def _joined(path: str, key: str) -> str:
    if not _PLAIN.fullmatch(key):
        return path + '["' + re.sub(r'(["\\])', r"\\\1", key) + '"]'
    return f"{path}.{key}" if path else key


def suggest(row: Any) -> Mapping:
    """A first guess from names and shapes, for a person to correct."""
    places = list(dict(_walk(row, "", _DEEPEST_PATH)).items())[:_MOST_PATHS]
    single = [(path, value) for path, value in places if "[*]" not in path]
    lists: list[tuple[str, tuple[str, str]]] = []
    for path, value in single:
        keys = _message_keys(value)
        if keys:
            lists.append((path, keys))
    # Of several the one with a usual name, else the first.
    lists.sort(key=lambda place: _plain_name(place[0]) not in _LISTS_OF_MESSAGES)
    messages, (role_key, content_key) = lists[0] if lists else ("", ("role", "content"))
    found = {name: _named(names, single) for name, names in _NAMES.items()}
    if messages:
        found["prompt"] = ""
        found["output"] = "" if found["output"].startswith(messages) else found["output"]
    return msgspec.convert(
        {"messages": messages, "role_key": role_key, "content_key": content_key, **found}, Mapping
    )


def _message_keys(value: Any) -> tuple[str, str] | None:
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return None
    first = value[0]
    role = next((key for key in _ROLE_NAMES if isinstance(first.get(key), str)), None)
    content = next((key for key in _CONTENT_NAMES if key in first and key != role), None)
    return (role, content) if role and content else None


def _named(names: tuple[str, ...], places: list[tuple[str, Any]]) -> str:
    known: dict[str, str] = {}
    for path, value in places:
        if value is not None:
            known.setdefault(_plain_name(path), path)
    return next((known[name] for name in names if name in known), "")


def _plain_name(path: str) -> str:
    last = next((step for step in reversed(steps_of(path)) if isinstance(step, str)), "")
    return re.sub(r"[_\- ]", "", last).lower()
