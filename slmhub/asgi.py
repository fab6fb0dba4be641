"""Mounts the gateway ahead of Django's middleware, then the websockets, then Django."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "slmhub.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from apps.events.routing import websocket_urlpatterns  # noqa: E402
from apps.gateway.asgi import Gateway  # noqa: E402
from apps.traces.body_limit import LimitBody  # noqa: E402

django = LimitBody(django_application)
websockets = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
gateway = Gateway()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await gateway.lifespan(receive, send)
    elif scope["type"] == "websocket":
        await websockets(scope, receive, send)
    elif scope["path"].startswith("/v1/"):
        await gateway(scope, receive, send)
    else:
        await django(scope, receive, send)
