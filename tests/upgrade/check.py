"""Opens the home that HUB_HOME names, filled by the version before: rows, pages, spool, jobs, models."""

# ruff: noqa: E402 - models need the settings first
from __future__ import annotations

import json
import logging
import os
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "slmhub.settings"
import django

django.setup()

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import reverse

from apps.accounts.models import Workspace
from apps.jobs.models import ENDED, Job, State
from apps.traces.models import Span
from slmhub.demo.people import DEMO_PASSWORD, PEOPLE
from tests.end_to_end.hub import Hub, running_hub
from tests.servers import answers
from tests.upgrade.comparison import differences, old_rows
from tests.upgrade.pages import visit_everything

WITHIN_S = 120
# What the version before stopped and this one can take up: the rest failed for reasons that still hold.
RETRIED = ("Import cancelled.jsonl", "Build dataset What the person wants v2")
# Calls of the files that this brings in: found again, cancelled, queued.
IMPORTED = 4 + 2 + 2


class Check:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.filled: dict[str, Any] = json.loads((home / "filled.json").read_text())
        self.problems: list[str] = []
        self.started = time.monotonic()
        self.client = Client()

    def everything(self) -> list[str]:
        for alias in connections:
            call_command("migrate", database=alias, interactive=False, verbosity=0)
        self.say("migrated")
        self.problems += differences(self.home / "before.jsonl.gz")
        self.say("rows compared")
        self.sign_in()
        visit = visit_everything(Workspace.objects.get(slug=self.filled["workspace"]))
        self.problems += visit.problems
        self.search()
        self.say(f"{visit.pages} pages of {len(visit.opened)} kinds and {visit.parts} live parts opened")
        ports = {"HUB_DEMO_TEACHER_PORT": str(self.filled["teacher_port"])}
        with running_hub(self.home, "hub", "--demo", **ports) as hub:
            self.say("the hub runs")
            self.jobs()
            self.spool()
            self.models(hub)
        return self.problems

    def sign_in(self) -> None:
        """With a password of the version before."""
        admin = next(person.email for person in PEOPLE if person.role == "admin")
        answer = self.client.post(reverse("account_login"), {"login": admin, "password": DEMO_PASSWORD})
        self.expect(answer.status_code == 302, f"nobody can sign in: {answer.status_code}")

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:5.1f} s  {text}", flush=True)

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.problems.append(otherwise)

    def search(self) -> None:
        """A call of the gateway is found by its words."""
        address = reverse("traces:list", args=[self.filled["workspace"], self.filled["agent"]])
        page = self.client.get(address, {"q": "knows"})
        self.expect(b"<mark>knows</mark>, drained" in page.content, "the search finds nothing")

    def jobs(self) -> None:
        """What waited is run by the names that the version before gave it, and so is what is tried again."""
        failed = Job.objects.get(pk=self.filled["failed_job"])
        retried = [failed, *Job.objects.filter(title__in=RETRIED)]
        for job in retried:
            answer = self.client.post(reverse("jobs:retry", args=[self.filled["workspace"], job.pk]))
            self.expect(answer.status_code == 302, f"retry of {job.title}: {answer.status_code}")
        waited_for = [*self.filled["queued_jobs"], *(job.pk for job in retried)]
        self.until(lambda: not Job.objects.filter(pk__in=waited_for).exclude(state__in=ENDED).exists())
        for job in Job.objects.filter(pk__in=waited_for):
            self.expect(job.state == State.SUCCEEDED, f"{job.title}: {job.state} {job.error}")
        self.say(f"{len(waited_for)} old jobs done")

    def spool(self) -> None:
        before = sum(model == "Span" for model, _, _ in old_rows(self.home / "before.jsonl.gz"))
        expected = before + self.filled["spooled"] + IMPORTED
        self.until(lambda: Span.objects.count() >= expected)
        count = Span.objects.count()
        self.expect(count == expected, f"{count} spans instead of {expected}")
        served = Span.objects.filter(session__external_id="served-waiting").values_list(
            "served_by", flat=True
        )
        self.expect(list(served) == [self.filled["specialist"]], f"served by {list(served)}")
        self.expect(bool(list(Path(settings.SPOOL_DIR).glob("*.refused"))), "the refused body is gone")
        self.say("spool drained")

    def models(self, hub: Hub) -> None:
        """The specialist of the version before is served as it is, and its route still leads to an answer."""
        self.until(lambda: answers(f"http://127.0.0.1:{hub.port + 1}/healthz"))
        ask = {**self.filled["ask"], "model": self.filled["specialist"]}
        answer = self.post(f"http://127.0.0.1:{hub.port + 1}/v1/chat/completions", ask)
        self.expect(bool(answer.get("choices")), f"the specialist answers {answer}")
        answer = self.post(f"{hub.url}/v1/chat/completions", self.filled["ask"])
        self.expect(bool(answer.get("choices")), f"the gateway answers {answer}")
        self.say("specialist and gateway answer")

    def post(self, url: str, body: Any) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.filled['key']}", "content-type": "application/json"}
        request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: dict[str, Any] = json.loads(response.read())
            return answer

    def until(self, look: Any) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not look() and time.monotonic() < deadline:
            time.sleep(0.2)


def main() -> int:
    # Refusals are what is looked for.
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    problems = Check(Path(settings.HUB_HOME)).everything()
    for problem in problems:
        print(f"PROBLEM: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
