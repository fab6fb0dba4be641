"""The demo's calls through ingest, the real clustering process and the build of a dataset."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.datasets import services as datasets
from apps.datasets.models import DatasetVersion
from apps.discovery import services as discovery
from apps.discovery.models import Task
from apps.discovery.selectors import routable_keys
from apps.ingest.services import ingest
from apps.jobs.models import Job, State
from apps.traces.models import Audience, Source
from slmhub.demo.log import generate
from slmhub.formats import parse_row
from tests.world import World

CALLS = 1500
MACHINE_STEPS = 7  # triage, lookup, status, refund, callback, extract, intent


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases="__all__")
def test_the_demo_becomes_tasks_and_a_task_a_dataset(world: World) -> None:
    log = generate(CALLS, 11, datetime(2026, 11, 20, tzinfo=UTC))
    ingest(agent=world.agent, records=(parse_row(call.line) for call in log), source=Source.UPLOAD)
    discovery.start_run(agent=world.agent, actor=world.curator)
    assert world.run_jobs() == [State.SUCCEEDED], Job.objects.get().error
    tasks = Task.objects.filter(agent=world.agent)
    found = tasks.filter(audience=Audience.MACHINE)
    assert len(found) == MACHINE_STEPS
    assert all(routable_keys(task) for task in found)
    extract = found.get(action__startswith="json:amount")
    discovery.accept(task=extract, actor=world.curator)
    dataset = datasets.build(task=extract, actor=world.engineer)
    assert world.run_jobs() == [State.SUCCEEDED], Job.objects.order_by("pk").last()
    dataset = DatasetVersion.objects.get(pk=dataset.pk)
    assert dataset.counts.usable > 0.8 * extract.size
    assert dataset.left_out["failed_session"] > 0
    assert dataset.overlap.values.seen < 0.1 * dataset.overlap.values.of
    assert dataset.overlap.wording.of == dataset.counts.test
    assert "Nordhaven" in dataset.static_prompt.messages[0].text
