"""Pages of a list that other people write to meanwhile."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.rights import Right
from apps.core.keyset import BadCursorError, Page, paginate
from apps.jobs.models import Job
from apps.jobs.services import start
from tests.world import World

START = datetime(2026, 1, 1, tzinfo=UTC)
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def jobs(world: World, minutes: list[int]) -> list[int]:
    """One job per entry, made that many minutes after the start; ids in the order of the list page."""
    Job.objects.all().delete()
    rows = [
        Job(workspace=world.workspace, title="t", entry="e", created_at=START + timedelta(minutes=minute))
        for minute in minutes
    ]
    Job.objects.bulk_create(rows)
    return list(Job.objects.order_by("-created_at", "-pk").values_list("pk", flat=True))


def page(cursor: str = "", size: int = 3) -> Page[Job]:
    return paginate(Job.objects.all(), by="created_at", cursor=cursor, size=size)


def ids(found: Page[Job]) -> list[int]:
    return [job.pk for job in found]


@FEW
@given(minutes=st.lists(st.integers(0, 4), max_size=14), size=st.integers(1, 5))
def test_it_shows_every_row_once_forwards_and_backwards(world: World, minutes: list[int], size: int) -> None:
    expected = jobs(world, minutes)
    pages = [page(size=size)]
    while pages[-1].older:
        pages.append(page(pages[-1].older, size))

    assert [pk for one in pages for pk in ids(one)] == expected

    back = [pages[-1]]
    while back[0].newer:
        back.insert(0, page(back[0].newer, size))
    assert [pk for one in back for pk in ids(one)] == expected


def test_the_first_page_has_no_newer_and_the_last_no_older(world: World) -> None:
    jobs(world, [0, 0, 0, 1])

    first = page()
    last = page(first.older)

    assert (first.newer, bool(first.older)) == ("", True)
    assert (bool(last.newer), last.older) == (True, "")
    assert len(first), len(last) == (3, 1)


def test_an_empty_list_is_one_empty_page(world: World) -> None:
    jobs(world, [])

    assert (ids(page()), page().older, page().newer) == ([], "", "")


def test_rows_that_arrive_do_not_shift_a_page(world: World) -> None:
    expected = jobs(world, [0, 1, 2, 3, 4])
    first = page()
    start(workspace=world.workspace, title="new", entry="e", arguments={}, right=Right.VIEW)

    assert ids(page(first.older)) == expected[3:]


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).decode()


DAMAGED = [
    "x",
    "!!!!",
    "é",
    encoded("text"),
    encoded([False, "yesterday", 1]),
    encoded([False, START.isoformat()]),
    encoded([False, START.isoformat(), "x"]),
    encoded([False, {"a": 1}, 1]),
    encoded([False, 5, 1]),
    encoded([False, "0001-01-01T00:00:00+23:59", 1]),
    encoded([True, None, None]),
]


@pytest.mark.parametrize("cursor", DAMAGED)
def test_it_refuses_a_damaged_cursor(world: World, cursor: str) -> None:
    with pytest.raises(BadCursorError):
        page(cursor)


@FEW
@given(
    cursor=st.one_of(
        st.text(min_size=1, max_size=30),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**63), 2**63 - 1)
            | st.floats(allow_nan=False)
            | st.text(max_size=9),
            lambda inner: st.lists(inner, max_size=3),
        ).map(encoded),
    )
)
def test_no_cursor_breaks_it(world: World, cursor: str) -> None:
    try:
        page(cursor)
    except BadCursorError:
        return


@pytest.mark.parametrize("cursor", DAMAGED)
def test_the_page_answers_a_damaged_cursor_with_400(world: World, cursor: str) -> None:
    response = world.client(world.viewer).get(world.url("rollouts:list"), {"cursor": cursor})

    assert response.status_code == 400
    assert "This page link is damaged." in response.content.decode()
