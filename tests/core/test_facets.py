"""The filters of a list."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string

from apps.core.facets import Choice, Filters, Text, Tick, as_is
from apps.jobs.models import Job, Queue, State
from tests.world import World

ASKED: list[str] = []


def looked_up() -> list[tuple[str, str]]:
    ASKED.append("titles")
    return [("Fine-tuning", "Fine-tuning")]


def facets() -> list[Choice | Text | Tick]:
    return [
        Text("q", "Words in the title", longest=20, column="title__icontains"),
        Choice("state", "State", State.choices, every="Any"),
        Choice(
            "queue", "Queue", [*Queue.choices, ("every", "Every queue")], default=Queue.GPU, narrow=of_queue
        ),
        Choice("title", "Title", looked_up, or_other=True),
        Tick("late", "Only late ones", narrow=as_is),
        Text("entry", "Entry", offered=False),
    ]


def of_queue(jobs: object, queue: str) -> object:
    return jobs if queue == "every" else jobs.filter(queue=queue)  # type: ignore[attr-defined]


@pytest.fixture
def jobs(world: World) -> World:
    rows = [
        ("Import", State.FAILED, Queue.DEFAULT),
        ("Broken", State.FAILED, Queue.GPU),
        ("Fine", State.SUCCEEDED, Queue.GPU),
    ]
    for title, state, queue in rows:
        Job.objects.create(workspace=world.workspace, title=title, entry="work", state=state, queue=queue)
    return world


@pytest.mark.parametrize(
    ("given", "titles"),
    [
        ({}, ["Broken", "Fine"]),
        ({"queue": "every"}, ["Import", "Broken", "Fine"]),
        ({"state": "failed", "queue": "every"}, ["Import", "Broken"]),
        ({"q": " fin "}, ["Fine"]),
        ({"title": "Broken"}, ["Broken"]),
        ({"entry": "another"}, []),
    ],
)  # fmt: skip
def test_each_facet_narrows_the_rows(jobs: World, given: dict[str, str], titles: list[str]) -> None:
    rows = Filters(facets(), given).narrow(Job.objects.order_by("pk"))
    assert list(rows.values_list("title", flat=True)) == titles


@pytest.mark.parametrize(
    ("name", "value"),
    [("state", "nonsense"), ("state", ""), ("q", "a\0b"), ("q", "x" * 21), ("title", "x" * 201),
     ("late", "yes"), ("queue", "nonsense"), ("queue", "gpu"), ("unknown", "1")],
)  # fmt: skip
def test_a_wrong_value_and_the_default_count_as_empty(name: str, value: str) -> None:
    assert Filters(facets(), {name: value}).chosen == {}


def drawn(given: dict[str, str]) -> str:
    html = render_to_string("components/facets.html", {"filters": Filters(facets(), given)})
    return " ".join(html.split())


def test_the_form_shows_what_is_chosen() -> None:
    html = drawn({"q": "<b>", "state": "failed", "late": "1", "title": "Not in the list", "queue": "every"})
    assert 'name="q" value="&lt;b&gt;" placeholder="Words in the title" maxlength="20" data-filter' in html
    assert '<option value="failed" selected>' in html
    assert '<option value="every" selected>' in html
    assert '<option value="Not in the list" selected>' in html
    assert 'name="late" value="1" checked' in html


def test_the_form_of_nothing_chosen_shows_the_defaults_and_nothing_to_clear() -> None:
    html = drawn({})
    assert '<option value="" selected>Any</option>' in html
    assert f'<option value="" selected>{Queue.GPU.label}</option>' in html
    assert "entry" not in html
    assert "Clear" not in html


def test_what_a_link_has_set_is_kept_by_the_form_and_can_be_taken_away() -> None:
    html = drawn({"entry": "a & b", "state": "failed", "late": "1"})
    assert '<input type="hidden" name="entry" value="a &amp; b">' in html
    assert 'href="?state=failed&amp;late=1" title="Take this filter away"> Entry: a &amp; b ' in html


def test_choices_are_looked_up_only_when_they_are_needed(jobs: World) -> None:
    ASKED.clear()
    filters = Filters(facets(), {"title": "Fine"})
    assert [job.title for job in filters.narrow(Job.objects.all())] == ["Fine"]
    assert ASKED == []
    list(list(filters)[3].options)
    assert ASKED == ["titles"]
