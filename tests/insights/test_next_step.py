from __future__ import annotations

import pytest

from apps.accounts.models import Membership, User
from apps.discovery.models import TaskState
from apps.evaluation.models import Verdict
from apps.insights.next_step import NextStep
from apps.insights.selectors import next_step
from apps.jobs.models import State
from apps.rollouts.models import RolloutState
from apps.traces.models import Audience
from tests.insights import factories as make
from tests.world import World


def step(world: World, user: User) -> NextStep:
    return next_step(world.agent, Membership.objects.get(user=user, workspace=world.workspace))


def accepted(world: World) -> make.Task:
    make.call(world)
    make.discovery(world)
    return make.task(world, TaskState.ACCEPTED, name="Route a ticket")


def test_no_calls_ask_for_an_upload(world: World) -> None:
    found = step(world, world.engineer)
    assert (found.title, found.code) == ("Send the first traces", "S1")
    assert found.url == world.url("uploads:upload")
    assert "Ask a curator or an engineer" in step(world, world.viewer).text


def test_traces_on_their_way_are_watched(world: World) -> None:
    running = make.job(world, State.RUNNING)
    found = step(world, world.engineer)
    assert (found.title, found.url) == (
        "Traces are coming in",
        world.workspace_url("jobs:detail", running.pk),
    )


def test_calls_without_a_discovery_ask_for_one(world: World) -> None:
    make.call(world)
    found = step(world, world.curator)
    assert (found.title, found.url, found.post) == ("Discover tasks", world.url("discovery:start"), True)


def test_a_running_discovery_is_watched(world: World) -> None:
    make.call(world)
    make.discovery(world, State.RUNNING)
    assert step(world, world.curator).title == "Tasks are being discovered"


def test_a_failed_discovery_may_be_started_again(world: World) -> None:
    make.call(world)
    make.discovery(world, State.FAILED)
    assert step(world, world.curator).title == "Discover tasks"


def test_found_tasks_ask_for_a_label(world: World) -> None:
    make.call(world)
    make.discovery(world)
    make.task(world)
    found = step(world, world.curator)
    assert (found.title, found.url) == ("Accept a task", world.url("discovery:list"))
    assert "Ask a curator" in step(world, world.approver).text


def test_an_accepted_task_asks_for_a_dataset(world: World) -> None:
    task = accepted(world)
    found = step(world, world.engineer)
    assert (found.url, found.post, found.code) == (world.url("datasets:build", task.pk), True, "S5")
    assert found.title == "Build a dataset for Route a ticket"


def test_a_curator_is_sent_to_an_engineer_and_gets_a_link_not_the_act(world: World) -> None:
    task = accepted(world)
    found = step(world, world.curator)
    assert "Ask an engineer." in found.text
    assert (found.post, found.url) == (False, world.url("discovery:detail", task.pk))


def test_a_dataset_in_the_making_is_watched(world: World) -> None:
    make.dataset(world, accepted(world), state=State.RUNNING, frozen=False)
    assert step(world, world.engineer).title.endswith("is being built")


def test_a_failed_build_may_be_started_again(world: World) -> None:
    make.dataset(world, accepted(world), state=State.FAILED, frozen=False)
    found = step(world, world.engineer)
    assert found.title.startswith("Build a dataset")
    assert "ended without a dataset" in found.text


def test_a_frozen_dataset_asks_for_training(world: World) -> None:
    dataset = make.dataset(world, accepted(world))
    assert step(world, world.engineer).url == world.url("training:new", dataset.pk)


def test_a_training_is_watched(world: World) -> None:
    run = make.training(world, make.dataset(world, accepted(world)), state=State.RUNNING)
    assert step(world, world.engineer).url == world.url("training:detail", run.pk)


def test_a_failed_training_says_why(world: World) -> None:
    make.training(world, make.dataset(world, accepted(world)), state=State.FAILED, error="Out of memory.")
    assert "Out of memory." in step(world, world.engineer).text


