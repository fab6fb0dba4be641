from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from apps.accounts.models import Membership
from apps.accounts.rights import Role
from apps.discovery.events import TaskAccepted
from apps.discovery.models import TaskState
from apps.events.services import publish
from apps.insights import loop as loops
from apps.jobs.models import State
from apps.registry.models import Teacher
from apps.rollouts.models import RolloutState
from apps.team import services
from tests.insights import factories as make
from tests.world import World, collapsed, person


def home(world: World, user: Any) -> str:
    response = world.client(user).get(world.url("insights:home"))
    assert response.status_code == 200
    return collapsed(response.content)


def test_the_index_leads_home(world: World) -> None:
    response = world.client(world.viewer).get("/", follow=True)
    assert [url for url, _ in response.redirect_chain] == [
        world.workspace_url("insights:workspace_home"),
        world.url("insights:home"),
    ]


def test_the_index_sends_visitors_to_sign_in(db: None) -> None:
    assert Client().get("/")["location"] == "/accounts/login/?next=/"


def test_the_index_sends_people_without_a_workspace_to_make_one(db: None) -> None:
    client = Client()
    client.force_login(person("new"))
    assert client.get("/")["location"] == "/workspaces/new/"


def test_the_index_opens_the_workspace_that_was_visited_last(world: World) -> None:
    services.add_member(workspace=world.elsewhere, user=world.viewer, role=Role.VIEWER, actor=None)
    home(world, world.viewer)
    assert world.client(world.viewer).get("/")["location"] == world.workspace_url("insights:workspace_home")


def test_a_workspace_opens_the_agent_that_was_looked_at_last(world: World) -> None:
    second = services.create_agent(workspace=world.workspace, name="Another agent", actor=world.admin)
    client, url = world.client(world.viewer), world.workspace_url("insights:workspace_home")
    assert client.get(url)["location"].endswith(f"/{second.slug}/")
    client.get(world.url("insights:home"))
    assert client.get(url)["location"] == world.url("insights:home")


def test_a_workspace_without_an_agent_teaches_to_add_one(world: World) -> None:
    page = world.client(world.stranger).get(f"/w/{world.elsewhere.slug}/").content
    assert b"Add your first agent" in page


def test_it_shows_the_six_steps_with_their_counts(world: World) -> None:
    make.call(world)
    make.discovery(world)
    make.task(world)
    run = make.evaluation(world, make.trained(world, make.task(world, TaskState.ACCEPTED)))
    make.rollout(world, run, RolloutState.LIVE)
    page = home(world, world.viewer)
    for words in (
        "S1",
        "calls",
        "accepted, 1 found",
        "specialists, 1 runs",
        "live, 1 evaluations passed",
        "S6",
    ):
        assert words in page


def test_every_step_links_to_the_rows_behind_it(world: World) -> None:
    page = home(world, world.viewer)
    for url in (
        world.url("traces:list"),
        world.workspace_url("privacy:findings"),
        world.url("rollouts:list"),
    ):
        assert f'data-state="todo"> <a href="{url}"' in page or f'data-state="now"> <a href="{url}"' in page


@pytest.mark.parametrize("who", ["viewer", "curator", "engineer", "approver", "admin"])
def test_there_is_always_one_next_step(world: World, who: str) -> None:
    assert home(world, getattr(world, who)).count('class="next-step"') == 1


def test_the_worklist_follows_the_rights(world: World) -> None:
    make.call(world)
    make.discovery(world)
    make.task(world)
    run = make.evaluation(
        world, make.trained(world, make.task(world, TaskState.ACCEPTED, name="Route a ticket"))
    )
    make.rollout(world, run, RolloutState.REQUESTED)
    make.job(world, State.FAILED, finished_at=timezone.now())
    assert "Rollout of Route a ticket to decide" in home(world, world.approver)
    assert "Failed jobs" not in home(world, world.approver)
    engineer = home(world, world.engineer)
    assert "Found tasks to label" in engineer
    assert "Failed jobs" in engineer
    assert "to decide" not in engineer
    assert "Nothing. Well done." in home(world, world.viewer)


def test_running_jobs_show_their_progress(world: World) -> None:
    job = make.job(world, State.RUNNING, title="Read a file", done=5, total=10, started_at=timezone.now())
    page = home(world, world.viewer)
    assert f'id="job-progress-{job.pk}"' in page
    assert 'value="5" max="10"' in page


def test_it_tells_what_others_changed_since_the_last_visit(world: World) -> None:
    hour = timedelta(hours=1)
    Membership.objects.filter(user=world.viewer).update(last_visit_at=timezone.now() - hour)
    with transaction.atomic():
        fact = TaskAccepted(task=1, name="While you were away")
        old = publish(fact, workspace=world.workspace, actor=world.curator)
        old.at = timezone.now() - 2 * hour
        old.data = {"task": 2, "name": "Seen before"}
        old.save()
        publish(fact, workspace=world.workspace, actor=world.curator)
        own = TaskAccepted(task=3, name="Done by myself")
        publish(own, workspace=world.workspace, actor=world.viewer)
    client, url = world.client(world.viewer), world.url("insights:home")
    for page in (client.get(url).content.decode(), client.get(url).content.decode()):
        assert "While you were away" in page
        assert "Seen before" not in page
        assert "Done by myself" not in page


def test_a_visit_is_noted(world: World) -> None:
    home(world, world.viewer)
    assert Membership.objects.get(user=world.viewer).last_visit_at is not None


def test_a_simulated_teacher_is_named_as_such(world: World) -> None:
    assert "Simulated teacher." not in home(world, world.viewer)
    teacher = {"name": "Sim", "base_url": "http://127.0.0.1:1/v1", "simulated": True}
    Teacher.objects.create(workspace=world.workspace, agent=world.agent, **teacher)
    assert "Simulated teacher." in home(world, world.viewer)


def test_a_name_of_a_task_is_shown_as_text(world: World) -> None:
    make.call(world)
    make.discovery(world)
    make.task(world, TaskState.ACCEPTED, name="<script>alert(1)</script>")
    assert "<script>alert" not in home(world, world.engineer)


def test_counting_stops_where_it_would_become_slow(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "COUNT_TO", 2)
    for _ in range(5):
        make.call(world)
    assert str(loops.read(world.agent).calls) == "2+"


def test_it_asks_few_questions_however_much_there_is(
    world: World, django_assert_max_num_queries: Any
) -> None:
    make.call(world)
    make.discovery(world)
    for _ in range(6):
        run = make.evaluation(world, make.trained(world, make.task(world, TaskState.ACCEPTED)))
        make.rollout(world, run, RolloutState.REQUESTED)
        make.job(world, State.RUNNING, started_at=timezone.now())
    client = world.client(world.admin)
    client.get(world.url("insights:home"))
    with django_assert_max_num_queries(25):
        client.get(world.url("insights:home"))


def test_another_workspaces_home_is_not_here(world: World) -> None:
    assert world.client(world.stranger).get(world.url("insights:home")).status_code == 404
    wrong = f"/w/{world.elsewhere.slug}/{world.agent.slug}/"
    assert world.client(world.stranger).get(wrong).status_code == 404
