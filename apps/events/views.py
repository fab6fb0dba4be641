from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.facets import Filters
from apps.core.keyset import paginate
from apps.core.live import render_page
from apps.events import selectors
from apps.events.facets import event_facets
from apps.events.sentences import sentences


@requires(Right.VIEW)
@require_safe
def activity(request: MemberRequest) -> HttpResponse:
    """Who did what, when."""
    filters = Filters(event_facets(request.workspace), request.GET)

    def rows() -> dict[str, Any]:
        events = filters.narrow(selectors.activity(request.workspace))
        page = paginate(events, by="number", cursor=request.GET.get("cursor", ""))
        return {
            "page": page,
            "sentences": sentences(request.workspace, page.rows),
            "filters": filters,
            "live_types": selectors.live_types(),
        }

    return render_page(request, "events/activity.html", parts={"activity": rows})
