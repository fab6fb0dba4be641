"""The shapes in which callers may ask, by the address that takes them."""

from __future__ import annotations

from apps.gateway.surfaces import chat
from apps.gateway.surfaces.surface import Surface

SURFACES: dict[str, Surface] = {chat.PATH: chat}
