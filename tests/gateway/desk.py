"""An agent of the world that calls through the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from django.db import transaction
from openai import OpenAI

from apps.accounts.models import Agent, ApiKey
from apps.accounts.rights import Scope
from apps.ingest.drain import drain
from apps.registry.services import set_teacher
from apps.rollouts import services as rollouts
from apps.rollouts.models import Rollout, Route
from apps.team.services import create_api_key
from apps.traces.models import Span
from slmhub.formats.signature import routing_signature
from tests.rollouts.evidence import evaluation, task
from tests.servers import eventually
from tests.world import World

TOOLS = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}]
ASK = {
    "model": "gpt-large",
    "messages": [
        {"role": "system", "content": "Look the order up."},
        {"role": "user", "content": "Where is A-1?"},
    ],
    "tools": TOOLS,
}


@dataclass
class Desk:
    world: World
    address: str
    key: ApiKey
    secret: str

    @classmethod
    def build(cls, world: World, address: str, **key: Any) -> Desk:
        options = {"agent": world.agent, "scopes": [Scope.INFER], **key}
        row, secret = create_api_key(workspace=world.workspace, name="agent", actor=world.admin, **options)
        desk = cls(world, address, row, secret)
        if Scope.INFER in options["scopes"]:
            eventually(lambda: desk.models().status_code == 200, within=3)
        return desk

    def teacher(self, url: str, agent: Agent | None = None, **fields: Any) -> None:
        fields = {"model": "big", "simulated": True, **fields}
        set_teacher(
            agent=agent or self.world.agent, name="Teacher", base_url=url, actor=self.world.admin, **fields
        )
        eventually(lambda: fields["model"] in self.model_ids(), within=3)

    def route(
        self, *, threshold: float = 0.5, body: dict[str, Any] = ASK, action: str = "tool:lookup"
    ) -> Rollout:
        """A specialist is live for calls like `body`, which it answers by `action`."""
        key = routing_signature(body["messages"], body.get("tools") or [])
        rollout = rollouts.request(
            evaluation=evaluation(self.world, task(self.world, key=key, action=action)),
            actor=self.world.engineer,
        )
        with transaction.atomic():
            rollouts.approve(rollout=rollout, actor=self.world.approver)
            Route.objects.update(threshold=threshold)
        eventually(lambda: rollout.specialist.served_name in self.model_ids(), within=3)
        return rollout

    def roll_back(self, rollout: Rollout) -> None:
        rollouts.roll_back(rollout=rollout, actor=self.world.approver)
        eventually(lambda: rollout.specialist.served_name not in self.model_ids(), within=3)

    def openai(self, **options: Any) -> OpenAI:
        return OpenAI(base_url=f"http://{self.address}/v1", api_key=self.secret, max_retries=0, **options)

    def ask(self, body: Any = ASK, *, secret: str | None = None, **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.secret if secret is None else secret}", **headers}
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return httpx.post(f"http://{self.address}/v1/chat/completions", headers=sent, timeout=30, **content)

    def models(self, **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer {self.secret}", **headers}
        return httpx.get(f"http://{self.address}/v1/models", headers=sent, timeout=30)

    def model_ids(self) -> list[str]:
        answer = self.models(**{"x-slmhub-agent": self.world.agent.slug})
        return [model["id"] for model in answer.json()["data"]]

    def recorded(self) -> list[Span]:
        """The calls that stand in the database once the spool is drained."""
        drain()
        return list(Span.objects.order_by("pk"))
