"""Who can answer a call: each module asks one kind, all of them by one client."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from typing import Any

from apps.gateway.backends import specialist, teacher
from apps.gateway.backends.answers import Doubt, Streamed, Whole
from apps.gateway.policy import RouteEntry, Step
from slmhub.chat_client import ChatClient, Patience


def asked(
    client: ChatClient, step: Step, request: dict[str, Any]
) -> AbstractAsyncContextManager[Doubt | Whole | Streamed]:
    """Takes a step of a plan. Raises Refusal."""
    # A total of 0 would mean no bound at all.
    patience = Patience(total_s=max(step.until - time.monotonic(), 0.001), connect_s=step.connect_s)
    if isinstance(step.backend, RouteEntry):
        return specialist.asked(client, step.backend, request, patience)
    return teacher.asked(client, step.backend, request, patience)
