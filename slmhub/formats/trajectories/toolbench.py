"""Answer trees of ToolBench: every call that led to the answer is one of `train_messages`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.chat_shapes import messages_of, tools_of
from slmhub.formats.conversations import ASSISTANT, split_answer
from slmhub.formats.fields import content_id, filled, text_of
from slmhub.formats.records import Issue, MalformedError, Record, Reject, SpanKind

NAME = "toolbench"
EXPECTED = "answer_generation with train_messages"

_ABOUT = ("query", "final_answer", "finish_type", "valid_data")


def matches(row: Any) -> bool:
    answer = row.get("answer_generation") if isinstance(row, dict) else None
    return isinstance(answer, dict) and "tree" in row


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    answer = row["answer_generation"]
    talks = answer.get("train_messages")
    if not isinstance(talks, list) or not talks:
        raise MalformedError("the tree was given up: it holds no train_messages, so there is no call to read")
    id = content_id(row)
    tools = tools_of({"functions": answer.get("function")})
    for number, talk in enumerate(talks):
        try:
            yield _call(talk, row, tools, f"{id}-{number}")
        except MalformedError as error:
            yield Reject(0, f"train_messages[{number}]: {error}", str(talk)[:200])


def _call(talk: Any, row: dict[str, Any], tools: list[dict[str, Any]], span_id: str) -> Record:
    issues: set[Issue] = set()
    left_out: dict[str, Any] = {}
    messages, output = split_answer(messages_of(talk, issues), left_out)
    answer = row["answer_generation"]
    metadata = {key: answer[key] for key in _ABOUT if answer.get(key) is not None}
    session = span_id.rpartition("-")[0]
    attributes = {**left_out, "metadata": metadata, "issues": sorted(issues)}
    if isinstance(row.get("win"), bool):
        attributes["outcome"] = "success" if row["win"] else "failure"
    usage_reported = {key: answer[key] for key in ("query_count", "total_tokens") if key in answer}
    attributes |= {"usage_reported": usage_reported} if span_id.endswith("-0") else {}
    return Record(
        kind=SpanKind.LLM,
        name="chat",
        trace_id=session,
        span_id=span_id,
        session=session,
        model=text_of(row.get("model")),
        messages=messages,
        tools=tools,
        output={**output, "role": ASSISTANT},
        attributes=filled(attributes),
        format=NAME,
    )
