"""Results of tau2-bench: `{info, tasks, simulations: [{messages, reward_info, …}]}`.

Every turn that the agent's model wrote is a call of its simulation's session. What passes between the
simulated user and the user's own tools is hidden from the agent, and so from its calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from slmhub.formats.conversations import check_length, tools_of_text
from slmhub.formats.fields import content_id, filled, instant_of, number_of, object_in, outcome_of, text_of
from slmhub.formats.parts import tool_call, tool_result
from slmhub.formats.providers import openai_chat
from slmhub.formats.providers.names import provider_of
from slmhub.formats.records import Issue, MalformedError, Message, Record, Reject, SpanKind

NAME = "tau2"
EXPECTED = "simulations with messages"

_ABOUT = ("task_id", "trial", "seed", "termination_reason", "agent_cost", "user_cost", "duration")


def matches(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    return isinstance(row.get("simulations"), list) or _is_simulation(row)


def _is_simulation(row: dict[str, Any]) -> bool:
    return isinstance(row.get("messages"), list) and "reward_info" in row and "task_id" in row


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    info = object_in(row.get("info"))
    for number, simulation in enumerate([row] if _is_simulation(row) else row["simulations"], 1):
        try:
            yield from _calls(simulation, info)
        except MalformedError as error:
            yield Reject(0, f"simulation {number}: {error}", str(simulation)[:200])


def _calls(simulation: Any, info: dict[str, Any]) -> Iterator[Record]:
    if not isinstance(simulation, dict) or not isinstance(simulation.get("messages"), list):
        raise MalformedError("no list of messages")
    check_length(simulation["messages"])
    issues: set[Issue] = set()
    about = _about(simulation, info)
    seen: list[Message] = list(about.messages)
    for number, turn in enumerate(_flat(simulation["messages"])):
        if not isinstance(turn, dict):
            raise MalformedError(f"message {number + 1} is no object")
        if turn.get("role") == "assistant":
            message = _answer(turn, issues)
            if not _is_greeting(turn, seen):
                yield _call(about, turn, number, list(seen), message)
            seen.append(message)
        elif (heard := _heard(turn)) is not None:
            seen.append(heard)


def _flat(messages: list[Any]) -> Iterator[Any]:
    for message in messages:
        several = message.get("tool_messages") if isinstance(message, dict) else None
        yield from several if isinstance(several, list) else [message]


def _is_greeting(turn: dict[str, Any], seen: list[Message]) -> bool:
    """The harness opens every session with a fixed line that no model wrote."""
    spoken = any(message["role"] != "system" for message in seen)
    return not spoken and not turn.get("usage") and not turn.get("raw_data") and not turn.get("tool_calls")


def _about(simulation: dict[str, Any], info: dict[str, Any]) -> Record:
    """What every call of a simulation shares."""
    id = text_of(simulation.get("id")) or content_id(simulation)
    agent, world = object_in(info.get("agent_info")), object_in(info.get("environment_info"))
    metadata = {key: simulation[key] for key in _ABOUT if simulation.get(key) is not None}
    reward = object_in(simulation.get("reward_info")).get("reward")
    domain = text_of(world.get("domain_name"))
    metadata |= {key: value for key, value in (("reward", reward), ("domain", domain)) if value is not None}
    policy = simulation.get("policy") or world.get("policy")
    return Record(
        kind=SpanKind.LLM,
        name="chat",
        trace_id=id,
        span_id=id,
        session=id,
        agent=text_of(agent.get("implementation")),
        model=text_of(agent.get("llm")),
        parameters=object_in(agent.get("llm_args")),
        messages=[{"role": "system", "content": policy}] if isinstance(policy, str) else [],
        tools=_tools(world.get("tool_defs")),
        attributes={"metadata": metadata, "outcome": outcome_of({"reward": reward})},
        format=NAME,
    )


def _tools(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, dict):
        given = list(given.values())
    try:
        return tools_of_text(given)
    except MalformedError:
        return []


def _call(about: Record, turn: dict[str, Any], number: int, seen: list[Message], output: Message) -> Record:
    raw = object_in(turn.get("raw_data"))
    issues: set[Issue] = set()
    served = text_of(raw.get("model"))
    seconds = number_of(turn.get("generation_time_seconds"))
    ended = instant_of(turn.get("timestamp"), issues)
    model = served or about.model
    attributes = about.attributes | {
        "response_id": text_of(raw.get("id")),
        "turn": number,
        "issues": sorted({*issues, *_issues_of(output)}),
    }
    return Record(
        kind=SpanKind.LLM,
        name=f"chat {model}" if model else "chat",
        trace_id=about.trace_id,
        span_id=f"{about.trace_id}-{number}"[:256],
        session=about.session,
        agent=about.agent,
        provider=provider_of((about.model or "").partition("/")[0]) if "/" in (about.model or "") else None,
        model=model,
        parameters=about.parameters,
        messages=seen,
        tools=about.tools,
        output=output,
        ended_at=ended,
        started_at=ended - timedelta(seconds=seconds) if ended and seconds and seconds < 1e6 else ended,
        latency_ms=seconds * 1000 if seconds is not None else None,
        usage=openai_chat.usage_of({**object_in(raw.get("usage")), **object_in(turn.get("usage"))}),
        cost=number_of(turn.get("cost")) if turn.get("usage") else None,
        finish_reason=_finish_reason(raw),
        attributes=filled(attributes),
        format=NAME,
    )


def _issues_of(output: Message) -> list[str]:
    issues: set[Issue] = set()
    for call in output.get("tool_calls", ()):
        tool_call(call["id"], call["function"]["name"], call["function"]["arguments"], issues)
    return sorted(issues)


def _answer(turn: dict[str, Any], issues: set[Issue]) -> Message:
    content = turn.get("content")
    message: Message = {"role": "assistant", "content": content if isinstance(content, str) else None}
    given = turn.get("tool_calls")
    calls = [call for call in given if isinstance(call, dict)] if isinstance(given, list) else []
    if calls:
        message["tool_calls"] = [
            tool_call(call.get("id"), call.get("name"), call.get("arguments"), issues) for call in calls
        ]
    return message


def _heard(turn: dict[str, Any]) -> Message | None:
    """What the agent sees of a turn that is not its own; None for what the user does alone."""
    content = turn.get("content")
    if turn.get("role") == "tool":
        return None if turn.get("requestor") == "user" else tool_result(turn.get("id"), content)
    if turn.get("tool_calls") or not isinstance(content, str):
        return None
    return {"role": str(turn.get("role") or "user"), "content": content}


def _finish_reason(raw: dict[str, Any]) -> str | None:
    choices = raw.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return text_of(object_in(first).get("finish_reason"))