def test_a_specialist_asks_for_an_evaluation(world: World) -> None:
    specialist = make.trained(world, accepted(world))
    found = step(world, world.engineer)
    assert (found.url, found.post) == (world.url("evaluation:start", specialist.pk), True)


def test_an_evaluation_is_watched(world: World) -> None:
    run = make.evaluation(world, make.trained(world, accepted(world)), verdict=None, state=State.RUNNING)
    assert step(world, world.engineer).url == world.url("evaluation:detail", run.pk)


def test_a_passed_evaluation_asks_for_a_request(world: World) -> None:
    run = make.evaluation(world, make.trained(world, accepted(world)))
    assert step(world, world.engineer).url == world.url("rollouts:request", run.pk)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_an_evaluation_that_did_not_pass_is_looked_at(world: World, verdict: Verdict) -> None:
    run = make.evaluation(world, make.trained(world, accepted(world)), verdict=verdict)
    found = step(world, world.engineer)
    assert found.url == world.url("evaluation:detail", run.pk)
    assert verdict.label.lower() in found.title


def test_a_newer_dataset_starts_the_next_round(world: World) -> None:
    task = accepted(world)
    make.evaluation(world, make.trained(world, task), verdict=Verdict.FAIL)
    newer = make.dataset(world, task)
    assert step(world, world.engineer).url == world.url("training:new", newer.pk)


def test_a_request_waits_for_an_approver(world: World) -> None:
    run = make.evaluation(world, make.trained(world, accepted(world)))
    rollout = make.rollout(world, run, RolloutState.REQUESTED)
    url = world.url("rollouts:detail", rollout.pk)
    mine, theirs, viewers = (step(world, who) for who in (world.engineer, world.approver, world.viewer))
    assert (theirs.title, theirs.url) == ("Decide the rollout of Route a ticket", url)
    assert mine.title == viewers.title == "The rollout of Route a ticket waits for approval"
    assert mine.url == viewers.url == url


def test_nobody_is_asked_to_decide_their_own_request(world: World) -> None:
    run = make.evaluation(world, make.trained(world, accepted(world)))
    make.rollout(world, run, RolloutState.REQUESTED, by=world.admin)
    assert "waits for approval" in step(world, world.admin).title


def test_a_rejected_request_is_looked_at(world: World) -> None:
    run = make.evaluation(world, make.trained(world, accepted(world)))
    make.rollout(world, run, RolloutState.REJECTED)
    assert step(world, world.engineer).title == "The rollout of Route a ticket: rejected"


def test_a_live_rollout_leads_to_the_gateway(world: World) -> None:
    run = make.evaluation(world, make.trained(world, accepted(world)))
    make.rollout(world, run, RolloutState.LIVE)
    assert step(world, world.engineer).url == world.url("gateway:overview")


def test_a_live_rollout_leads_to_the_next_machine_facing_task(world: World) -> None:
    run = make.evaluation(world, make.trained(world, accepted(world)))
    make.rollout(world, run, RolloutState.LIVE)
    make.task(world, audience=Audience.HUMAN)
    assert step(world, world.engineer).title == "Watch the gateway"
    make.task(world)
    assert step(world, world.engineer).title == "Convert the next task"


def test_what_this_person_may_do_comes_before_what_waits_for_others(world: World) -> None:
    run = make.evaluation(world, make.trained(world, accepted(world)))
    make.rollout(world, run, RolloutState.REQUESTED)
    second = make.task(world, TaskState.ACCEPTED)
    assert step(world, world.engineer).url == world.url("datasets:build", second.pk)
    assert step(world, world.approver).title.startswith("Decide")


def test_an_ignored_task_asks_for_nothing(world: World) -> None:
    task = accepted(world)
    make.dataset(world, task)
    task.state = TaskState.IGNORED
    task.save()
    assert "Train" not in step(world, world.engineer).title
