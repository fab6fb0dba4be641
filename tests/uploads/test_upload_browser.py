"""Uploads by hand, in a real browser against a real server."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, Page, Route, expect

from apps.traces.models import Span
from apps.uploads.models import Mapping, Upload
from tests.end_to_end.conftest import browser_type_launch_args  # noqa: F401 - a fixture
from tests.servers import web
from tests.uploads.upload_files import batch_input, batch_output, strange_rows
from tests.world import World

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases="__all__"),
]
MIB = 1024 * 1024
# Puts files on the page's drop zone as a file manager does.
DROP = """([files]) => {
  const carried = new DataTransfer();
  for (const [name, data] of files) {
    const bytes = Uint8Array.from(atob(data), (char) => char.charCodeAt(0));
    carried.items.add(new File([bytes], name, { lastModified: 1 }));
  }
  return carried;
}"""


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    with django_db_blocker.unblock(), web() as (address, _):
        yield f"http://{address}"


@pytest.fixture
def page(server: str, world: World, browser: Browser) -> Iterator[Page]:
    client = Client()
    client.force_login(world.curator)
    context = browser.new_context(base_url=server)
    context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": server}])
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(world.url("uploads:upload"))
    yield page
    context.close()


def jobs_of(world: World) -> threading.Thread:
    """A worker beside the browser."""

    def work() -> None:
        world.run_jobs()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_two_dropped_files_become_joined_calls_before_ones_eyes(page: Page, world: World) -> None:
    files = [("input.jsonl", batch_input(3000)), ("output.jsonl", batch_output(3000))]
    packed = [[name, base64.b64encode(data).decode()] for name, data in files]
    page.dispatch_event("[data-dropzone]", "drop", {"dataTransfer": page.evaluate_handle(DROP, [packed])})

    expect(page.get_by_role("heading", name="Look before the import starts")).to_be_visible(timeout=20_000)
    first = page.locator("article").first
    expect(first.locator('[data-role="user"]')).to_contain_text("Question number 0?")
    expect(first.locator('[data-role="assistant"]')).to_contain_text("Answer number 0.")
    assert not Span.objects.exists()

    page.get_by_role("button", name="Start import").click()
    expect(page.get_by_role("heading", name="Upload traces")).to_be_visible()
    page.get_by_role("link", name="input.jsonl").click()
    worker = jobs_of(world)
    expect(page.locator("#upload progress")).to_be_visible(timeout=30_000)
    expect(page.locator("#upload")).to_contain_text("a second", timeout=30_000)
    expect(page.locator("#upload").get_by_text("Succeeded").nth(1)).to_be_visible(timeout=60_000)
    worker.join()
    assert Span.objects.count() == 3000

    page.get_by_role("link", name="Open the calls").click()
    expect(page.locator("tbody tr").first).to_contain_text("Answer number")


def test_an_interrupted_upload_goes_on_after_a_reload(page: Page, world: World, tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    file.write_bytes(batch_output(20) + b"\n" * (20 * MIB))
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.method) if "/tus/" in request.url else None)

    def cut_off(route: Route) -> None:
        broken = route.request.method == "PATCH" and route.request.headers["upload-offset"] != "0"
        route.abort("connectionreset") if broken else route.continue_()

    page.route("**/uploads/tus/**", cut_off)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.locator(".upload-row")).to_contain_text("Trying again in", timeout=30_000)
    arrived = Upload.objects.get().received
    assert 0 < arrived < file.stat().st_size

    page.unroute("**/uploads/tus/**")
    page.reload()
    expect(page.get_by_text("Incomplete")).to_be_visible()
    seen.clear()
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("button", name="Start import")).to_be_visible(timeout=30_000)
    assert seen[0] == "HEAD"
    assert "POST" not in seen
    assert Upload.objects.get().received == file.stat().st_size


def test_an_upload_can_be_paused_taken_up_and_given_up(page: Page, world: World, tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    file.write_bytes(b"\n" * (20 * MIB))
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2 * MIB}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Pause large.jsonl").click()
    expect(page.locator(".upload-row")).to_contain_text("Paused")
    page.get_by_role("button", name="Resume large.jsonl").press("Enter")
    expect(page.locator(".upload-row")).to_contain_text("/s")
    page.get_by_role("button", name="Cancel large.jsonl").click()
    expect(page.locator(".upload-row")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Incomplete")).to_have_count(0)


def test_an_unknown_shape_is_mapped_by_hand(page: Page, world: World, tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_bytes(strange_rows())
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("Not known")).to_be_visible(timeout=20_000)
    page.get_by_label("Messages (a list)").fill("talk.turns")
    page.get_by_label("Answer", exact=True).fill("bot.said")
    page.get_by_label("Session").fill("meta.thread")
    page.get_by_text("More fields").click()
    page.get_by_label("Role key").fill("who")
    page.get_by_label("Content key").fill("says")
    page.get_by_label("Content key").press("Tab")
    first = page.locator("article").first
    expect(first.locator('[data-role="user"]')).to_contain_text("Where is parcel 0?")
    expect(first.locator('[data-role="assistant"]')).to_contain_text("Parcel 0 is on its way.")
    page.get_by_role("button", name="Start import").click()
    expect(page.locator("#upload")).to_be_visible()
    jobs_of(world).join()
    expect(page.locator("#upload").get_by_text("Succeeded")).to_be_visible(timeout=30_000)
    assert Span.objects.count() == 3
    assert Mapping.objects.get().made_by == world.curator
