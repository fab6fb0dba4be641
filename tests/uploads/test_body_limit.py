from __future__ import annotations

from typing import Any

from apps.uploads import body_limit
from apps.uploads.body_limit import LimitBody


class Application:
    """Reads the whole body, as Django does before it calls a view."""

    def __init__(self) -> None:
        self.ended = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                self.ended = message["type"]
                return


async def answer(
    headers: list[tuple[bytes, bytes]], chunks: list[bytes]
) -> tuple[Application, list[dict[str, Any]]]:
    application, sent = Application(), []
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting.append({"type": "http.request", "body": b""})

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await LimitBody(application)({"type": "http", "headers": headers}, receive, send)
    return application, sent


class TestLimitBody:
    async def test_a_small_body_goes_through(self) -> None:
        application, sent = await answer([(b"content-length", b"5")], [b"hello"])
        assert (application.ended, sent) == ("http.request", [])

    async def test_an_announced_giant_is_refused_unread(self) -> None:
        application, sent = await answer([(b"content-length", str(3 * 1024**3).encode())], [b"x"])
        assert application.ended == ""
        assert sent[0]["status"] == 413
        assert b"at most 2 GiB" in sent[1]["body"]

    async def test_a_giant_without_a_length_is_cut_off(self, settings: Any, monkeypatch: Any) -> None:
        settings.LARGEST_UPLOAD = 10
        monkeypatch.setattr(body_limit, "OVERHEAD", 0)
        application, _ = await answer([], [b"12345678", b"12345678"])
        assert application.ended == "http.disconnect"
