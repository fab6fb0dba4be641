"""The background build of a dataset version."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec.structs import asdict

from apps.datasets.building import rows_of, static_prompt_of
from apps.datasets.candidates import collect
from apps.datasets.columns import Counts
from apps.datasets.models import DatasetVersion
from apps.datasets.services import check_size, freeze
from apps.jobs.runner import JobContext

STEPS = 3


def run(context: JobContext, *, dataset_id: int) -> dict[str, Any]:
    """Collects, renders and freezes; a second attempt starts over, or finds the version frozen."""
    versions = DatasetVersion.objects.select_related("agent__workspace", "task", "created_by")
    dataset = versions.get(pk=dataset_id)
    if dataset.is_frozen:
        return asdict(dataset.counts)
    parameters = dataset.parameters
    left_out: Counter[str] = Counter()
    context.progress(0, STEPS, "reading calls")
    candidates = collect(dataset.task, parameters, left_out)
    if not candidates:
        check_size(Counts(calls=left_out.total()), left_out)
    context.progress(1, STEPS, "writing prompts")
    static = static_prompt_of(candidates, dataset.prompt_format)
    rows = rows_of(candidates, static, parameters, left_out)
    context.progress(2, STEPS, "freezing")
    with context.commit():
        frozen = freeze(dataset=dataset, rows=rows, static=static, left_out=left_out)
    return asdict(frozen.counts)
