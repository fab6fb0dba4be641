"""The page "Connect an agent" while the first span arrives, and what the doctor says of real programs."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.end_to_end.conftest import browser_type_launch_args  # noqa: F401
from tests.end_to_end.hub import Hub, running_hub
from tests.end_to_end.test_walkthrough import signed_in
from tests.intake.exports import traces_json
from tests.sources.connecting import AGENT, Admin

pytestmark = [pytest.mark.slow, pytest.mark.browser]
REPLAY = Path(__file__).resolve().parents[3] / "shared/data/wire/sdk_replay"
ARRIVES = 15_000  # ms
KEY = re.compile(r"x-api-key=(hub_[\w-]{43})")

# What a real SDK sent, what the doctor must say of it, and the setting that it must name.
EMITTERS = [
    ("default_attr_limit/openinference", "lost to the emitter's own limits",
     "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=10000"),
    ("otel_openai_v2_2.3b0_log_events", "No text: it is switched off at the source",
     "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="),
]  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture
def page(browser: Browser, hub: Hub) -> Iterator[Page]:
    context, page = signed_in(browser, hub, "admin@demo.example")
    yield page
    context.close()


def posted(hub: Hub, key: str, path: str, body: bytes) -> None:
    headers = {"x-api-key": key, "content-type": "application/json"}
    httpx.post(hub.url + path, content=body, headers=headers, timeout=30).raise_for_status()


def test_the_page_says_so_when_the_first_span_arrives(page: Page, hub: Hub) -> None:
    page.goto(f"{AGENT}/sources/connect/")
    expect(page.get_by_role("heading", name="for the first span")).to_be_visible()
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_text("stands in every snippet below")).to_be_visible()
    expect(page.get_by_role("heading", name="for the first span")).to_be_visible()
    page.get_by_text("OpenTelemetry", exact=True).click()
    shown = KEY.search(page.locator("#opentelemetry").inner_text())
    assert shown is not None

    posted(hub, shown[1], "/v1/traces", traces_json(["00f067aa0ba902b7"]))
    expect(page.get_by_role("heading", name="The first spans are here")).to_be_visible(timeout=ARRIVES)

    expect(page.locator("#opentelemetry")).to_contain_text(shown[1])  # only the line above has changed
    calls = page.get_by_role("link", name="See the calls").get_attribute("href")
    page.get_by_role("link", name="Ask the doctor").click()
    expect(page.get_by_role("heading", name="Sources")).to_be_visible()
    assert calls is not None
    page.goto(calls)
    expect(page.get_by_role("link", name="Calls", exact=True)).to_have_attribute("aria-current", "page")


def test_without_a_script_every_way_can_be_opened(browser: Browser, hub: Hub) -> None:
    context = browser.new_context(
        base_url=hub.url,
        java_script_enabled=False,
        storage_state={"cookies": _cookies(hub), "origins": []},
    )
    page = context.new_page()
    page.goto(f"{AGENT}/sources/connect/")
    expect(page.locator("#openai")).to_be_visible()
    page.get_by_text("Langfuse SDK", exact=True).click()
    expect(page.locator("#langfuse")).to_contain_text("LANGFUSE_BASE_URL")
    expect(page.locator("#openai")).to_be_hidden()
    context.close()


def _cookies(hub: Hub) -> list:
    jar = Admin(hub).client.cookies.jar
    place = {"domain": "127.0.0.1", "path": "/", "expires": -1, "httpOnly": True, "secure": False}
    return [{"name": one.name, "value": one.value, "sameSite": "Lax", **place} for one in jar]


@pytest.mark.skipif(not REPLAY.exists(), reason="../shared/data is not here")
def test_the_doctor_names_the_setting_that_mends_what_a_real_sdk_sends(page: Page, hub: Hub) -> None:
    key = KEY.search(Admin(hub).snippets()["opentelemetry"]["Environment of the agent"])
    assert key is not None
    for name, says, setting in EMITTERS:
        before = set(cards(page))
        deliver(hub, key[1], name)
        page.goto(f"{AGENT}/sources/")
        card = page.locator("section.card", has_text=says)
        expect(card.first).to_be_visible(timeout=ARRIVES)
        expect(card.filter(has_text=setting).first).to_be_visible()
        assert set(cards(page)) - before


def cards(page: Page) -> list[str]:
    page.goto(f"{AGENT}/sources/")
    return [one.get_attribute("id") or "" for one in page.locator("section.card").all()]


def deliver(hub: Hub, key: str, name: str) -> None:
    with gzip.open(REPLAY / f"{name}.jsonl.gz", "rt") as lines:
        for line in lines:
            sent = json.loads(line)
            posted(hub, key, sent["path"], json.dumps(sent["otlp_json"]).encode())
