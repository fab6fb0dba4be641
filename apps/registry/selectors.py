"""Reading the catalogue and the teacher."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
from django.utils import timezone

from apps.accounts.keys import Keyring, keyring
from apps.accounts.models import Agent
from apps.core.errors import HubError
from apps.core.facets import Filters
from apps.prices.book import PriceBook, Rates
from apps.registry import weights
from apps.registry.entries import STARTER_SLUG
from apps.registry.models import BaseModel, LicenceClass, Teacher, teacher_binding

# LoRA on a CPU keeps the frozen weights in fp32 (twice bf16), and half as much again for the rest.
TRAINING_FACTOR = 3.0
GIB = 2**30
LICENCE_TONES = {
    LicenceClass.PERMISSIVE: "ok",
    LicenceClass.CONDITIONAL: "warn",
    LicenceClass.RESEARCH: "bad",
}


class NotSeededError(HubError):
    """The catalogue is empty."""

    status = 409


@dataclass(frozen=True)
class Listed:
    """A model as the list shows it: `here` tells whether its weights are on this machine."""

    base: BaseModel
    here: bool
    needed_gb: float | None
    fits: bool | None

    @property
    def licence_tone(self) -> str:
        return LICENCE_TONES[LicenceClass(self.base.licence_class)]

    @property
    def may_train(self) -> bool:
        return self.here and self.base.trainable


def starter() -> BaseModel:
    base = BaseModel.objects.filter(slug=STARTER_SLUG).first()
    if base is None:
        raise NotSeededError("The model catalogue is empty.", hint="Run: manage.py seed_catalogue")
    return base


def listed(filters: Filters) -> list[Listed]:
    """The catalogue, smallest first, with what this machine has to say about each row."""
    rows = [describe(base) for base in filters.narrow(BaseModel.objects.order_by("parameters", "name"))]
    return [row for row in rows if row.here] if filters["here"] else rows


def describe(base: BaseModel) -> Listed:
    needed = base.memory_gb * TRAINING_FACTOR if base.memory_gb else None
    return Listed(
        base=base,
        here=weights.find(base) is not None,
        needed_gb=needed,
        fits=None if needed is None else needed <= machine_memory_gb(),
    )


def trainable_bases() -> list[BaseModel]:
    """Bases that can be trained here now, the starter first."""
    rows = [base for base in BaseModel.objects.filter(trainable=True) if weights.find(base) is not None]
    return sorted(rows, key=lambda base: (base.slug != STARTER_SLUG, base.parameters or 0, base.name))


def machine_memory_gb() -> float:
    return float(psutil.virtual_memory().total) / GIB


def teacher_of(agent: Agent) -> Teacher | None:
    return Teacher.objects.filter(agent=agent).first()


def teacher_rates(teacher: Teacher) -> Rates | None:
    """What its model costs now; None while that is unknown, or while callers choose the model."""
    if not teacher.model:
        return None
    today = timezone.now().date()
    return PriceBook(teacher.workspace).rates_for(provider="", model=teacher.model, day=today)


def teacher_key(teacher: Teacher) -> str:
    """The key in clear, "" when there is none."""
    if not teacher.sealed_key:
        return ""
    return opened_key(keyring(teacher.workspace_id), teacher.pk, bytes(teacher.sealed_key))


def opened_key(keys: Keyring, teacher_id: int, sealed: bytes) -> str:
    return keys.unseal(sealed, bound_to=teacher_binding(teacher_id)).decode()
