"""`python -m tests.screens --url http://127.0.0.1:8000 --out FOLDER`: every page of a running demo.

Light and dark at 1280 px, light on a phone. Looking at them is the point.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from slmhub.demo.people import DEMO_AGENT, DEMO_PASSWORD, DEMO_WORKSPACE

AGENT = f"/w/{DEMO_WORKSPACE}/{DEMO_AGENT}"
WORKSPACE = f"/w/{DEMO_WORKSPACE}"
PAGES = {
    "home": f"{AGENT}/",
    "traces": f"{AGENT}/traces/",
    "sources": f"{AGENT}/sources/",
    "connect": f"{AGENT}/sources/connect/",
    "upload": f"{AGENT}/traces/upload/",
    "privacy": f"{WORKSPACE}/privacy/",
    "tasks": f"{AGENT}/tasks/",
    "map": f"{AGENT}/tasks/map/",
    "datasets": f"{AGENT}/datasets/",
    "models": f"{AGENT}/models/",
    "training": f"{AGENT}/training/",
    "evaluations": f"{AGENT}/evaluations/",
    "rollouts": f"{AGENT}/rollouts/",
    "gateway": f"{AGENT}/gateway/",
    "jobs": f"{WORKSPACE}/jobs/",
    "activity": f"{WORKSPACE}/activity/",
    "settings": f"{WORKSPACE}/settings/",
    "people": f"{WORKSPACE}/settings/people/",
    "keys": f"{WORKSPACE}/settings/keys/",
    "prices": f"{WORKSPACE}/settings/prices/",
}
# Lists whose first row leads to a page of its own.
DETAILS = {
    "call": "traces",
    "task": "tasks",
    "dataset": "datasets",
    "model": "models",
    "training-run": "training",
    "evaluation": "evaluations",
    "rollout": "rollouts",
    "job": "jobs",
}
LOOKS = {"light": ("light", 1280, 900), "dark": ("dark", 1280, 900), "phone": ("light", 390, 844)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--as", dest="role", default="admin")
    parser.add_argument("--only", default="", help="pages whose name matches this pattern")
    parser.add_argument("--looks", default="light,dark,phone")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for look in options.looks.split(","):
            for name, page in pages(browser, options.url, look, f"{options.role}@demo.example"):
                if re.search(options.only, name):
                    page.wait_for_timeout(300)
                    page.screenshot(path=options.out / f"{name}-{look}.png", full_page=look != "phone")


def pages(browser: Browser, url: str, look: str, email: str) -> Iterator[tuple[str, Page]]:
    """Every page by name, one after the other in the same tab."""
    scheme, width, height = LOOKS[look]
    context = browser.new_context(
        base_url=url, color_scheme=scheme, viewport={"width": width, "height": height}
    )
    page = context.new_page()
    page.goto("/accounts/login/")
    yield "login", page
    page.get_by_label("Email").first.fill(email)
    page.get_by_label("Password").first.fill(DEMO_PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/w/"))
    for name, path in PAGES.items():
        page.goto(path)
        yield name, page
    for name, parent in DETAILS.items():
        page.goto(PAGES[parent])
        link = page.locator("a.row-link").first
        if link.count():
            page.goto(link.get_attribute("href") or "/")
            yield name, page
    context.close()


if __name__ == "__main__":
    main()
