"""Two attempts of one job: what the one that lost its lease writes does not stay, whatever the job is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils.module_loading import import_string

from apps.accounts.rights import Right
from apps.datasets import services as datasets
from apps.discovery import services as discovery
from apps.evaluation import services as evaluation
from apps.evaluation.models import Answer, System
from apps.jobs import services
from apps.jobs.models import Job, JobLine, State
from apps.jobs.runner import JobContext, LeaseLostError
from apps.prices import services as prices
from apps.privacy.models import Surrogate
from apps.training import services as training
from apps.uploads import services as uploads
from tests.discovery.factories import accepted, extraction
from tests.traces.calls import lines, session_rows
from tests.training.builders import base_at, frozen_dataset, made_specialist
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def claimed(world: World) -> JobContext:
    job = services.start(
        workspace=world.workspace, title="Work", entry="tests.jobs.work.echo", arguments={}, right=Right.LABEL
    )
    first = Job.claim(job.pk)
    assert first is not None
    return JobContext(first)


def hand_over(context: JobContext) -> JobContext:
    """Another attempt of the same job, which the first does not notice."""
    Job.objects.filter(pk=context.job.pk).update(state=State.QUEUED, lease_until=None)
    second = Job.claim(context.job.pk)
    assert second is not None
    return JobContext(second)


def write(context: JobContext, text: str) -> None:
    JobLine.objects.create(job=context.job, text=text)


def test_what_is_committed_stays(world: World) -> None:
    context = claimed(world)
    with context.commit():
        write(context, "mine")
    assert JobLine.objects.get().text == "mine"


def test_an_attempt_that_lost_its_lease_does_not_even_begin(world: World) -> None:
    first = claimed(world)
    second = hand_over(first)
    with pytest.raises(LeaseLostError), first.commit():
        pytest.fail("it went on")
    with second.commit():
        write(second, "second")
    assert [line.text for line in JobLine.objects.all()] == ["second"]


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="the first holds the one lock")
def test_an_attempt_that_loses_its_lease_while_it_writes_takes_all_of_it_back(world: World) -> None:
    first = claimed(world)
    writes, goes_on = threading.Event(), threading.Event()
    refusals: list[type[Exception]] = []

    def slowly() -> None:
        try:
            with first.commit():
                write(first, "first")
                writes.set()
                goes_on.wait(10)
        except LeaseLostError as error:
            refusals.append(type(error))
        finally:
            connection.close()

    thread = threading.Thread(target=slowly)
    thread.start()
    assert writes.wait(10)
    second = hand_over(first)
    with second.commit():
        write(second, "second")
    goes_on.set()
    thread.join(10)
    assert refusals == [LeaseLostError]
    assert [line.text for line in JobLine.objects.all()] == ["second"]


class Unaware(JobContext):
    """An attempt that hears of nothing: only what it commits is held against it."""

    def check(self) -> None: ...

    def progress(self, done: int, total: int, note: str = "", **result: Any) -> None: ...

    def log(self, text: str) -> None: ...


def import_of_a_file(world: World, tmp_path: Path) -> None:
    kept = uploads.keep(agent=world.agent, filename="log.jsonl", pieces=[lines(session_rows())])
    uploads.start(choices=[uploads.Choice(kept)], actor=world.curator)


def discovery_of_tasks(world: World, tmp_path: Path) -> None:
    extraction(world.agent, 12)
    discovery.start_run(agent=world.agent, actor=world.curator)


def build_of_a_dataset(world: World, tmp_path: Path) -> None:
    datasets.build(task=accepted(world.agent, extraction(world.agent, 100)), actor=world.engineer)


def training_of_a_specialist(world: World, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    # The trainer refuses these weights, so that the attempt ends in telling of a failure.
    training.start(dataset=frozen_dataset(world), base=base_at(tmp_path), actor=world.engineer)


def evaluation_of_a_specialist(world: World, tmp_path: Path) -> None:
    run = evaluation.start(specialist=made_specialist(world, base_at(tmp_path)), actor=world.engineer)
    examples = run.dataset.examples.filter(split="test")
    # Nobody is left to be asked: only the judgement is written.
    Answer.objects.bulk_create(
        Answer(run=run, example=example, system=system, message=example.expected)
        for example in examples
        for system in System
    )


def costs_anew(world: World, tmp_path: Path) -> None:
    extraction(world.agent, 3)
    prices.recompute(workspace=world.workspace, actor=world.admin)


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is stored, but for surrogates: one that is taken stands for its value ever after."""
    models = [model for model in apps.get_models() if model.__module__.startswith("apps.")]
    models.remove(Surrogate)
    return {model.__name__: list(model.objects.order_by("pk").values_list()) for model in models}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "queue",
    [
        import_of_a_file,
        discovery_of_tasks,
        build_of_a_dataset,
        training_of_a_specialist,
        evaluation_of_a_specialist,
        costs_anew,
    ],
)
def test_a_fenced_attempt_of_any_job_writes_nothing(
    world: World, tmp_path: Path, settings: Any, queue: Callable[[World, Path], None]
) -> None:
    settings.RUNS_DIR = tmp_path / "runs"
    queue(world, tmp_path)
    job = Job.claim(Job.objects.get().pk)
    assert job is not None
    hand_over(JobContext(job))
    before = rows()
    with pytest.raises(LeaseLostError):
        import_string(job.entry)(Unaware(job), **job.arguments)
    assert rows() == before
