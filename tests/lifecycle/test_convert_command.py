"""`manage.py convert` where no hub runs: it does the work itself, says what it does and prints JSON."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from apps.discovery.models import DiscoveryRun, Task
from apps.jobs.runner import JobContext
from apps.lifecycle.management.commands import convert as command
from apps.lifecycle.models import Conversion
from apps.traces.models import Audience
from apps.uploads import services as uploads
from tests.discovery.factories import accepted, extraction
from tests.traces.calls import lines, session_rows
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture(autouse=True)
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here comes as far as an evaluation."""
    monkeypatch.setattr(command, "_own_servers", lambda agent: contextlib.nullcontext())


def convert(world: World) -> tuple[str, str, str]:
    """Standard output, standard error, and the refusal."""
    out, err, refusal = io.StringIO(), io.StringIO(), ""
    try:
        call_command("convert", agent=world.agent.slug, stdout=out, stderr=err)
    except CommandError as error:
        refusal = str(error)
    return out.getvalue(), err.getvalue(), refusal


def finds(*found: dict[str, Any]) -> Any:
    """A discovery that leaves tasks as a clustering would."""

    def run(context: JobContext, *, run_id: int) -> dict[str, Any]:
        discovery = DiscoveryRun.objects.get(pk=run_id)
        for number, fields in enumerate(found):
            task = accepted(discovery.agent, extraction(discovery.agent, 3, first=100 * number))
            Task.objects.filter(pk=task.pk).update(**fields)
        DiscoveryRun.objects.filter(pk=run_id).update(finished_at=timezone.now())
        return {}

    return run


def test_without_calls_it_says_what_to_do(world: World) -> None:
    out, _, refusal = convert(world)
    assert (out, refusal) == ("", "Support desk has no answered calls yet. Upload traces first.")


def test_it_waits_for_an_import_instead_of_finding_no_calls(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.discovery.jobs.run", finds())
    kept = uploads.keep(agent=world.agent, filename="log.jsonl", pieces=[lines(session_rows())])
    uploads.start(choices=[uploads.Choice(kept)], actor=world.curator)
    out, err, refusal = convert(world)
    assert refusal == ""
    said = [line for line in err.splitlines() if "under way" in line]
    assert [line.partition("by ")[2] for line in said if "by " in line] == [
        "“Import log.jsonl”",
        "“Discover tasks of Support desk”",
    ]
    assert json.loads(out)["calls"] == world.agent.spans.calls().count() > 0


def test_it_says_of_every_task_why_it_is_a_candidate_or_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    extraction(world.agent, 3, first=900)
    found = finds({"size": 500, "name": "Good"}, {"size": 400, "audience": Audience.HUMAN, "name": "Chat"})
    monkeypatch.setattr("apps.discovery.jobs.run", found)
    out, err, refusal = convert(world)
    report = json.loads(out)
    assert [(one["task"], one["candidate"]) for one in report["candidates"]] == [
        ("Good", True),
        ("Chat", False),
    ]
    assert "people read its answers" in report["candidates"][1]["why"]
    assert "✓ Good: a program reads its answers, and it has 500 calls" in err
    assert "– Chat: people read its answers" in err
    # Three calls are too few to build of: the drive of the task stops, and the command says so.
    (converted,) = report["converted"]
    assert (converted["task"], converted["state"], converted["step"]) == ("Good", "stopped", "build")
    assert "Of 3 calls only" in converted["reason"]
    assert refusal == "1 of 1 conversions stopped; see “reason”."
    assert not Conversion.objects.filter(state="open").exists()
