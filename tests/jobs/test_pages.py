from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.rights import Right
from apps.jobs.models import LEASE, Job, JobLine, Queue, State
from apps.jobs.services import start
from tests.world import World


def queued(world: World, title: str = "Read a file", **fields: Any) -> Job:
    return start(
        workspace=world.workspace,
        agent=world.agent,
        title=title,
        entry="tests.none",
        arguments={},
        actor=world.engineer,
        **{"right": Right.LABEL, **fields},
    )


def put(job: Job, state: State, **fields: Any) -> Job:
    lease = timezone.now() + LEASE if state == State.RUNNING else None
    values = {"started_at": timezone.now(), "lease_until": lease, **fields}
    Job.objects.filter(pk=job.pk).update(state=state, **values)
    job.refresh_from_db()
    return job


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_shows_the_newest_first(world: World) -> None:
    queued(world, "First")
    queued(world, "Second")
    text = page(world.client(world.viewer), world.workspace_url("jobs:list"))
    assert text.index("Second") < text.index("First")


def test_the_list_is_filtered_by_state_and_queue(world: World) -> None:
    put(queued(world, "Broken"), State.FAILED, error="no disk left")
    queued(world, "Fine-tuning", queue=Queue.GPU)
    client, url = world.client(world.viewer), world.workspace_url("jobs:list")
    assert "Broken" in page(client, f"{url}?state=failed")
    assert "Fine-tuning" not in page(client, f"{url}?state=failed")
    assert "Fine-tuning" in page(client, f"{url}?queue=gpu")
    assert "Broken" not in page(client, f"{url}?queue=gpu")
    assert "Broken" in page(client, f"{url}?state=nonsense")


def test_a_long_list_goes_on_on_older_pages(world: World) -> None:
    for number in range(55):
        queued(world, f"Job number {number}.")
    client, url = world.client(world.viewer), world.workspace_url("jobs:list")
    first = page(client, url)
    assert "Job number 54." in first
    assert "Job number 4." not in first
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "Job number 4." in page(client, url + older)


def test_a_damaged_page_link_is_refused(world: World) -> None:
    url = world.workspace_url("jobs:list")
    response = world.client(world.viewer).get(f"{url}?cursor=damaged")
    assert response.status_code == 400


def test_the_list_asks_few_questions(world: World, django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        queued(world, f"Job {number}")
    client = world.client(world.viewer)
    with django_assert_max_num_queries(10):
        page(client, world.workspace_url("jobs:list"))


def test_a_running_job_shows_its_progress_and_log(world: World) -> None:
    job = put(queued(world), State.RUNNING, done=30, total=120, note="lines")
    JobLine.objects.create(job=job, text="<b>line 1</b> was bad")
    text = page(world.client(world.viewer), world.workspace_url("jobs:detail", job.pk))
    assert 'value="30" max="120"' in text
    assert "&lt;b&gt;line 1&lt;/b&gt; was bad" in text
    assert f'data-live-match="job:{job.pk}"' in text


def test_a_failed_job_says_why_and_what_to_do(world: World) -> None:
    job = put(queued(world), State.FAILED, error="The disk is full. <script>", finished_at=timezone.now())
    url = world.workspace_url("jobs:detail", job.pk)
    assert "The disk is full. &lt;script&gt;" in page(world.client(world.viewer), url)
    assert "Start again" not in page(world.client(world.viewer), url)
    assert "Start again" in page(world.client(world.engineer), url)


def test_a_result_is_shown_in_words(world: World) -> None:
    job = put(
        queued(world),
        State.SUCCEEDED,
        result={"accepted": 5401, "kinds": {"llm": 1}},
        finished_at=timezone.now(),
    )
    text = page(world.client(world.viewer), world.workspace_url("jobs:detail", job.pk))
    assert "<dt>Accepted</dt><dd>5,401</dd>" in text
    assert "{&quot;llm&quot;: 1}" in text


def test_a_long_log_shows_its_end_in_order(world: World) -> None:
    job = queued(world)
    JobLine.objects.bulk_create(JobLine(job=job, text=f"line {number};") for number in range(305))
    text = page(world.client(world.viewer), world.workspace_url("jobs:detail", job.pk))
    assert "line 4;" not in text
    assert text.index("line 5;") < text.index("line 304;")


def test_the_progress_fragment_stands_alone_and_listens_while_the_job_runs(world: World) -> None:
    job = put(queued(world), State.RUNNING, done=1, total=4)
    url = world.workspace_url("jobs:progress", job.pk)
    text = page(world.client(world.viewer), url)
    assert "<html" not in text
    assert f'hx-get="{url}"' in text
    put(job, State.SUCCEEDED, finished_at=timezone.now())
    assert "data-live-on" not in page(world.client(world.viewer), url)


def test_a_curator_stops_a_queued_job(world: World) -> None:
    job = queued(world)
    assert world.client(world.curator).post(world.workspace_url("jobs:cancel", job.pk)).status_code == 302
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_a_running_job_is_asked_to_stop_once(world: World) -> None:
    job = put(queued(world), State.RUNNING)
    client = world.client(world.curator)
    client.post(world.workspace_url("jobs:cancel", job.pk))
    job.refresh_from_db()
    assert job.cancel_requested_at is not None
    text = page(client, world.workspace_url("jobs:detail", job.pk))
    assert "Cancelling" in text
    assert "Stop…" not in text


def test_an_ended_job_cannot_be_stopped(world: World) -> None:
    job = put(queued(world), State.SUCCEEDED)
    response = world.client(world.curator).post(world.workspace_url("jobs:cancel", job.pk), follow=True)
    assert b"already ended" in response.content


def test_a_failed_job_is_started_again_and_a_good_one_is_not(world: World) -> None:
    failed, good = put(queued(world), State.FAILED), put(queued(world), State.SUCCEEDED)
    client = world.client(world.engineer)
    client.post(world.workspace_url("jobs:retry", failed.pk))
    failed.refresh_from_db()
    assert failed.state == State.QUEUED
    client.post(world.workspace_url("jobs:retry", good.pk))
    good.refresh_from_db()
    assert good.state == State.SUCCEEDED


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_a_viewer_may_not_steer_jobs(world: World, action: str) -> None:
    job = queued(world)
    client = world.client(world.viewer)
    assert client.post(world.workspace_url(f"jobs:{action}", job.pk)).status_code == 403
    assert world.client(world.engineer).get(world.workspace_url(f"jobs:{action}", job.pk)).status_code == 405


@pytest.mark.parametrize("name", ["detail", "progress"])
def test_another_workspaces_job_is_not_here(world: World, name: str) -> None:
    job = queued(world)
    client = world.client(world.stranger)
    assert client.get(f"/w/{world.elsewhere.slug}/jobs/{job.pk}/").status_code == 404
    assert client.get(world.workspace_url(f"jobs:{name}", job.pk)).status_code == 404
