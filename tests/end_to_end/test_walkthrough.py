"""From the demo's traces to a specialist that answers, by clicking only."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from slmhub.demo.fresh import FreshRequest, fresh_requests
from slmhub.demo.messages import same_answer
from slmhub.demo.people import DEMO_AGENT, DEMO_PASSWORD, DEMO_WORKSPACE, PEOPLE, STRANGER
from tests.end_to_end.hub import Hub, running_hub

pytestmark = [pytest.mark.slow, pytest.mark.browser]

BY_ROLE = {person.role: person.email for person in PEOPLE}
WITHIN_S = 600
STEP = 240_000  # ms: the longest that a click may take to show its result


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


def signed_in(browser: Browser, hub: Hub, email: str) -> tuple[BrowserContext, Page]:
    context = browser.new_context(base_url=hub.url)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile("/w/"))
    return context, page
