"""Trajectories of tau-bench: `{task_id, reward, info, traj, trial}`; every turn of the agent is a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.chat_shapes import messages_of
from slmhub.formats.conversations import ASSISTANT, check_length
from slmhub.formats.fields import content_id, outcome_of, text_of
from slmhub.formats.records import Issue, MalformedError, Record, Reject, SpanKind

NAME = "tau_bench"
EXPECTED = "traj and reward"

_TAKEN = frozenset(("traj", "info"))


def matches(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("traj"), list) and "reward" in row


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    check_length(row["traj"])
    messages = messages_of(row["traj"], set(), "traj")
    turns = [at for at, message in enumerate(messages) if message["role"] == ASSISTANT]
    if not turns:
        raise MalformedError("no turn of traj is the assistant's")
    id, model = content_id(row), text_of(row.get("model"))
    metadata = {key: value for key, value in row.items() if key not in _TAKEN}
    shared: dict[str, Any] = {"metadata": metadata, "outcome": outcome_of({"reward": row["reward"]})}
    for number, at in enumerate(turns):
        issues: set[Issue] = set()
        (output,) = messages_of([messages[at]], issues, f"traj[{at}]")
        attributes = {**shared, "turn": number, "issues": sorted(issues)}
        yield Record(
            kind=SpanKind.LLM,
            name=f"chat {model}" if model else "chat",
            trace_id=id,
            span_id=f"{id}-{at}",
            session=id,
            model=model,
            messages=messages[:at],
            output=output,
            attributes={key: value for key, value in attributes.items() if value not in (None, [], {})},
            format=NAME,
        )
