"""Setting and removing a workspace's own prices; what calls cost by them is computed anew in a job."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.accounts.models import User, Workspace
from apps.accounts.rights import Right
from apps.core.errors import ConflictError
from apps.events.services import publish
from apps.jobs import services as jobs
from apps.jobs.models import Job
from apps.prices.events import PriceFact, PriceRemoved, PriceSet
from apps.prices.models import Price


class OverlappingPriceError(ConflictError):
    """Two prices of one model hold on the same day."""


@transaction.atomic
def set_price(*, workspace: Workspace, actor: User, **values: Any) -> Price:
    """A new price of the workspace's own. Raises OverlappingPriceError."""
    price = Price(workspace=workspace, made_by=actor, **values)
    _refuse_overlap(price)
    price.save()
    publish(_fact(PriceSet, price), workspace=workspace, actor=actor)
    return price


@transaction.atomic
def remove_price(*, price: Price, actor: User) -> None:
    """The shipped price holds again."""
    price.delete()
    publish(_fact(PriceRemoved, price), workspace=price.workspace, actor=actor)


def recompute(*, workspace: Workspace, actor: User) -> Job:
    """Computes all costs anew, except those that an emitter gave. Raises AlreadyRunningError."""
    return jobs.start(
        workspace=workspace,
        title="Compute costs anew",
        entry="apps.prices.jobs.recompute_costs",
        arguments={"workspace_id": workspace.pk},
        right=Right.MANAGE,
        exclusive_key="costs",
        actor=actor,
        url=workspace.address("prices:list"),
    )


def _fact(kind: type[PriceFact], price: Price) -> PriceFact:
    return kind(name=price.model, provider=price.provider, input=price.input, output=price.output)


def _refuse_overlap(price: Price) -> None:
    others = Price.objects.filter(
        workspace=price.workspace, provider=price.provider, model__iexact=price.model
    )
    for other in others:
        if _meet(price, other):
            raise OverlappingPriceError(
                f"{other.model} has a price of yours on the same days.",
                hint="End it, or remove it, before a new one begins.",
            )


def _meet(one: Price, other: Price) -> bool:
    return _begins_before_end(one, other) and _begins_before_end(other, one)


def _begins_before_end(one: Price, other: Price) -> bool:
    return one.valid_from is None or other.valid_until is None or one.valid_from < other.valid_until
