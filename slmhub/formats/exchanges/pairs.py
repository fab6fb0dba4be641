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
    asker, answerer = _speakers(exchange)
    if (asker is None and answerer is None) or is_embedding(exchange):
        call = call_of_other(exchange)
    else:
        call = _call_of(exchange, asker, answerer, issues)
    if not call.answered.output and not (call.answered.error or error_of(row) or exchange.status):
        _demand_something(call, exchange)
    return _told_by_address(record_of(row, call, issues), exchange)


def _demand_something(call: Call, exchange: Exchange) -> None:
    if exchange.response in EMPTY and not call.answered.attributes:
        raise MalformedError("the row has neither an answer nor an error")


def _speakers(exchange: Exchange) -> tuple[Provider | None, Provider | None]:
    """Who was asked and who answered; an answer tells more than a request that is a mere list of messages."""
    answerer = exchange.streamed_by or answer_of(exchange.response)
    asker = exchange.hinted or ask_of(exchange.request)
    if exchange.hinted is bedrock_invoke:
        return asker, bedrock_invoke
    if answerer and exchange.hinted is None and (asker is None or asker is openai_chat):
        asker = answerer
    return asker, answerer


def _call_of(
    exchange: Exchange, asker: Provider | None, answerer: Provider | None, issues: set[Issue]
) -> Call:
    speaker = asker or answerer
    assert speaker is not None
    response = exchange.response
    asked = _asked(speaker, exchange, issues)
    answered = Answered()
    if isinstance(response, dict):
        answered = (answerer or speaker).answered(response, issues)
    asked.model = asked.model or exchange.model
    asked.streamed = asked.streamed or exchange.streamed
    _add_failure(answered, exchange)
    if answered.output is None and not answered.error and exchange.response not in (None, "", {}):
        answered.attributes = {**answered.attributes, "response": exchange.response}
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


def _add_failure(answered: Answered, exchange: Exchange) -> None:
    if answered.error is None:
        answered.error = error_in(exchange.response) or exchange.failure()


def _told_by_address(record: Record, exchange: Exchange) -> Record:
    if exchange.url:
        record.attributes["url"] = exchange.url
    if exchange.status:
        record.attributes["http_status"] = exchange.status
    if exchange.streamed:
        record.attributes["streamed"] = True
    return record
