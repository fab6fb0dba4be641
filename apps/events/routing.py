"""The address of the live socket."""

from __future__ import annotations

from django.urls import path

from apps.events.consumers import EventsConsumer

websocket_urlpatterns = [path("ws/w/<slug:workspace>/events", EventsConsumer.as_asgi())]
