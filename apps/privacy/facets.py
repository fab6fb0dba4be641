"""What narrows the list of findings."""

from __future__ import annotations

from collections.abc import Iterable

from apps.core.facets import Choice, Facet
from apps.privacy.models import Decision
from slmhub.redaction import RECOGNISERS


def finding_facets(entities: Iterable[str] = ()) -> list[Facet]:
    """`entities` are those that were found."""
    detectors = sorted(target.detector for target in RECOGNISERS.targets)
    return [
        Choice("entity", "Kind", [(entity, entity) for entity in entities], or_other=True),
        Choice("decision", "Decision", Decision.choices),
        Choice("detector", "Detector", [(name, name) for name in detectors], or_other=True),
    ]
