"""Somebody who sends traces to a hub of its own home folder."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

from apps.accounts.models import Agent, ApiKey
from apps.accounts.rights import Scope
from apps.ingest.drain import drain
from apps.team.services import create_api_key
from apps.traces.models import Span
from tests.intake.exports import PROTOBUF
from tests.servers import eventually, web
from tests.world import World

INGEST = (Scope.INGEST,)


def environment(home: Path, **more: str) -> dict[str, str]:
    """Of a process that works in `home` and opens what this one has sealed."""
    secrets = {"HUB_MASTER_KEY": settings.MASTER_KEY, "HUB_SECRET_KEY": settings.SECRET_KEY}
    return {"HUB_HOME": str(home), **secrets, **more}


@contextlib.contextmanager
def serving(home: Path, **more: str) -> Iterator[tuple[str, Any]]:
    with web(**environment(home, **more)) as (address, process):
        yield address, process


@dataclass
class Sender:
    world: World
    address: str
    home: Path
    key: ApiKey
    secret: str

    @classmethod
    def build(
        cls,
        world: World,
        address: str,
        home: Path,
        *,
        agent: Agent | None = None,
        scopes: Any = (Scope.INGEST,),
    ) -> Sender:
        key, secret = create_api_key(
            workspace=world.workspace, name="sdk", scopes=list(scopes), actor=world.admin, agent=agent
        )
        sender = cls(world, address, home, key, secret)
        if Scope.INGEST in scopes:
            eventually(lambda: sender.get("/api/public/projects").status_code == 200, within=5)
        return sender

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}

    def basic(self, name: str, secret: str) -> dict[str, str]:
        return {"authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={**self.bearer, **headers}, timeout=30)

    def post(
        self, content: Any = b"", path: str = "/v1/traces", method: str = "POST", **headers: str
    ) -> httpx.Response:
        """Headers by their names with underscores; a protobuf export with the sender's key by default."""
        sent = {"content-type": PROTOBUF, **self.bearer}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.request(method, self.url + path, content=content, headers=sent, timeout=120)

    def stored(self) -> list[Span]:
        """The spans that stand in the database once the spool is drained."""
        while drain(self.spool):
            pass
        return list(Span.objects.order_by("pk"))
