"""Reads the body of a call."""

from __future__ import annotations

from apps.core.raw_asgi import Receive, discard_rest
from apps.gateway.refusals import Refusal

LARGEST_BODY = 16 * 1024**2
# A caller reads the refusal only after it has sent its body; beyond this the connection is cut.
LARGEST_DISCARDED = 4 * LARGEST_BODY


async def read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The caller left before the body was complete.")
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            await discard_rest(receive, more=bool(message.get("more_body")), most=LARGEST_DISCARDED)
            raise Refusal(413, f"The body is larger than {LARGEST_BODY // 1024**2} MiB.", "too_large")
        if not message.get("more_body"):
            return bytes(body)
