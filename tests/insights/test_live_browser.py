"""The home page in a real browser, while something happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from playwright.sync_api import Browser, Page, Request, expect

from apps.events.services import publish
from apps.jobs.events import JobFact, JobFinished, JobProgressed
from apps.jobs.models import Job, State
from tests.end_to_end.conftest import browser_type_launch_args  # noqa: F401 - a fixture
from tests.insights import factories as make
from tests.servers import web
from tests.world import World

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases="__all__"),
]


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    with django_db_blocker.unblock(), web() as (address, _):
        yield f"http://{address}"


@pytest.fixture
def page(server: str, world: World, browser: Browser) -> Iterator[Page]:
    client = Client()
    client.force_login(world.admin)
    context = browser.new_context(base_url=server)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])
    yield context.new_page()
    context.close()


def happened(job: Job, fact: JobFact) -> None:
    with transaction.atomic():
        publish(fact, workspace=job.workspace, agent=job.agent)


def test_an_event_asks_for_its_own_part_and_no_other(page: Page, world: World) -> None:
    job = make.job(world, State.RUNNING, done=1, total=4)
    page.goto(world.url("insights:home"))
    expect(page.locator("body")).to_have_attribute("data-live", "open")
    asked: list[str | None] = []

    def note(request: Request) -> None:
        if request.headers.get("hx-request"):
            asked.append(request.headers.get("hx-target"))

    page.on("request", note)
    Job.objects.filter(pk=job.pk).update(done=3)
    happened(job, JobProgressed(job=job.pk, title=job.title, url=job.url, done=3, total=4))
    expect(page.locator(f"#job-progress-{job.pk}")).to_contain_text("3 of 4")
    # The part around it stays as it is: its turn comes when a job begins or ends.
    assert set(asked) == {f"job-progress-{job.pk}"}
    Job.objects.filter(pk=job.pk).update(state=State.SUCCEEDED, lease_until=None)
    happened(job, JobFinished(job=job.pk, title=job.title, url=job.url))
    expect(page.locator("#running")).to_be_hidden()
    assert {"running", "next", "changes"} <= set(asked)
