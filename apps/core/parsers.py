"""Parsers of request bodies."""

from __future__ import annotations

from typing import Any

from rest_framework.parsers import BaseParser


class RawParser(BaseParser):
    """Hands the body's stream through, whatever its type."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return stream
