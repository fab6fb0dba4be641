"""What the catalogue says about one model."""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.registry.models import LicenceClass

STARTER_SLUG = "slmhub-starter"
APACHE = "Apache-2.0"
MAY, IF, NOT = LicenceClass.PERMISSIVE, LicenceClass.CONDITIONAL, LicenceClass.RESEARCH


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue. `parameters` counts weights, `context` tokens, `memory_gb` bf16 weights."""

    slug: str
    name: str
    family: str
    hub_id: str
    parameters: int | None
    context: int | None
    licence: str
    licence_class: LicenceClass
    architecture: str = ""
    tool_format: str = ""
    memory_gb: float | None = None
    trainable: bool = True
    remarks: str = ""
    source: str = ""
    values: dict[str, float] = field(default_factory=dict)
