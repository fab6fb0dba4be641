"""Trajectories of SWE-agent (.traj): `{history, trajectory, info, replay_config}`.

Every step that the model wrote is a call of one trace; demonstrations in the prompt are none. The agent's own
span carries what is only known of the whole run. The last step may stand in `trajectory` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.chat_shapes import messages_of
from slmhub.formats.conversations import ASSISTANT, check_length
from slmhub.formats.fields import as_text, content_id, filled, json_or_text, number_of, object_in, text_of
from slmhub.formats.records import Issue, MalformedError, Message, Record, Reject, SpanKind

NAME = "swe_agent"
EXPECTED = "trajectory and history"

_OWN = frozenset(
    ("thought", "action", "agent", "message_type", "is_demo", "tool_call_ids", "cache_control", "tags")
)
_ROOT = "run"
Entry = dict[str, Any]


def matches(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    history, steps = row.get("history"), row.get("trajectory")
    if isinstance(history, list):
        first = object_in(history[0]) if history else {}
        if "trajectory" in row or {"agent", "role"} <= first.keys():
            return True
    return isinstance(steps, list) and bool(steps) and isinstance(steps[0], dict) and "response" in steps[0]


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    steps = row.get("trajectory")
    if steps is None:
        steps = []
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise MalformedError("trajectory is no list of steps")
    entries = [*_history(row), *_unheard(row, steps)]
    check_length(entries)
    messages = messages_of([_message(entry) for entry in entries], set(), "history")
    turns = [
        at for at, entry in enumerate(entries) if entry["role"] == ASSISTANT and not entry.get("is_demo")
    ]
    if not turns:
        raise MalformedError("no step was written by the assistant")
    id = content_id(row)
    root = _root(row, id)
    yield root
    for number, at in enumerate(turns):
        asked = entries[at]
        # Several agents write into one history, and each sees its own entries.
        seen = [
            messages[before] for before in range(at) if entries[before].get("agent") == asked.get("agent")
        ]
        record = _call(asked, seen, f"{id}-{number}", root)
        if number < len(steps):
            step = steps[number]
            facts = {"tool_seconds": number_of(step.get("execution_time")), "state": step.get("state")}
            record.attributes |= {key: value for key, value in facts.items() if value not in (None, "", {})}
        record.attributes["turn"] = number
        yield record


def _history(row: dict[str, Any]) -> list[Entry]:
    history = row.get("history") or []
    if not isinstance(history, list):
        raise MalformedError("history is no list of messages")
    for number, entry in enumerate(history):
        if not isinstance(entry, dict) or not isinstance(entry.get("role"), str):
            raise MalformedError(f"history[{number}] has no role")
    return history


def _unheard(row: dict[str, Any], steps: list[Entry]) -> Iterator[Entry]:
    """Steps that the history lacks, as its entries: the last one, or all when there is no history."""
    history = _history(row)
    agent = history[-1].get("agent") if history else None
    known = sum(entry["role"] == ASSISTANT and not entry.get("is_demo") for entry in history)
    for step in steps[known:]:
        said = step.get("response") or step.get("thought") or step.get("action")
        if said:
            yield {"role": ASSISTANT, "content": as_text(said), "agent": agent}
            yield {"role": "user", "content": as_text(step.get("observation") or ""), "agent": agent}


def _root(row: dict[str, Any], id: str) -> Record:
    config, info = object_in(json_or_text(row.get("replay_config"))), object_in(row.get("info"))
    statistics = object_in(info.get("model_stats"))
    problem = object_in(config.get("problem_statement"))
    attributes = {
        **{key: value for key, value in info.items() if key != "model_stats"},
        "environment": row.get("environment"),
        "instance": text_of(problem.get("id")),
        "usage_reported": statistics,
    }
    return Record(
        kind=SpanKind.AGENT,
        name="swe-agent",
        trace_id=id,
        span_id=f"{id}-{_ROOT}",
        session=id,
        agent="swe-agent",
        model=text_of(object_in(object_in(config.get("agent")).get("model")).get("name")),
        attributes=filled(attributes),
        format=NAME,
    )


def _call(answer: Entry, seen: list[Message], span_id: str, root: Record) -> Record:
    """The entry as an answer to the messages that the same agent saw."""
    issues: set[Issue] = set()
    (output,) = messages_of([_message(answer)], issues, "history")
    attributes = {key: answer[key] for key in ("thought", "action") if answer.get(key)}
    attributes |= {"issues": sorted(issues)} if issues else {}
    return Record(
        kind=SpanKind.LLM,
        name=f"chat {root.model}" if root.model else "chat",
        trace_id=root.trace_id,
        span_id=span_id,
        parent_id=root.span_id,
        session=root.session,
        agent=text_of(answer.get("agent")),
        model=root.model,
        messages=seen,
        output=output,
        attributes=attributes,
        format=NAME,
    )


def _message(entry: Entry) -> Message:
    message = {key: value for key, value in entry.items() if key not in _OWN and value is not None}
    ids = entry.get("tool_call_ids")
    if entry["role"] == "tool" and isinstance(ids, list) and ids:
        message["tool_call_id"] = str(ids[0])
    return message
