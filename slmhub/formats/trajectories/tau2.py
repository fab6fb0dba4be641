"""Results of tau2-bench: `{info, tasks, simulations: [{messages, reward_info, …}]}`.

Every turn that the agent's model wrote is a call of its simulation's session. What passes between the
simulated user and the user's own tools is hidden from the agent, and so from its calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from slmhub.formats.conversations import check_length, tools_of_text
from slmhub.formats.fields import (
    content_id,
    filled,
    instant_of,
    number_of,
    object_in,
    objects_in,
    outcome_of,
    text_of,
)
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
    about = _about(simulation, info)
    seen: list[Message] = list(about.messages)
    for number, turn in enumerate(_flat(simulation["messages"])):
        if not isinstance(turn, dict):
            raise MalformedError(f"message {number + 1} is no object")
        if turn.get("role") == "assistant":
            issues: set[Issue] = set()
            message = _answer(turn, issues)
            if not _is_greeting(turn, seen):
                yield _call(about, turn, number, seen=list(seen), output=message, issues=issues)
            seen.append(message)
        else:
            heard = _heard(turn)
            if heard is not None:
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
    if reward is not None:
        metadata["reward"] = reward
    if domain is not None:
        metadata["domain"] = domain
    policy = simulation.get("policy") or world.get("policy")
    tools = world.get("tool_defs")
    try:
        tools = tools_of_text(list(tools.values()) if isinstance(tools, dict) else tools)
    except MalformedError:
        tools = []
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
        tools=tools,
        attributes={"metadata": metadata, "outcome": outcome_of({"reward": reward})},
        format=NAME,
    )


def _call(
    about: Record,
    turn: dict[str, Any],
    number: int,
    *,
    seen: list[Message],
    output: Message,
    issues: set[Issue],
) -> Record:
    raw = object_in(turn.get("raw_data"))
    choices = raw.get("choices")
    choice = object_in(choices[0]) if isinstance(choices, list) and choices else {}
    served = text_of(raw.get("model"))
    seconds = number_of(turn.get("generation_time_seconds"))
    ended = instant_of(turn.get("timestamp"), issues)
    model = served or about.model
    # The harness calls through LiteLLM, which writes the provider before the model: "openai/gpt-4.1".
    provider, slash, _ = (about.model or "").partition("/")
    attributes = about.attributes | {
        "response_id": text_of(raw.get("id")),
        "turn": number,
        "issues": sorted(issues),
    }
    return Record(
        kind=SpanKind.LLM,
        name=f"chat {model}" if model else "chat",
        trace_id=about.trace_id,
        span_id=f"{about.trace_id}-{number}"[:256],
        session=about.session,
        agent=about.agent,
        provider=provider_of(provider) if slash else None,
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
        finish_reason=text_of(choice.get("finish_reason")),
        attributes=filled(attributes),
        format=NAME,
    )


def _answer(turn: dict[str, Any], issues: set[Issue]) -> Message:
    content = turn.get("content")
    message: Message = {"role": "assistant", "content": content if isinstance(content, str) else None}
    calls = [
        tool_call(call.get("id"), call.get("name"), call.get("arguments"), issues)
        for call in objects_in(turn.get("tool_calls"))
    ]
    if calls:
        message["tool_calls"] = calls
    return message


def _heard(turn: dict[str, Any]) -> Message | None:
    """What the agent sees of a turn that is not its own; None for what the user does alone."""
    content = turn.get("content")
    if turn.get("role") == "tool":
        return None if turn.get("requestor") == "user" else tool_result(turn.get("id"), content)
    if turn.get("tool_calls") or not isinstance(content, str):
        return None
    return {"role": str(turn.get("role") or "user"), "content": content}
