"""What narrows the catalogue of models."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from apps.core.facets import Choice, Text, Tick, as_is
from apps.registry.models import BaseModel, LicenceClass

LICENCES = (
    (LicenceClass.PERMISSIVE, "Free"),
    (LicenceClass.CONDITIONAL, "Conditions"),
    (LicenceClass.RESEARCH, "Research only"),
)


def _named(bases: QuerySet[BaseModel], text: str) -> QuerySet[BaseModel]:
    return bases.filter(Q(name__icontains=text) | Q(family__icontains=text))


MODEL_FACETS = (
    Text("q", "Name or family", longest=80, narrow=_named),
    Choice("licence", "Licence", LICENCES, every="Any", column="licence_class"),
    # Only the disk knows: `listed` looks.
    Tick("here", "Weights here", narrow=as_is),
)
