"""Which event a page already knows of: its socket asks for those that follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from apps.events.models import Sequence


class LiveCursor:
    """Notes the workspace's last event number before the view reads its rows.

    The page then asks its socket for everything after that number, so nothing that was committed while the
    page was made is missed; at worst a fragment is fetched once too often.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        # What htmx puts into a page leaves that page's socket alone.
        if "workspace" in kwargs and request.method == "GET" and not getattr(request, "htmx", False):
            numbers = Sequence.objects.filter(workspace__slug=kwargs["workspace"]).values_list(
                "last", flat=True
            )
            request.live_after = numbers.first() or 0  # type: ignore[attr-defined]
