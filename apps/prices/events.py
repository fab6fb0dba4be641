"""What happens to a workspace's own prices."""

from __future__ import annotations

from apps.events.facts import Fact, Page


class PriceFact(Fact):
    """`name` is the model's; rates are USD per million tokens."""

    name: str
    provider: str
    input: float
    output: float

    page = Page("prices:list", of_agent=False)

    def what(self) -> str:
        return self.name


class PriceSet(PriceFact):
    type = "price.set"
    verb = "set the price of"


class PriceRemoved(PriceFact):
    type = "price.removed"
    verb = "removed the price of"
