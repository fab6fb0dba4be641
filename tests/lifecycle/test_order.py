"""Where a task or an agent stands, told from rows alone."""

from __future__ import annotations

import pytest

from apps.discovery.models import TaskState
from apps.evaluation.models import Verdict
from apps.jobs.models import State
from apps.lifecycle.models import Conversion, Step
from apps.lifecycle.order import Place, place_of, place_of_agent
from apps.lifecycle.selectors import read
from apps.rollouts.models import RolloutState
from apps.traces.models import Audience
from tests.insights import factories as make
from tests.world import World


def place(world: World, task: make.Task) -> Place:
    return place_of(read(world.agent).of_task(task))


def accepted(world: World) -> make.Task:
    return make.task(world, TaskState.ACCEPTED)


def test_what_nobody_has_accepted_waits_for_that(world: World) -> None:
    assert place(world, make.task(world)) == Place(Step.ACCEPT)


def test_an_accepted_task_goes_step_by_step_to_its_rollout(world: World) -> None:
    task = accepted(world)
    steps = [place(world, task).step]
    dataset = make.dataset(world, task)
    steps.append(place(world, task).step)
    specialist = make.specialist(world, make.training(world, dataset))
    steps.append(place(world, task).step)
    evaluation = make.evaluation(world, specialist)
    steps.append(place(world, task).step)
    rollout = make.rollout(world, evaluation, RolloutState.REQUESTED)
    steps.append(place(world, task).step)
    rollout.state = RolloutState.LIVE
    rollout.save()
    steps.append(place(world, task).step)
    assert steps == [Step.BUILD, Step.TRAIN, Step.EVALUATE, Step.REQUEST, Step.DECIDE, Step.SERVE]


def test_an_open_job_is_what_its_step_waits_for(world: World) -> None:
    building, training, evaluating = (accepted(world) for _ in range(3))
    dataset = make.dataset(world, building, state=State.QUEUED, frozen=False)
    run = make.training(world, make.dataset(world, training), state=State.RUNNING)
    judged = make.evaluation(world, make.trained(world, evaluating), verdict=None, state=State.RUNNING)
    assert place(world, building) == Place(Step.BUILD, dataset.job)
    assert place(world, training) == Place(Step.TRAIN, run.job)
    assert place(world, evaluating) == Place(Step.EVALUATE, judged.job)


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_step_whose_job_came_to_nothing_is_taken_again(world: World, state: State) -> None:
    building, training = accepted(world), accepted(world)
    make.dataset(world, building, state=state, frozen=False)
    make.training(world, make.dataset(world, training), state=state)
    assert place(world, building) == Place(Step.BUILD)
    assert place(world, training) == Place(Step.TRAIN)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_what_did_not_pass_is_looked_at_by_a_person(world: World, verdict: Verdict) -> None:
    task = accepted(world)
    make.evaluation(world, make.trained(world, task), verdict=verdict)
    assert place(world, task) == Place(Step.REVISE)


@pytest.mark.parametrize("state", [RolloutState.REJECTED, RolloutState.WITHDRAWN, RolloutState.ROLLED_BACK])
def test_so_is_what_a_person_refused(world: World, state: RolloutState) -> None:
    task = accepted(world)
    make.rollout(world, make.evaluation(world, make.trained(world, task)), state)
    assert place(world, task) == Place(Step.REVISE)


def test_a_newer_dataset_begins_the_next_round(world: World) -> None:
    task = accepted(world)
    make.evaluation(world, make.trained(world, task), verdict=Verdict.FAIL)
    make.dataset(world, task)
    assert place(world, task) == Place(Step.TRAIN)


def test_an_agent_goes_from_calls_to_tasks_to_what_serves(world: World) -> None:
    def stands(*, has_calls: bool = True) -> Place:
        return place_of_agent(read(world.agent), has_calls=has_calls)

    assert stands(has_calls=False) == Place(Step.COLLECT)
    importing = make.job(world, State.RUNNING)
    assert stands(has_calls=False) == Place(Step.COLLECT, importing)
    importing.delete()
    assert stands() == Place(Step.DISCOVER)
    run = make.discovery(world, State.RUNNING)
    assert stands() == Place(Step.DISCOVER, run.job)
    run.delete()
    make.discovery(world)
    make.task(world)
    assert stands() == Place(Step.ACCEPT)
    task = accepted(world)
    assert stands() == Place(Step.ACCEPT)
    world.agent.tasks.exclude(pk=task.pk).update(audience=Audience.HUMAN)
    assert stands() == Place(Step.COLLECT)
    make.rollout(world, make.evaluation(world, make.trained(world, task)), RolloutState.LIVE)
    assert stands() == Place(Step.SERVE)


def test_an_agent_that_is_driven_stands_where_its_conversion_waits(world: World) -> None:
    make.discovery(world)
    make.task(world)
    importing = make.job(world, State.RUNNING)
    Conversion.objects.create(agent=world.agent, step=Step.COLLECT, job=importing)
    assert place_of_agent(read(world.agent), has_calls=True) == Place(Step.COLLECT, importing)
