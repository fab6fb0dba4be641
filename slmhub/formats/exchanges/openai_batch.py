"""Batch files of OpenAI and Anthropic: the input line and the output line of one `custom_id` make one call.

Each line is a part of its span; the trace is the delivery, which the reader knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from slmhub.formats.exchanges.envelope import Call, record_of
from slmhub.formats.exchanges.http_messages import Exchange, exchange_of
from slmhub.formats.exchanges.other_requests import call_of_other, is_embedding
from slmhub.formats.fields import Json, as_text, object_in, object_of, text_of
from slmhub.formats.providers import Answered, Asked, answer_of, anthropic, ask_of
from slmhub.formats.providers.bodies import error_in
from slmhub.formats.records import Issue, MalformedError, Record, Reject

NAME = "openai_batch"
EXPECTED = "custom_id with body or response"

# An answer is later than its question, whatever else is unknown: its model stands.
_AFTER_QUESTION = datetime(2000, 1, 1, tzinfo=UTC)
_LINE_KEYS = frozenset({"custom_id", "method", "url", "body", "response", "result", "params", "error", "id"})


def matches(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and "custom_id" in row
        and any(isinstance(row.get(key), dict) for key in ("body", "params", "response", "result", "error"))
    )


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    yield parse(row)


def parse(row: dict[str, Any]) -> Record:
    """The part of a call that one line holds. Raises MalformedError."""
    custom_id = text_of(row["custom_id"])
    if not custom_id:
        raise MalformedError("custom_id must be a text that is not empty")
    issues: set[Issue] = set()
    call = _question(row, issues) if "body" in row or "params" in row else _answer(row, issues)
    rest = {key: value for key, value in row.items() if key not in _LINE_KEYS}
    record = record_of({**rest, "span_id": custom_id, "trace_id": custom_id}, call, issues)
    record.trace_id, record.partial = "", True
    if call.answered.output or call.answered.error:
        record.revised_at = record.started_at or _AFTER_QUESTION
    record.attributes["custom_id"] = custom_id
    if "result" not in row and (batch_request := text_of(row.get("id"))):
        record.attributes["batch_request_id"] = batch_request
    return record


def _question(row: Json, issues: set[Issue]) -> Call:
    """OpenAI's `{method, url, body}`, Anthropic's `{params}`."""
    if "params" in row:
        body = object_of(row["params"], "params")
        return Call(
            format=NAME,
            asked=anthropic.asked(body, issues),
            answered=Answered(),
            spoken=anthropic.PROVIDER,
        )
    request = {"uri": row.get("url"), "method": row.get("method"), "body": object_of(row["body"], "body")}
    exchange = exchange_of({"request": request})
    speaker = exchange.hinted or ask_of(exchange.request)
    if speaker is None or is_embedding(exchange):
        return _other(exchange)
    return Call(
        format=NAME,
        asked=speaker.asked(exchange.request, issues),
        answered=Answered(),
        spoken=speaker.PROVIDER,
    )


def _answer(row: Json, issues: set[Issue]) -> Call:
    if isinstance(row.get("result"), dict):
        # Anthropic's: `succeeded` with a message, `errored` with an error, `canceled` or `expired`.
        result = row["result"]
        message, kind = result.get("message"), text_of(result.get("type"))
        answered = anthropic.answered(message, issues) if isinstance(message, dict) else Answered()
        if kind != "succeeded":
            nested = object_in(result.get("error"))
            answered.error = error_in(nested) or error_in(result) or as_text(kind or "no result")
            answered.finish_reason = "error"
        return Call(format=NAME, asked=Asked(), answered=answered, spoken=anthropic.PROVIDER)

    response = object_of(row.get("response"), "response")
    logged: Json = {"headers": {}, "body": response.get("body")}
    if "status_code" in response:
        logged["status"] = response["status_code"]
    exchange = exchange_of({"response": logged})
    failure = error_in(row) or exchange.failure()
    body = object_in(exchange.response)
    speaker = answer_of(body)
    if speaker is None and not failure and not body:
        raise MalformedError("the line has neither a response nor an error")
    if is_embedding(exchange):
        return _other(exchange)
    if speaker is not None:
        answered = speaker.answered(body, issues)
    else:
        answered = Answered(attributes={"response": body} if body and "error" not in body else {})
    answered.error = answered.error or error_in(body) or failure
    return Call(format=NAME, asked=Asked(), answered=answered, spoken=speaker.PROVIDER if speaker else None)


def _other(exchange: Exchange) -> Call:
    call = call_of_other(exchange)
    call.format = NAME
    return call
