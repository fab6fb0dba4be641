from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from apps.discovery.events import TaskAccepted, TaskRenamed
from apps.events.facts import Fact
from apps.events.models import Event
from apps.events.services import publish
from apps.ingest.events import TracesIngested
from apps.jobs.events import JobProgressed
from apps.rollouts.events import RolloutApproved, RolloutRejected
from apps.team.events import MemberInvited
from tests.world import World, collapsed


def happened(world: World, fact: Fact, actor: Any = None) -> Event:
    with transaction.atomic():
        return publish(fact, workspace=world.workspace, agent=world.agent, actor=actor)


def renamed(name: str) -> TaskRenamed:
    return TaskRenamed(task=1, name=name, old="")


def page(world: World, query: str = "") -> str:
    response = world.client(world.viewer).get(world.workspace_url("events:activity") + query)
    assert response.status_code == 200
    return collapsed(response.content)


def timeline(text: str) -> str:
    return text.split('<ol class="timeline">')[1].split("</ol>")[0]


def test_it_says_who_did_what_with_a_link(world: World) -> None:
    approved = RolloutApproved(rollout=7, task=3, name="Route a ticket", note="looks good")
    happened(world, approved, world.approver)
    text = page(world)
    link = f'<a href="{world.url("rollouts:detail", 7)}">Route a ticket</a>'
    assert f"<strong>Approver</strong> approved the rollout of {link}" in text
    assert "looks good" in text


def test_what_nobody_did_the_hub_did(world: World) -> None:
    happened(world, TracesIngested(accepted=5401, source="api"))
    assert "<strong>The hub</strong> stored" in page(world)
    assert "5,401 calls" in page(world)


@pytest.mark.parametrize(
    "fact",
    [
        renamed("<script>alert(1)</script>"),
        RolloutRejected(rollout=1, task=1, name="", note="<script>alert(1)</script>"),
        MemberInvited(invitation=1, email="", role="<script>alert(1)</script>"),
    ],
)
def test_untrusted_text_is_shown_as_text(world: World, fact: Fact) -> None:
    happened(world, fact, world.curator)
    assert "<script>alert" not in page(world)
    assert "&lt;script&gt;alert(1)" in page(world)


def test_a_name_of_a_person_is_shown_as_text(world: World) -> None:
    world.curator.name = "<img src=x>"
    world.curator.save()
    happened(world, TaskAccepted(task=1, name="A task"), world.curator)
    assert "<img src=x>" not in page(world)


def test_a_very_long_text_is_cut(world: World) -> None:
    happened(world, renamed("n" * 100_000), world.curator)
    assert "n" * 201 not in page(world)


def test_progress_is_left_out(world: World) -> None:
    happened(world, JobProgressed(job=1, title="Ticking along", url="", done=1, total=2))
    assert "Ticking along" not in page(world)


def test_it_is_filtered_by_what_and_by_whom(world: World) -> None:
    happened(world, TaskAccepted(task=1, name="Accepted by Carl"), world.curator)
    approved = RolloutApproved(rollout=1, task=1, name="Approved by Anil", note="")
    happened(world, approved, world.approver)
    tasks = timeline(page(world, "?group=task"))
    assert "Accepted by Carl" in tasks
    assert "Approved by Anil" not in tasks
    approver = timeline(page(world, f"?person={world.approver.pk}"))
    assert "Approved by Anil" in approver
    assert "Accepted by Carl" not in approver


@pytest.mark.parametrize(
    "query", ["?group=nonsense", "?person=nonsense", "?person=99999999999999999999999", "?person=²"]
)
def test_a_filter_that_does_not_exist_filters_nothing(world: World, query: str) -> None:
    assert "created the workspace" in page(world, query)


def test_it_goes_on_on_older_pages(world: World) -> None:
    for number in range(60):
        happened(world, renamed(f"Name {number}."), world.curator)
    first = page(world)
    assert "Name 59." in first
    assert "Name 5." not in first
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "Name 5." in page(world, older)


def test_a_damaged_page_link_is_refused(world: World) -> None:
    response = world.client(world.viewer).get(world.workspace_url("events:activity") + "?cursor=damaged")
    assert response.status_code == 400


def test_it_asks_few_questions(world: World, django_assert_max_num_queries: Any) -> None:
    for number in range(40):
        happened(world, renamed(f"Task {number}"), world.curator)
    client, url = world.client(world.viewer), world.workspace_url("events:activity")
    with django_assert_max_num_queries(10):
        assert client.get(url).status_code == 200


def test_another_workspaces_events_are_not_here(world: World) -> None:
    happened(world, renamed("A secret name"), world.curator)
    response = world.client(world.stranger).get(reverse("events:activity", args=[world.elsewhere.slug]))
    assert b"A secret name" not in response.content
