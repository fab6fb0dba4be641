"""Drives through the loop: begun by a person, moved on by the ends of jobs, safe to be moved by many."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.datasets.models import DatasetVersion
from apps.discovery.models import DiscoveryRun, Task, TaskState
from apps.discovery.services import start_run
from apps.evaluation.models import EvaluationRun, Verdict
from apps.insights.selectors import next_step
from apps.jobs.models import Job, State
from apps.jobs.services import cancel
from apps.lifecycle import services
from apps.lifecycle.events import ConversionDone, ConversionStarted, ConversionStopped
from apps.lifecycle.models import Conversion, ConversionState, Step
from apps.lifecycle.selectors import candidates
from apps.registry.entries import STARTER_SLUG
from apps.registry.models import BaseModel
from apps.rollouts.models import Rollout, RolloutState
from apps.traces.models import Audience
from apps.training.models import TrainingRun
from apps.uploads import services as uploads
from tests.discovery.factories import accepted, extraction
from tests.insights import factories as make
from tests.traces.calls import lines, session_rows
from tests.training.builders import base_at
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def starter(world: World, tmp_path: Path) -> BaseModel:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    return base_at(tmp_path, slug=STARTER_SLUG, context=0)


def again(conversion: Conversion) -> Conversion:
    return Conversion.objects.get(pk=conversion.pk)


def at(conversion: Conversion) -> tuple[str, str]:
    conversion = again(conversion)
    return conversion.state, conversion.step


def end(job: Job | None, state: State = State.SUCCEEDED, error: str = "") -> None:
    """A worker has ended the job."""
    assert job is not None
    Job.objects.filter(pk=job.pk).update(state=state, error=error, finished_at=timezone.now())


def drive(world: World, task: Task) -> Conversion:
    conversion = services.begin_task(task=task, actor=world.engineer)
    services.advance_open()
    return conversion


def built(world: World, task: Task) -> DatasetVersion:
    """The dataset that the conversion has asked for, as its job leaves it."""
    dataset = DatasetVersion.objects.filter(task=task).latest("pk")
    example = {"session": "s", "messages": [], "expected": {}, "prompt": "p", "completion": "c"}
    for position, split in enumerate(("train", "validation", "test")):
        dataset.examples.create(split=split, position=position, **example)
    DatasetVersion.objects.filter(pk=dataset.pk).update(digest="d" * 64, frozen_at=timezone.now())
    end(dataset.job)
    services.advance_open()
    return dataset


def trained(world: World) -> TrainingRun:
    run = TrainingRun.objects.latest("pk")
    make.specialist(world, run)
    end(run.job)
    services.advance_open()
    return run


def judged(verdict: Verdict) -> EvaluationRun:
    run = EvaluationRun.objects.latest("pk")
    EvaluationRun.objects.filter(pk=run.pk).update(verdict=verdict, finished_at=timezone.now())
    end(run.job)
    services.advance_open()
    return run


def a_task(world: World, calls: int = 3) -> Task:
    found = accepted(world.agent, extraction(world.agent, calls))
    Task.objects.filter(pk=found.pk).update(state=TaskState.FOUND)
    found.refresh_from_db()
    return found


class TestATask:
    def test_it_is_driven_from_label_to_request(self, world: World, starter: BaseModel) -> None:
        task = a_task(world)
        conversion = drive(world, task)
        task.refresh_from_db()
        assert (task.state, at(conversion)) == (TaskState.ACCEPTED, ("open", Step.BUILD))
        built(world, task)
        assert at(conversion) == ("open", Step.TRAIN)
        trained(world)
        assert at(conversion) == ("open", Step.EVALUATE)
        judged(Verdict.PASS)
        assert at(conversion) == ("done", Step.DECIDE)
        assert Rollout.objects.get().requested_by == world.engineer
        told = world.workspace.events.filter(type__startswith="conversion.").order_by("number")
        assert [event.type for event in told] == [ConversionStarted.type, ConversionDone.type]

    def test_nothing_is_done_while_its_job_runs(self, world: World, starter: BaseModel) -> None:
        conversion = drive(world, a_task(world))
        assert [services.advance_open() for _ in range(3)] == [0, 0, 0]
        assert at(conversion) == ("open", Step.BUILD)
        assert DatasetVersion.objects.count() == 1

    @pytest.mark.parametrize(("state", "word"), [(State.FAILED, "failed"), (State.CANCELLED, "cancelled")])
    def test_it_stops_where_a_job_did(self, world: World, state: State, word: str) -> None:
        conversion = drive(world, a_task(world))
        end(conversion.job or again(conversion).job, state, "Too few calls.")
        services.advance_open()
        conversion = again(conversion)
        assert (conversion.state, conversion.step) == (ConversionState.STOPPED, Step.BUILD)
        assert word in conversion.reason
        assert "Too few calls." in conversion.reason
        event = world.workspace.events.get(type=ConversionStopped.type)
        assert event.data["reason"] == conversion.reason

    def test_it_stops_where_a_step_cannot_be_taken(self, world: World) -> None:
        task = a_task(world)
        conversion = drive(world, task)
        built(world, task)
        assert at(conversion) == ("stopped", Step.BUILD)
        assert "seed_catalogue" in again(conversion).reason
        assert not TrainingRun.objects.exists()

    def test_a_job_that_left_nothing_does_not_go_round_for_ever(self, world: World) -> None:
        conversion = drive(world, a_task(world))
        end(again(conversion).job)
        services.advance_open()
        assert "left nothing to go on with" in again(conversion).reason

    def test_a_gate_that_does_not_pass_ends_it_there(self, world: World, starter: BaseModel) -> None:
        task = a_task(world)
        conversion = drive(world, task)
        built(world, task)
        trained(world)
        judged(Verdict.FAIL)
        assert at(conversion) == ("done", Step.REVISE)
        assert not Rollout.objects.exists()

    def test_what_was_judged_before_is_built_anew(self, world: World, starter: BaseModel) -> None:
        task = a_task(world)
        drive(world, task)
        built(world, task)
        trained(world)
        judged(Verdict.FAIL)
        second = drive(world, task)
        assert at(second) == ("open", Step.BUILD)
        assert DatasetVersion.objects.filter(task=task).count() == 2

    def test_it_goes_on_from_where_somebody_came_by_hand(self, world: World, starter: BaseModel) -> None:
        task = accepted(world.agent, extraction(world.agent, 3))
        make.trained(world, task)
        make.dataset(world, task, state=State.RUNNING, frozen=False)
        conversion = drive(world, task)
        waiting = again(conversion)
        assert (waiting.step, waiting.job) == (Step.BUILD, DatasetVersion.objects.latest("pk").job)
        built(world, task)
        assert at(conversion) == ("open", Step.TRAIN)

    def test_a_person_is_told_to_watch_it(self, world: World) -> None:
        make.call(world)
        make.discovery(world)
        task = make.task(world, TaskState.ACCEPTED)
        services.begin_task(task=task, actor=world.engineer)
        membership = world.workspace.memberships.get(user=world.engineer)
        assert next_step(world.agent, membership).title == f"{task} is being converted"

    def test_there_is_one_at_a_time(self, world: World) -> None:
        task = a_task(world)
        first = services.begin_task(task=task, actor=world.engineer)
        assert services.begin_task(task=task, actor=world.curator) == first
        with pytest.raises(IntegrityError), transaction.atomic():
            Conversion.objects.create(agent=world.agent, task=task, step=Step.BUILD)


class TestAnAgent:
    def test_it_waits_for_an_import_that_runs(self, world: World) -> None:
        kept = uploads.keep(agent=world.agent, filename="log.jsonl", pieces=[lines(session_rows())])
        (upload,) = uploads.start(choices=[uploads.Choice(kept)], actor=world.curator)
        conversion = services.begin(agent=world.agent, actor=world.engineer)
        services.advance_open()
        waiting = again(conversion)
        assert (waiting.step, waiting.job) == (Step.COLLECT, upload.job)
        extraction(world.agent, 3)
        end(upload.job)
        services.advance_open()
        waiting = again(conversion)
        assert (waiting.step, waiting.job) == (Step.DISCOVER, DiscoveryRun.objects.latest("pk").job)

    def test_without_calls_it_stops_and_says_what_to_do(self, world: World) -> None:
        conversion = services.begin(agent=world.agent, actor=world.engineer)
        services.advance_open()
        assert again(conversion).state == ConversionState.STOPPED
        assert again(conversion).reason.endswith("Upload traces first.")

    def test_it_begins_the_drives_of_the_best_tasks(self, world: World) -> None:
        tasks = [accepted(world.agent, extraction(world.agent, 3, first=10 * n)) for n in range(3)]
        for size, task in zip((900, 300, 500), tasks, strict=True):
            Task.objects.filter(pk=task.pk).update(size=size)
        conversion = services.begin(agent=world.agent, actor=world.engineer, most_tasks=2)
        services.advance_open()
        end(DiscoveryRun.objects.latest("pk").job)
        services.advance_open()
        assert at(conversion)[0] == "done"
        parts = conversion.parts.order_by("pk")
        assert [part.task for part in parts] == [tasks[0], tasks[2]]
        services.advance_open()
        assert {part.step for part in conversion.parts.all()} == {Step.BUILD}

    def test_a_discovery_that_somebody_began_is_waited_for(self, world: World) -> None:
        extraction(world.agent, 3)
        run = start_run(agent=world.agent, actor=world.curator)
        conversion = services.begin(agent=world.agent, actor=world.engineer)
        services.advance_open()
        assert again(conversion).job == run.job
        assert run.job is not None
        cancel(job=run.job, actor=world.curator)
        services.advance_open()
        assert "cancelled" in again(conversion).reason


def test_every_task_says_why_it_is_or_is_not_a_candidate(world: World) -> None:
    def sized(size: int, **fields: object) -> Task:
        task = accepted(world.agent, extraction(world.agent, 2, first=1000 + size))
        Task.objects.filter(pk=task.pk).update(size=size, **fields)
        return task

    good = sized(900)
    live, asked = sized(800), sized(700)
    for task, state in ((live, RolloutState.LIVE), (asked, RolloutState.REQUESTED)):
        make.rollout(world, make.evaluation(world, make.trained(world, task)), state)
    sized(600, audience=Audience.HUMAN)
    sized(500, state=TaskState.IGNORED)
    sized(400, state=TaskState.MERGED, merged_into=good)
    sized(300, routing_keys={})
    sized(20)
    under_way = sized(950)
    services.begin_task(task=under_way, actor=world.engineer)

    judged = candidates(world.agent)
    assert [one.task for one in judged if one.is_candidate] == [good]
    words = ["being converted", "900 calls", "answers it already", "waits for an approver", "people read"]
    words += ["ignored", "part of", "cannot tell", "has 20 calls"]
    for one, word in zip(judged, words, strict=True):
        assert word in one.why


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_many_keepers_at_once_take_each_step_once(world: World, starter: BaseModel) -> None:
    task = a_task(world)
    conversion = services.begin_task(task=task, actor=world.engineer)
    gate = threading.Barrier(6)

    def keeper() -> None:
        try:
            gate.wait()
            services.advance_open()
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(keeper) for _ in range(6)]:
            done.result()
    assert at(conversion) == ("open", Step.BUILD)
    assert DatasetVersion.objects.count() == Job.objects.count() == 1
    assert world.workspace.events.filter(type="task.accepted").count() == 1
