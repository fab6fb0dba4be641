from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from apps.accounts.models import Agent
from apps.discovery import services
from apps.discovery.columns import KeyUse
from apps.discovery.events import DiscoveryFinished
from apps.discovery.export import write_lines
from apps.discovery.models import Assignment, DiscoveryRun, Task, TaskState
from apps.discovery.results import NONE, Cluster, PlacedCall
from apps.discovery.selectors import calls_of, calls_waiting
from apps.discovery.storing import store
from apps.jobs.models import State
from apps.jobs.services import AlreadyRunningError
from apps.traces.models import Audience, Outcome, Span, Status
from tests.discovery.factories import Step, extraction
from tests.world import World

LABELS = ("billing", "delivery")


def lines_of(agent: Agent, path: Path) -> list[dict[str, object]]:
    write_lines(agent, path, lambda done: None)
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def cluster(number: int, calls: list[Span], cell: str = "t|s|user|json:order(order)") -> Cluster:
    return Cluster(number, len(calls), cell, f"Title {number}", "words", ["order"], [calls[0].pk], 0.9)


def places(number: int, calls: list[Span]) -> list[PlacedCall]:
    return [PlacedCall(call.pk, number, 1.0, 0.5, -0.5) for call in calls]


def run_of(world: World) -> DiscoveryRun:
    return DiscoveryRun.objects.create(agent=world.agent, started_by=world.curator)


def test_a_line_holds_the_masked_ask_and_the_cell(world: World, tmp_path: Path) -> None:
    extraction(world.agent, 2)
    Step(world.agent, system="Classify. Today is 2026-11-02.").call("Broken lamp", "billing")
    rows = lines_of(world.agent, tmp_path / "calls.jsonl")
    assert rows[0]["ask"] == "Where is order <*> of mine?"
    assert rows[0]["audience"] == "machine"
    assert rows[0]["cell"] == rows[1]["cell"] != rows[2]["cell"]


def test_a_prompt_that_differs_only_in_values_is_one_cell(world: World, tmp_path: Path) -> None:
    for day in ("2026-11-02", "2026-11-03"):
        Step(world.agent, system=f"Classify. Today is {day}.").call("Broken lamp", "billing")
    first, second = lines_of(world.agent, tmp_path / "calls.jsonl")
    assert first["cell"] == second["cell"]


def test_failed_calls_are_not_clustered(world: World, tmp_path: Path) -> None:
    Step(world.agent).call("Where?", "", status=Status.ERROR, output=None, action="none")
    assert lines_of(world.agent, tmp_path / "calls.jsonl") == []
    assert calls_waiting(world.agent) == 0


def test_it_refuses_to_start_without_calls_and_a_second_time(world: World) -> None:
    with pytest.raises(services.NoCallsError, match="no answered calls"):
        services.start_run(agent=world.agent, actor=world.curator)
    extraction(world.agent, 2)
    services.start_run(agent=world.agent, actor=world.curator)
    with pytest.raises(AlreadyRunningError, match="already"):
        services.start_run(agent=world.agent, actor=world.curator)
    assert DiscoveryRun.objects.count() == 1


def test_it_stores_tasks_with_figures_and_routing_keys(world: World) -> None:
    calls = extraction(world.agent, 9)
    stray = Step(world.agent).call("Something else", "I cannot help with that, sorry, please call us.")
    calls[0].session.outcome = Outcome.FAILURE
    calls[0].session.save()
    store(run_of(world), [cluster(0, calls)], [*places(0, calls), *places(NONE, [stray])])
    found = Task.objects.get()
    assert (found.size, found.audience, found.action) == (9, Audience.MACHINE, "json:order")
    assert found.figures.input_tokens == 900
    assert (found.figures.failed_sessions, found.figures.sessions) == (1, 3)
    assert found.routing_keys == {calls[0].routing_key: KeyUse(calls=6, of=7)}
    assert calls_of(found).count() == 9
    event = world.workspace.events.get(type=DiscoveryFinished.type)
    assert (event.data["tasks"], event.data["unassigned"]) == (1, 1)


def test_few_short_answers_again_and_again_are_for_a_program(world: World) -> None:
    step = Step(world.agent, system="Which queue?")
    labels = [step.call(f"Message {n}", LABELS[n % 2]) for n in range(40)]
    talk = [
        step.call(f"Message {n}", f"Dear customer, about your message {n}: we are sorry.") for n in range(40)
    ]
    cells = ("t|s|user|respond()", "t|s|start|respond()")
    found = [cluster(0, labels, cells[0]), cluster(1, talk, cells[1])]
    store(run_of(world), found, [*places(0, labels), *places(1, talk)])
    assert [task.audience for task in Task.objects.order_by("pk")] == [Audience.MACHINE, Audience.HUMAN]


def test_a_second_run_keeps_names_states_and_merges(world: World) -> None:
    calls, more = (
        extraction(world.agent, 9),
        [Step(world.agent).call(f"Refund {n}", '{"refund":1}') for n in range(9)],
    )
    clusters = [cluster(0, calls), cluster(1, more, "t|s|user|json:refund(refund)")]
    store(run_of(world), clusters, [*places(0, calls), *places(1, more)])
    first, second = Task.objects.order_by("pk")
    services.rename(task=first, name="Orders", actor=world.curator)
    services.accept(task=first, actor=world.curator)
    services.merge(tasks=[second], into=first, actor=world.curator)
    swapped = [cluster(0, more, "t|s|user|json:refund(refund)"), cluster(1, calls)]
    store(run_of(world), swapped, [*places(0, more), *places(1, calls)])
    again, merged = Task.objects.order_by("pk")
    assert (again.pk, str(again), again.state, again.title) == (
        first.pk,
        "Orders",
        TaskState.ACCEPTED,
        "Title 1",
    )
    assert (merged.pk, merged.merged_into_id) == (second.pk, first.pk)
    assert Assignment.objects.count() == 18


def test_a_task_that_is_gone_goes_unless_somebody_touched_it(world: World) -> None:
    calls, more = extraction(world.agent, 9), extraction(world.agent, 9, first=50)
    clusters = [cluster(0, calls), cluster(1, more, "t|s|start|json:order(order)")]
    store(run_of(world), clusters, [*places(0, calls), *places(1, more)])
    touched = Task.objects.order_by("pk")[0]
    services.accept(task=touched, actor=world.curator)
    services.reopen(task=touched, actor=world.curator)
    figures = store(run_of(world), [], [])
    assert figures.gone == 2
    assert [(task.pk, task.size, task.routing_keys) for task in Task.objects.all()] == [(touched.pk, 0, {})]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases="__all__")
def test_it_clusters_with_the_real_process(world: World) -> None:
    extraction(world.agent, 40)
    step = Step(world.agent, system="Which queue does this belong to?")
    for number in range(40):
        step.call(f"Message {number} about a thing", LABELS[number % 2])
    run = services.start_run(agent=world.agent, actor=world.curator)
    assert world.run_jobs() == [State.SUCCEEDED]
    run.refresh_from_db()
    assert sorted(Task.objects.values_list("size", flat=True)) == [40, 40]
    assert run.job is not None
    assert run.job.result["tasks"] == 2
    assert run.parameters.resolution == 5
