"""`/ws/w/<workspace>/events?after=N`: everything after number N, then everything that follows, in order."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from apps.accounts.models import Membership
from apps.events.live import Subscriber, registry
from apps.events.models import Sequence

CLOSE_STRANGER = 4404
CLOSE_TOO_SLOW = 4408
LONGEST_NUMBER = 18  # digits of a 64-bit number


class EventsConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    subscriber: Subscriber | None = None
    sender: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        found = await database_sync_to_async(self._workspace_and_last)()
        # Accepting first lets the browser read the close code.
        await self.accept()
        if found is None:
            await self.close(CLOSE_STRANGER)
            return
        workspace_id, last = found
        self.subscriber = Subscriber(workspace_id, self._after(last))
        registry().add(self.subscriber)
        self.sender = asyncio.create_task(self._send_all(self.subscriber))

    async def disconnect(self, code: int) -> None:
        if self.subscriber is not None:
            registry().remove(self.subscriber)
        if self.sender is not None:
            self.sender.cancel()
            # The socket may have gone while a message was on its way.
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await self.sender

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Clients have nothing to say; whatever they send is ignored."""

    def _workspace_and_last(self) -> tuple[int, int] | None:
        user: Any = self.scope["user"]
        slug = self.scope["url_route"]["kwargs"]["workspace"]
        membership = Membership.objects.filter(user_id=user.pk, workspace__slug=slug).first()
        if membership is None:
            return None
        last = (
            Sequence.objects.filter(workspace_id=membership.workspace_id)
            .values_list("last", flat=True)
            .first()
        )
        return membership.workspace_id, last or 0

    def _after(self, last: int) -> int:
        given = parse_qs(self.scope["query_string"].decode("latin-1")).get("after", [""])[0]
        return min(int(given), last) if given.isdecimal() and len(given) <= LONGEST_NUMBER else last

    async def _send_all(self, subscriber: Subscriber) -> None:
        while True:
            message = await subscriber.queue.get()
            if message is None:
                await self.close(CLOSE_TOO_SLOW)
                return
            await self.send(text_data=message.decode())
