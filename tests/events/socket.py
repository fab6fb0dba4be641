"""A websocket client inside one process. (`channels.testing` has one, but imports daphne.)"""

from __future__ import annotations

import json
from typing import Any

from asgiref.testing import ApplicationCommunicator

from apps.events.consumers import EventsConsumer


class Socket(ApplicationCommunicator):
    def __init__(self, workspace: str, user: Any, query: str = "") -> None:
        scope = {
            "type": "websocket",
            "path": f"/ws/w/{workspace}/events",
            "query_string": query.encode(),
            "headers": [],
            "user": user,
            "url_route": {"kwargs": {"workspace": workspace}},
        }
        super().__init__(EventsConsumer.as_asgi(), scope)

    async def open(self) -> None:
        await self.send_input({"type": "websocket.connect"})
        assert (await self.receive_output(5))["type"] == "websocket.accept"

    async def say(self, **message: Any) -> None:
        await self.send_input({"type": "websocket.receive", **message})

    async def hear(self) -> dict[str, Any]:
        message = await self.receive_output(5)
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def close(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)
