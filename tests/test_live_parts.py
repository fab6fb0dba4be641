"""An event re-renders its part alone: few queries, few bytes, whatever the rest of the page holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.discovery.models import TaskState
from apps.jobs.models import State
from apps.rollouts.models import RolloutState
from apps.rollouts.services import evidence_of
from apps.traces.models import Kind, Session, Source, Span
from apps.uploads.models import Upload
from tests.insights import factories as make
from tests.traces.calls import session_rows, taken_in
from tests.world import World

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
MOST_QUERIES = 8
MOST_BYTES = 6_000
MOST_QUERIES_OF = {
    # It reads the whole loop: a query for each kind of row, whatever their number.
    "/w/acme/support-desk/#next": 13,
    # A search first finds the messages and who introduced them.
    "/w/acme/support-desk/traces/?q=order#calls": 10,
}
# Rows of a table, entries of a list, lines of a log, points of a chart: they may be as many as there are.
ROWS = re.compile(r"<tbody>.*?</tbody>|<li\b.*?</li>|<pre\b.*?</pre>|<script\b.*?</script>", re.S)


class Place(NamedTuple):
    template: str
    part: str
    url: str

    @property
    def name(self) -> tuple[str, str]:
        return self.template, self.part.rstrip("-0123456789")


def places(world: World) -> Iterator[Place]:
    """Every live part, on a page that has something of everything."""
    for session in ("s1", "s2", "s3"):
        taken_in(world.agent, session_rows(session))
    span = Span.objects.order_by("pk")[0]
    make.discovery(world)
    tasks = [make.task(world) for _ in range(3)]
    accepted = make.task(world, TaskState.ACCEPTED, name="Route a ticket")
    run = make.evaluation(world, make.trained(world, accepted))
    rollout = make.rollout(world, run, RolloutState.REQUESTED)
    rollout.evidence = evidence_of(run)
    rollout.save()
    building = make.dataset(world, tasks[0], state=State.RUNNING, frozen=False)
    training = make.training(world, make.dataset(world, tasks[1]), state=State.RUNNING)
    judging = make.evaluation(world, make.trained(world, tasks[2]), verdict=None, state=State.RUNNING)
    for file in ("a.jsonl", "b.jsonl"):
        importing = Upload.objects.create(
            workspace=world.workspace,
            agent=world.agent,
            filename=file,
            size=10,
            received=10,
            job=make.job(world, State.RUNNING),
        )
    now = timezone.now()
    for name in ("teacher", "tiny-1", "tiny-2"):
        make.call(world, source=Source.GATEWAY, served_by=name, kind=Kind.LLM, started_at=now)
    session_pk = Session.objects.order_by("pk")[0].pk
    home, tasks_url = world.url("insights:home"), world.url("discovery:list")
    for part in ("next", "running", "changes", "waits"):
        yield Place("insights/home.html", part, home)
    for part in ("run", "list", "tasks"):
        yield Place("discovery/list.html", part, tasks_url)
    for part in ("run", "map"):
        yield Place("discovery/map.html", part, world.url("discovery:map"))
    for part in ("state", "trail"):
        yield Place("rollouts/detail.html", part, rollout.get_absolute_url())
    job = building.job
    yield Place("jobs/detail.html", "job", job.get_absolute_url())
    yield Place("jobs/_progress.html", f"job-progress-{job.pk}", world.workspace_url("jobs:progress", job.pk))
    yield Place("datasets/detail.html", "dataset", building.get_absolute_url())
    yield Place("training/detail.html", "run", training.get_absolute_url())
    yield Place("evaluation/detail.html", "evaluation", judging.get_absolute_url())
    yield Place("uploads/detail.html", "upload", importing.get_absolute_url())
    yield Place("traces/trace.html", "trace", world.url("traces:trace", span.pk))
    yield Place("traces/session.html", "session", world.url("traces:session", session_pk))
    yield Place("jobs/list.html", "jobs", world.workspace_url("jobs:list"))
    yield Place("events/activity.html", "activity", world.workspace_url("events:activity"))
    yield Place("privacy/findings.html", "findings", world.workspace_url("privacy:findings"))
    for template, part, route in (
        ("traces/list.html", "calls", "traces:list"),
        ("uploads/upload.html", "uploads", "uploads:upload"),
        ("sources/list.html", "sources", "sources:list"),
        ("sources/connect.html", "waiting", "sources:connect"),
        ("datasets/list.html", "datasets", "datasets:list"),
        ("training/list.html", "runs", "training:list"),
        ("evaluation/list.html", "evaluations", "evaluation:list"),
        ("rollouts/list.html", "rollouts", "rollouts:list"),
        ("gateway/overview.html", "traffic", "gateway:overview"),
    ):
        yield Place(template, part, world.url(route))
    yield Place("traces/list.html", "calls", world.url("traces:list") + "?q=order")


def asked(client: Any, place: Place) -> tuple[str, int]:
    """The answer to what htmx asks at an event, and how many queries it took."""
    with CaptureQueriesContext(connection) as queries:
        response = client.get(place.url, headers={"HX-Request": "true", "HX-Target": place.part})
    assert response.status_code == 200
    return response.content.decode(), len(queries)


def test_every_live_part_is_small(world: World, tmp_path: Path, settings: Any) -> None:
    settings.SPOOL_DIR = tmp_path
    client = world.client(world.admin)
    client.get(world.url("insights:home"))  # from here on the visit is known
    measured = {place: asked(client, place) for place in places(world)}
    for place, (html, queries) in measured.items():
        print(f"{place.template}#{place.part}: {queries} queries, {len(ROWS.sub('', html)):,} bytes")
        assert f'id="{place.part}"' in html[:600], place
    slow = {
        name: queries
        for place, (_, queries) in measured.items()
        if queries > MOST_QUERIES_OF.get(name := f"{place.url}#{place.part}", MOST_QUERIES)
    }
    heavy = {
        place: size for place, (html, _) in measured.items() if (size := len(ROWS.sub("", html))) > MOST_BYTES
    }
    assert (slow, heavy) == ({}, {})


def test_every_live_part_is_measured(world: World) -> None:
    written = {
        (str(path.relative_to(TEMPLATES)), name)
        for path in TEMPLATES.rglob("*.html")
        for name in re.findall(r'\{% live "([\w-]+)"', path.read_text())
    }
    assert {place.name for place in places(world)} == written


def test_the_page_holds_the_same_part(world: World) -> None:
    taken_in(world.agent, session_rows())
    client = world.client(world.viewer)
    place = Place("traces/list.html", "calls", world.url("traces:list"))
    part, _ = asked(client, place)
    page = client.get(place.url).content.decode()
    assert part.strip() in page
    assert "<html" not in part


@pytest.mark.parametrize("target", ["", "main", "nothing-of-this-page"])
def test_whoever_asks_for_no_part_gets_the_page(world: World, target: str) -> None:
    headers = {"HX-Request": "true", "HX-Target": target}
    response = world.client(world.viewer).get(world.url("traces:list"), headers=headers)
    assert b"<html" in response.content
    assert "HX-Target" in response["Vary"]


def test_a_part_listens_no_more_when_nothing_can_change(world: World) -> None:
    run = make.training(world, make.dataset(world, make.task(world)))
    page = world.client(world.viewer).get(run.get_absolute_url()).content.decode()
    assert '<div class="stack" id="run">' in page
