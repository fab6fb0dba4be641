"""A double click on the button that trains, in a real browser against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, expect

from apps.jobs.models import Job
from apps.training.models import TrainingRun
from tests.end_to_end.conftest import browser_type_launch_args  # noqa: F401 - a fixture
from tests.servers import web
from tests.training.builders import base_at, frozen_dataset
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


# A quick double click is one request; the second of a slow one overtakes the answer to the first.
@pytest.mark.parametrize("pause_ms", [0, 60], ids=["quick", "slow"])
def test_a_double_click_on_train_starts_one_run_and_shows_it(
    server: str, world: World, browser: Browser, tmp_path: Path, pause_ms: int
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    base_at(tmp_path)
    dataset = frozen_dataset(world)
    client = Client()
    client.force_login(world.engineer)
    context = browser.new_context(base_url=server)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])
    page = context.new_page()

    page.goto(world.url("training:new", dataset.pk))
    page.get_by_role("button", name="Start training").dblclick(delay=pause_ms)
    expect(page.get_by_text("Waiting for a free place")).to_be_visible(timeout=20_000)

    run = TrainingRun.objects.get()
    assert page.url == f"{server}{world.url('training:detail', run.pk)}"
    assert Job.objects.count() == 1
    context.close()
