from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.keyset import paginate
from apps.events import selectors
from apps.events.sentences import sentences


@requires(Right.VIEW)
@require_safe
def activity(request: MemberRequest) -> HttpResponse:
    """Who did what, when."""
    group, person = request.GET.get("group", ""), request.GET.get("person", "")
    events = selectors.activity(request.workspace, group=group, person=person)
    page = paginate(events, by="number", cursor=request.GET.get("cursor", ""))
    context = {
        "page": page,
        "sentences": sentences(request.workspace, page.rows),
        "group": group,
        "person": person,
        "groups": selectors.GROUPS.items(),
        "people": selectors.actors_of(request.workspace),
        "live_types": selectors.LIVE_TYPES,
    }
    return render(request, "events/activity.html", context)
