"""From the demo's traces to a specialist that answers, by clicking only."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import openai
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from slmhub.demo.fresh import FreshRequest, fresh_requests
from slmhub.demo.messages import same_answer
from slmhub.demo.people import DEMO_AGENT, DEMO_PASSWORD, DEMO_WORKSPACE, PEOPLE, STRANGER
from tests.end_to_end.hub import Hub, running_hub
from tests.screens import DETAILS, LOOKS, PAGES, pages

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


def follow(page: Page, name: str) -> None:
    """Clicks the button or link `name`, as soon as it is there."""
    target = page.get_by_role("button", name=name, exact=True).or_(
        page.get_by_role("link", name=name, exact=True)
    )
    expect(target.first).to_be_visible(timeout=STEP)
    target.first.click()


def make_key(browser: Browser, hub: Hub) -> str:
    """An admin makes a key for the gateway; its secret is shown once."""
    context, page = signed_in(browser, hub, BY_ROLE["admin"])
    page.goto(f"/w/{DEMO_WORKSPACE}/settings/keys/")
    page.get_by_label("Name").fill("walkthrough")
    page.get_by_label("Call models through the gateway").check()
    follow(page, "Make key")
    secret = re.search(r"hub_[\w-]{20,}", page.content())
    assert secret is not None
    page.goto(f"/w/{DEMO_WORKSPACE}/settings/keys/")
    assert secret.group() not in page.content()
    context.close()
    return secret.group()


def ask(client: openai.OpenAI, fresh: FreshRequest) -> tuple[str, dict]:
    """Who served the answer, and the answer itself."""
    raw = client.chat.completions.with_raw_response.create(**fresh.request)
    message = raw.parse().choices[0].message.model_dump(exclude_none=True)
    return raw.headers["x-slmhub-served-by"], message


def ask_streaming(client: openai.OpenAI, fresh: FreshRequest) -> str:
    """Who served the stream; it has to end properly."""
    raw = client.chat.completions.with_raw_response.create(**fresh.request, stream=True)
    chunks = list(raw.parse())
    assert chunks[-1].choices[0].finish_reason is not None
    return raw.headers["x-slmhub-served-by"]


def asked_for(step: str, count: int) -> list[FreshRequest]:
    return [fresh for fresh in fresh_requests(seed=5, n=count * 12) if fresh.step == step][:count]


def test_from_traces_to_a_running_specialist_by_clicking_only(hub: Hub, browser: Browser) -> None:
    started = time.monotonic()
    context, page = signed_in(browser, hub, BY_ROLE["engineer"])

    follow(page, "Discover tasks")  # home offers it as soon as the demo's traces are in
    page.goto(f"/w/{DEMO_WORKSPACE}/{DEMO_AGENT}/tasks/")
    row = page.get_by_role("link", name="Issue refund", exact=True)
    expect(row).to_be_visible(timeout=STEP)
    row.click()
    follow(page, "Accept")
    follow(page, "Build dataset")
    follow(page, "Train a specialist")
    follow(page, "Start training")
    expect(page.locator(".chart svg").first).to_be_visible(timeout=STEP)  # the live loss chart
    follow(page, "Evaluate")
    expect(page.locator("[data-verdict=pass]")).to_be_visible(timeout=STEP)
    expect(page.get_by_text("Simulated").first).to_be_visible()
    follow(page, "Request rollout")
    follow(page, "Request approval")
    page.wait_for_url(re.compile(r"/rollouts/\d+/"))
    rollout = page.url
    expect(page.get_by_role("button", name="Approve…")).to_have_count(0)

    _, stranger = signed_in(browser, hub, STRANGER.email)
    assert stranger.goto(rollout).status == 404  # type: ignore[union-attr]

    _, approver = signed_in(browser, hub, BY_ROLE["approver"])
    approver.goto(rollout)
    follow(approver, "Approve…")
    follow(approver, "Approve")
    expect(approver.get_by_text("Live", exact=True).first).to_be_visible()
    expect(page.get_by_text("Live", exact=True).first).to_be_visible(
        timeout=10_000
    )  # the engineer's page, by its socket
    assert time.monotonic() - started < WITHIN_S

    client = openai.OpenAI(base_url=f"{hub.url}/v1", api_key=make_key(browser, hub))
    time.sleep(1.5)  # the gateway's stated staleness
    fresh = asked_for("refund", 20)
    answered = [ask(client, one) for one in fresh]
    by_specialist = [
        same_answer(one.expected, message)
        for one, (by, message) in zip(fresh, answered, strict=True)
        if by != "teacher"
    ]
    assert len(by_specialist) >= 18
    assert sum(by_specialist) / len(by_specialist) >= 0.8
    assert ask_streaming(client, fresh[0]).startswith("specialist-")
    assert ask(client, asked_for("intent", 1)[0])[0] == "teacher"

    follow(approver, "Roll back…")
    follow(approver, "Roll back")
    time.sleep(1.5)
    assert ask(client, fresh[0])[0] == "teacher"
    assert ask_streaming(client, fresh[1]) == "teacher"
    page.goto(f"/w/{DEMO_WORKSPACE}/{DEMO_AGENT}/gateway/")
    expect(page.get_by_text("teacher").first).to_be_visible()
    context.close()


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_then_is_accessible_and_fits_its_window(hub: Hub, browser: Browser, look: str) -> None:
    """After the walkthrough, when every list has something to show. The rules are axe-core's."""
    seen = [(name, flaws_of(page)) for name, page in pages(browser, hub.url, look, BY_ROLE["admin"])]
    assert {name for name, _ in seen} == {"login", *PAGES, *DETAILS}
    assert "\n".join(f"{name}: {flaw}" for name, flaws in seen for flaw in flaws) == ""


def flaws_of(page: Page) -> list[str]:
    root = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    found = [f"is {root[0]} px wide in a window of {root[1]}"] if root[0] > root[1] else []
    for rule in Axe().run(page).response["violations"]:
        found += [f"{rule['id']}: {node['html'][:200]}" for node in rule["nodes"][:3]]
    return found
