"""What a call costs: the price that was valid for its model on its day, times its tokens."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from apps.accounts.models import Workspace
from apps.prices.models import Price
from slmhub.formats import Usage

SHIPPED = Path(__file__).parent / "data" / "prices.tsv"
_MILLION = 1_000_000
# Whoever runs a model on a machine of their own pays no list price.
SELF_HOSTED = frozenset({"ollama", "vllm", "llamacpp", "lm_studio", "huggingface", "slmhub"})
# "gpt-4o-2024-08-06", "claude-sonnet-4-20250514", "gemini-2.0-flash-001", "…-v1:0", "…@20250514", "…-latest"
_VERSION = re.compile(r"(?:[-@]\d{4}-\d{2}-\d{2}|[-@]\d{8}|-\d{3}|-v\d+:\d+|-latest)$")
_REGION = re.compile(r"^(?:us|eu|apac|ap|jp|au|us-gov|global)\.(?=[a-z0-9]+\.)")


@dataclass(frozen=True)
class Rates:
    """USD per million tokens, valid from one day until before another. `own`: set by the workspace."""

    provider: str
    model: str
    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    batch_input: float | None = None
    batch_output: float | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    source: str = ""
    own: bool = False

    def holds(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day < self.valid_until
        )

    def cost(self, usage: Usage, *, batch: bool = False) -> float | None:
        """USD, or None while the tokens that cost something are unknown.

        `cached_input` and `cache_write` are parts of the input and `reasoning` of the output, so each token
        is charged once.
        """
        if usage.input is None or (usage.output is None and self.output):
            return None
        if batch and self.batch_input is not None and self.batch_output is not None:
            return (usage.input * self.batch_input + (usage.output or 0) * self.batch_output) / _MILLION
        return (self._input_cost(usage, usage.input) + self._output_cost(usage, usage.output or 0)) / _MILLION

    def _input_cost(self, usage: Usage, tokens: int) -> float:
        cached = min(usage.cached_input or 0, tokens)
        written = min(usage.cache_write or 0, tokens - cached)
        return (
            (tokens - cached - written) * self.input
            + cached * _or(self.cached_input, self.input)
            + written * _or(self.cache_write, self.input)
        )

    def _output_cost(self, usage: Usage, tokens: int) -> float:
        reasoning = min(usage.reasoning or 0, tokens)
        return (tokens - reasoning) * self.output + reasoning * _or(self.reasoning, self.output)


NUMBERS = tuple(field.name for field in fields(Rates) if field.type.startswith("float"))


def _or(rate: float | None, other: float) -> float:
    return other if rate is None else rate


class PriceBook:
    """The prices of one workspace: its own first, then the shipped ones. Its own are read once."""

    def __init__(self, workspace: Workspace) -> None:
        self._own = _by_model(own_rates(workspace))

    def cost_of(
        self, *, provider: str, model: str, at: datetime, usage: Usage, batch: bool = False
    ) -> float | None:
        """USD of one call, None when its price or its tokens are unknown."""
        rates = self.rates_for(provider=provider, model=model, day=at.date())
        return rates.cost(usage, batch=batch) if rates else None

    def rates_for(self, *, provider: str, model: str, day: date) -> Rates | None:
        """The most exact name wins, then the workspace's own price, then the named provider's."""
        for name in names_of(model):
            for book in (self._own, shipped()):
                found = [rates for rates in book.get(name, ()) if rates.holds(day)]
                if chosen := _nearest(found, provider):
                    return chosen
        return None


def _nearest(found: list[Rates], provider: str) -> Rates | None:
    """The provider's price, or one for any provider; else what all other providers agree upon.

    A call that is said to go to "openai" may go to whoever speaks its protocol, so another provider's price
    is not far off; where several differ nobody can tell.
    """
    for wanted in (provider, ""):
        if named := [rates for rates in found if rates.provider == wanted]:
            return named[0]
    agreed = len({(rates.input, rates.output) for rates in found}) == 1
    return found[0] if agreed and provider not in SELF_HOSTED else None


@lru_cache(maxsize=4096)
def names_of(model: str) -> tuple[str, ...]:
    """The name as given and its plainer forms: without gateway, region, vendor, version."""
    name = model.strip().lower()
    plain = [name]
    if "/" in name:
        plain.append(name.rpartition("/")[2])
    if _REGION.match(plain[-1]):
        plain.append(_REGION.sub("", plain[-1]))
    bare = plain[-1]
    while (shorter := _VERSION.sub("", bare)) != bare:
        bare = shorter
        plain.append(bare)
    return tuple(dict.fromkeys(plain))


def own_rates(workspace: Workspace) -> Iterator[Rates]:
    names = [field.name for field in fields(Rates) if field.name != "own"]
    for values in Price.objects.filter(workspace=workspace).values_list(*names):
        row = dict(zip(names, values, strict=True))
        yield Rates(**{**row, "model": row["model"].strip().lower()}, own=True)


@lru_cache(maxsize=1)
def shipped() -> dict[str, list[Rates]]:
    """The project's own list (data/prices.tsv)."""
    with SHIPPED.open(newline="") as file:
        lines = (line for line in file if not line.startswith("#"))
        return _by_model(_rates_of(row) for row in csv.DictReader(lines, delimiter="\t"))


def _rates_of(row: dict[str, str]) -> Rates:
    numbers = {name: float(row[name]) if row[name] else None for name in NUMBERS}
    days = {
        name: date.fromisoformat(row[name]) if row[name] else None for name in ("valid_from", "valid_until")
    }
    texts = {name: row[name] for name in ("provider", "model", "source")}
    return Rates(**texts, **numbers, **days)  # type: ignore[arg-type]


def _by_model(rates: Iterable[Rates]) -> dict[str, list[Rates]]:
    book: dict[str, list[Rates]] = defaultdict(list)
    for one in rates:
        book[one.model].append(one)
    return dict(book)
