"""The background load of the demo's traces."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import Agent
from apps.ingest.services import IngestSummary, ingest
from apps.jobs.runner import JobContext
from apps.traces.models import Source
from slmhub.demo.log import generate
from slmhub.formats import parse_row

SEED = 7


def load_demo(context: JobContext, *, agent_id: int, calls: int) -> dict[str, Any]:
    """Generates the demo's calls and ingests them the way an upload is ingested."""
    agent = Agent.objects.select_related("workspace").get(pk=agent_id)

    def tell(summary: IngestSummary) -> None:
        context.progress(summary.read, max(calls, summary.read), "demo calls")

    # A second attempt generates the same calls again, so they are duplicates and not new ones.
    logged = generate(calls, SEED, until=agent.created_at)
    records = (parse_row(call.line) for call in logged)
    summary = ingest(
        agent=agent, records=records, source=Source.UPLOAD, on_progress=tell, commit=context.commit
    )
    return summary.as_dict()
