"""What calls cost: computed when they are stored, and anew when prices have changed."""

from __future__ import annotations

from django.db.models import Q

from apps.accounts.models import Workspace
from apps.jobs.runner import JobContext
from apps.prices.book import PriceBook
from apps.traces.models import Kind, Span
from slmhub.formats import Usage

CHUNK = 500
_FIELDS = (
    "provider", "model", "started_at", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens",
    "reasoning_tokens", "format", "cost", "cost_computed",
)  # fmt: skip

BATCH_FORMATS = frozenset({"openai_batch", "anthropic_batch"})


def cost_of(book: PriceBook, span: Span) -> float | None:
    """USD by the price book, None when price or tokens are unknown, or the span is no call."""
    if span.kind not in (Kind.LLM, Kind.EMBEDDING):
        return None
    usage = Usage(
        input=span.input_tokens,
        output=span.output_tokens,
        cached_input=span.cached_tokens,
        cache_write=span.cache_write_tokens,
        reasoning=span.reasoning_tokens,
    )
    batch = span.format in BATCH_FORMATS
    return book.cost_of(
        provider=span.provider, model=span.model, at=span.started_at, usage=usage, batch=batch
    )


def recompute(context: JobContext, workspace: Workspace) -> int:
    """How many calls cost something else now. What an emitter said itself is left as it is."""
    book = PriceBook(workspace)
    spans = Span.objects.filter(Q(cost=None) | Q(cost_computed=True), workspace=workspace)
    spans = spans.filter(kind__in=(Kind.LLM, Kind.EMBEDDING)).only("kind", *_FIELDS)
    total, done, changed, after = spans.count(), 0, 0, 0
    while batch := list(spans.filter(pk__gt=after).order_by("pk")[:CHUNK]):
        fresh = [span for span in batch if _price(book, span)]
        with context.commit():
            Span.objects.bulk_update(fresh, ["cost", "cost_computed"], batch_size=CHUNK)
        after, done, changed = batch[-1].pk, done + len(batch), changed + len(fresh)
        context.progress(done, total, f"{done:,} calls looked at")
    return changed


def _price(book: PriceBook, span: Span) -> bool:
    before = span.cost
    span.cost = cost_of(book, span)
    span.cost_computed = span.cost is not None
    return span.cost != before
