"""Prices for people to read: the workspace's own and the shipped ones, filtered."""

from __future__ import annotations

from collections.abc import Sequence

from apps.accounts.models import Workspace
from apps.prices.book import Rates, shipped
from apps.prices.models import Price

MOST_SHOWN = 50


def own_prices(workspace: Workspace) -> list[Price]:
    return list(
        Price.objects.filter(workspace=workspace).select_related("made_by").order_by("model", "valid_from")
    )


def shipped_prices(query: str) -> tuple[Sequence[Rates], int]:
    """Those whose model or provider holds the query, at most 50, and how many there are."""
    wanted = query.lower()
    found = [
        rates
        for book in shipped().values()
        for rates in book
        if wanted in rates.model or wanted in rates.provider
    ]
    found.sort(key=lambda rates: (rates.provider, rates.model, str(rates.valid_from or "")))
    return found[:MOST_SHOWN], len(found)
