"""What narrows the activity of a workspace."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import User, Workspace
from apps.core.facets import Choice, Facet
from apps.events.models import Event
from apps.events.selectors import AUDITED


def event_facets(workspace: Workspace) -> list[Facet]:
    def members() -> list[tuple[int, str]]:
        """People who left keep their events but need no filter."""
        people = User.objects.filter(memberships__workspace=workspace).order_by("name", "email")
        return [(person.pk, str(person)) for person in people]

    groups = {kind.partition(".")[0]: kind.partition(".")[0].capitalize() for kind in AUDITED}
    return [
        Choice("group", "About", groups.items(), every="Everything", narrow=_of_group),
        Choice("person", "Person", members, every="Anybody", column="actor"),
    ]


def _of_group(events: QuerySet[Event], group: str) -> QuerySet[Event]:
    return events.filter(type__in=[kind for kind in AUDITED if kind.startswith(f"{group}.")])
