"""Mounts intake and gateway ahead of Django's middleware, then the websockets, then Django."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "slmhub.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402

from apps.accounts.snapshot import Keys  # noqa: E402
from apps.events.routing import websocket_urlpatterns  # noqa: E402
from apps.events.wakeup import hints  # noqa: E402
from apps.gateway.asgi import Gateway  # noqa: E402
from apps.intake.asgi import Intake  # noqa: E402
from apps.intake.gate import CallsGate  # noqa: E402
from apps.spool.writer import SpoolWriter  # noqa: E402
from apps.uploads.body_limit import LimitBody  # noqa: E402
from apps.uploads.tus_slices import SliceAppends  # noqa: E402

keys = Keys()
spool = SpoolWriter(Path(settings.SPOOL_DIR))
intake = Intake(keys, spool)
gateway = Gateway(keys, spool)
django = CallsGate(LimitBody(SliceAppends(django_application)), intake.budget, spool)
websockets = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await websockets(scope, receive, send)
    elif intake.takes(scope["path"]):
        await intake(scope, receive, send)
    elif scope["path"].startswith("/v1/"):
        await gateway(scope, receive, send)
    else:
        await django(scope, receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await gateway.start()
            hints().tell(keys.hint)
            hints().tell(gateway.snapshot.hint)
            await send({"type": "lifespan.startup.complete"})
        else:
            await gateway.stop()
            await keys.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
