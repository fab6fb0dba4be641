"""A logged request with its response, of any provider: the bodies, or the HTTP messages around them.

`{request, response}` hold a body each, or `{method, uri, headers, body}` and `{status, headers, body}` as
recorders of HTTP write them; a streamed body is the stream's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from slmhub.formats.exchanges.envelope import Call, error_of, record_of
from slmhub.formats.exchanges.http_messages import Exchange, exchange_of
from slmhub.formats.exchanges.other_requests import call_of_other, is_embedding
from slmhub.formats.fields import EMPTY, as_text
from slmhub.formats.providers import (
    Answered,
    Asked,
    Provider,
    answer_of,
    ask_of,
    bedrock_invoke,
    openai_chat,
)
from slmhub.formats.providers.bodies import error_in
from slmhub.formats.records import Issue, MalformedError, Record, Reject

NAME = "pairs"
EXPECTED = "request and response of any known provider"


def matches(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("request"), dict | list | str):
        return False
    return "response" in row or "error" in row


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    yield parse(row)


def parse(row: dict[str, Any]) -> Record:
    """One call, or one span of another kind. Raises MalformedError."""
    issues: set[Issue] = set()
    exchange = exchange_of(row)
    asker = exchange.hinted or ask_of(exchange.request)
    answerer = exchange.streamed_by or answer_of(exchange.response)
    if exchange.hinted is bedrock_invoke:
        # Its answers are each model's own, and look like those of others.
        answerer = bedrock_invoke
    elif answerer and exchange.hinted is None and asker in (None, openai_chat):
        # An answer tells more than a request that is a mere list of messages.
        asker = answerer
    speaker = asker or answerer
    if speaker is None or is_embedding(exchange):
        call = call_of_other(exchange)
    else:
        call = _call_of(exchange, speaker, answerer or speaker, issues)
    told = call.answered.output or call.answered.error or call.answered.attributes
    if not told and exchange.response in EMPTY and not (error_of(row) or exchange.status):
        raise MalformedError("the row has neither an answer nor an error")

    record = record_of(row, call, issues)
    if exchange.url:
        record.attributes["url"] = exchange.url
    if exchange.status:
        record.attributes["http_status"] = exchange.status
    if exchange.streamed:
        record.attributes["streamed"] = True
    return record


def _call_of(exchange: Exchange, speaker: Provider, answerer: Provider, issues: set[Issue]) -> Call:
    asked = _asked(speaker, exchange, issues)
    asked.model = asked.model or exchange.model
    asked.streamed = asked.streamed or exchange.streamed
    response = exchange.response
    answered = answerer.answered(response, issues) if isinstance(response, dict) else Answered()
    if answered.error is None:
        answered.error = error_in(response) or exchange.failure()
    if answered.output is None and not answered.error and response not in (None, "", {}):
        answered.attributes = {**answered.attributes, "response": response}
    return Call(
        format=speaker.NAME,
        asked=asked,
        answered=answered,
        address=exchange.address,
        spoken=speaker.PROVIDER,
        emitter=exchange.emitter,
    )


def _asked(speaker: Provider, exchange: Exchange, issues: set[Issue]) -> Asked:
    """What was recorded off the wire was sent, however malformed; what nobody knows is shown as text."""
    request = exchange.request
    if isinstance(request, dict) and request:
        try:
            return speaker.asked(request, issues)
        except MalformedError:
            if not exchange.url and ask_of(request) is not None:
                raise
    text = as_text(request) if request else ""
    return Asked(messages=[{"role": "user", "content": text}] if text else [])
