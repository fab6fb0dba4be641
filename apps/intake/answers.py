"""How each protocol says yes and no."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from slmhub.formats.otlp.wire import Checked

JSON, PROTOBUF = b"application/json", b"application/x-protobuf"
# google.rpc.Code of an HTTP status.
_CODES = {401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 429: 8, 503: 14}
_INVALID_ARGUMENT = 3
_LONGEST_MESSAGE = 2000


class Reply(NamedTuple):
    status: int
    content_type: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Refusal(Exception):  # noqa: N818 - an answer to the caller
    """The request ends here with this status; `hint` says what to do."""

    def __init__(self, status: int, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message[:_LONGEST_MESSAGE]
        self.headers = tuple(headers)


Refuse = Callable[[Refusal, bool], Reply]


def busy(message: str, wait_s: int) -> Refusal:
    return Refusal(429, message, [(b"retry-after", str(wait_s).encode())])


def json_reply(status: int, body: Any, headers: Sequence[tuple[bytes, bytes]] = ()) -> Reply:
    return Reply(status, JSON, orjson.dumps(body), tuple(headers))


def refused_otlp(refusal: Refusal, protobuf: bool) -> Reply:
    """google.rpc.Status in the encoding of the request."""
    code = _CODES.get(refusal.status, _INVALID_ARGUMENT)
    if not protobuf:
        return json_reply(refusal.status, {"code": code, "message": refusal.message}, refusal.headers)
    text = refusal.message.encode()
    body = b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text
    return Reply(refusal.status, PROTOBUF, body, refusal.headers)


def refused_langfuse(refusal: Refusal, protobuf: bool) -> Reply:
    body = {"error": "SLMHubError", "message": refusal.message}
    return json_reply(refusal.status, body, refusal.headers)


def refused_langsmith(refusal: Refusal, protobuf: bool) -> Reply:
    return json_reply(refusal.status, {"detail": refusal.message}, refusal.headers)


def accepted_traces(checked: Checked, protobuf: bool) -> Reply:
    if not protobuf:
        return _partial(checked, "rejectedSpans")
    response: Any = ExportTraceServiceResponse()
    if checked.rejected:
        response.partial_success.rejected_spans = checked.rejected
        response.partial_success.error_message = "; ".join(checked.reasons)
    return Reply(200, PROTOBUF, response.SerializeToString())


def accepted_logs(checked: Checked, protobuf: bool) -> Reply:
    if not protobuf:
        return _partial(checked, "rejectedLogRecords")
    response: Any = ExportLogsServiceResponse()
    if checked.rejected:
        response.partial_success.rejected_log_records = checked.rejected
        response.partial_success.error_message = "; ".join(checked.reasons)
    return Reply(200, PROTOBUF, response.SerializeToString())


def _partial(checked: Checked, name: str) -> Reply:
    if not checked.rejected:
        return json_reply(200, {})
    # The JSON of protobuf writes 64-bit numbers as strings.
    partial = {name: str(checked.rejected), "errorMessage": "; ".join(checked.reasons)}
    return json_reply(200, {"partialSuccess": partial})


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
