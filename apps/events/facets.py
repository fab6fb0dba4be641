"""What narrows the activity of a workspace."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.accounts.models import User, Workspace
from apps.core.facets import Choice, Facet
from apps.events.models import Event
from apps.events.selectors import audited_types


def event_facets(workspace: Workspace) -> list[Facet]:
    def members() -> list[tuple[int, str]]:
        """People who left keep their events but need no filter."""
        people = User.objects.filter(memberships__workspace=workspace).order_by("name", "email")
        return [(person.pk, str(person)) for person in people]

    # What an event is about is the part of its type before the dot.
    groups = dict.fromkeys(type.partition(".")[0] for type in audited_types())
    return [
        Choice(
            "group",
            "About",
            [(name, name.capitalize()) for name in groups],
            every="Everything",
            narrow=_of_group,
        ),
        Choice("person", "Person", members, every="Anybody", column="actor"),
    ]


def _of_group(events: QuerySet[Event], group: str) -> QuerySet[Event]:
    return events.filter(type__in=[type for type in audited_types() if type.startswith(f"{group}.")])
