from __future__ import annotations

import orjson
import pytest

from apps.discovery import services
from apps.discovery.models import Assignment, Task, TaskState
from apps.traces.models import Audience
from tests.discovery.factories import Step, extraction, task
from tests.world import World


def some_tasks(world: World) -> list[Task]:
    first = task(world.agent, extraction(world.agent, 6), title="Find the order")
    second = task(
        world.agent, extraction(world.agent, 3, first=50), title="Small talk", audience=Audience.HUMAN
    )
    return [first, second]


def test_it_lists_tasks_the_largest_first(world: World, django_assert_max_num_queries: object) -> None:
    some_tasks(world)
    client = world.client(world.viewer)
    with django_assert_max_num_queries(18):  # type: ignore[operator]
        page = client.get(world.url("discovery:list")).content.decode()
    assert page.index("Find the order") < page.index("Small talk")
    assert "Read by people" in page
    assert "Merge selected" not in page


def test_the_number_of_queries_does_not_grow_with_tasks(
    world: World, django_assert_max_num_queries: object
) -> None:
    for number in range(30):
        task(world.agent, extraction(world.agent, 1, first=number))
    client = world.client(world.curator)
    with django_assert_max_num_queries(18):  # type: ignore[operator]
        assert client.get(world.url("discovery:list")).status_code == 200


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("?audience=human", "Small talk", "Find the order"),
        ("?q=find+order", "Find the order", "Small talk"),
        ("?state=ignored", "No task like this", "Small talk"),
        ("?order=nonsense&state=nonsense", "Find the order", "No task like this"),
    ],
)
def test_it_filters(world: World, query: str, shown: str, hidden: str) -> None:
    some_tasks(world)
    page = world.client(world.viewer).get(world.url("discovery:list") + query).content.decode()
    assert shown in page
    assert hidden not in page


def test_without_calls_it_points_to_the_upload(world: World) -> None:
    page = world.client(world.curator).get(world.url("discovery:list")).content.decode()
    assert world.url("uploads:upload") in page


def test_without_a_run_it_offers_one_with_the_number_of_calls(world: World) -> None:
    extraction(world.agent, 7)
    page = world.client(world.curator).get(world.url("discovery:list")).content.decode()
    assert "7 calls wait" in page
    assert world.url("discovery:start") in page


def test_a_run_that_is_under_way_shows_its_progress(world: World) -> None:
    extraction(world.agent, 7)
    client = world.client(world.curator)
    assert client.post(world.url("discovery:start")).status_code == 302
    assert "Discovering tasks" in client.get(world.url("discovery:list")).content.decode()
    again = client.post(world.url("discovery:start"), follow=True)
    assert again.redirect_chain == [(world.url("discovery:list"), 302)]
    assert "under way already" in again.content.decode()


def test_a_task_page_shows_its_exemplars_values_and_calls(
    world: World, django_assert_max_num_queries: object
) -> None:
    found, _ = some_tasks(world)
    client = world.client(world.viewer)
    with django_assert_max_num_queries(25):  # type: ignore[operator]
        page = client.get(world.url("discovery:detail", found.pk)).content.decode()
    assert "Where is order A-00001 of mine?" in page
    assert "A-00003" in page
    assert world.url("traces:call", found.exemplar_ids[0]) in page


def test_script_in_a_call_is_shown_as_text(world: World) -> None:
    evil = "<script>alert(1)</script>"
    calls = [Step(world.agent).call(f"{evil} {n}", orjson.dumps({"order": evil}).decode()) for n in range(3)]
    found = task(world.agent, calls, title=evil)
    client = world.client(world.viewer)
    for url in (
        world.url("discovery:detail", found.pk),
        world.url("discovery:list"),
        world.url("discovery:map"),
    ):
        assert evil not in client.get(url).content.decode()


def test_the_next_step_follows_the_state(world: World) -> None:
    found, _ = some_tasks(world)
    client = world.client(world.engineer)
    url = world.url("discovery:detail", found.pk)
    assert "Accept this task" in client.get(url).content.decode()
    client.post(world.url("discovery:accept", found.pk))
    assert "Build a dataset" in client.get(url).content.decode()


def test_the_toast_takes_the_change_back(world: World) -> None:
    found, _ = some_tasks(world)
    client = world.client(world.curator)
    back = world.url("discovery:list")
    page = client.post(world.url("discovery:ignore", found.pk), {"next": back}, follow=True)
    assert page.redirect_chain == [(back, 302)]
    assert world.url("discovery:reopen", found.pk) in page.content.decode()
    client.post(world.url("discovery:reopen", found.pk))
    found.refresh_from_db()
    assert found.state == TaskState.FOUND


def test_ticked_tasks_merge_into_the_largest_and_come_apart_again(world: World) -> None:
    large, small = some_tasks(world)
    client = world.client(world.curator)
    page = client.post(world.url("discovery:merge"), {"id": [small.pk, large.pk]}, follow=True)
    small.refresh_from_db()
    assert small.merged_into_id == large.pk
    assert world.url("discovery:unmerge", large.pk) in page.content.decode()
    client.post(world.url("discovery:unmerge", large.pk), {"id": [small.pk]})
    small.refresh_from_db()
    assert (small.state, small.merged_into_id) == (TaskState.FOUND, None)


def test_a_merge_of_nothing_says_so(world: World) -> None:
    some_tasks(world)
    answer = world.client(world.curator).post(world.url("discovery:merge"), {"id": ["x", "9" * 30]})
    assert answer.status_code == 422
    assert "Nothing is ticked" in answer.content.decode()


def test_it_does_not_send_people_to_other_sites(world: World) -> None:
    found, _ = some_tasks(world)
    answer = world.client(world.curator).post(
        world.url("discovery:accept", found.pk), {"next": "https://evil.example.com/"}
    )
    assert answer.url == world.url("discovery:detail", found.pk)  # type: ignore[attr-defined]


def test_the_map_says_when_it_is_a_sample(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    some_tasks(world)
    client = world.client(world.viewer)
    assert "all 9 calls" in client.get(world.url("discovery:map")).content.decode()
    monkeypatch.setattr("apps.discovery.charts.MOST_POINTS", 4)
    page = client.get(world.url("discovery:map"))
    assert page.context["shown"] <= 4
    assert "of 9 calls drawn" in page.content.decode()
    assert Assignment.objects.count() == 9


def test_a_viewer_may_not_label_and_a_stranger_sees_nothing(world: World) -> None:
    found, _ = some_tasks(world)
    assert world.client(world.viewer).post(world.url("discovery:accept", found.pk)).status_code == 403
    assert world.client(world.approver).post(world.url("discovery:start")).status_code == 403
    for name, arguments in (("list", []), ("map", []), ("detail", [found.pk])):
        assert world.client(world.stranger).get(world.url(f"discovery:{name}", *arguments)).status_code == 404


def test_a_name_that_is_too_long_is_refused(world: World) -> None:
    found, _ = some_tasks(world)
    answer = world.client(world.curator).post(world.url("discovery:rename", found.pk), {"name": "x" * 201})
    assert answer.status_code == 422
    found.refresh_from_db()
    assert found.name == ""


def test_a_merged_task_points_to_the_other(world: World) -> None:
    large, small = some_tasks(world)
    services.merge(tasks=[small], into=large, actor=world.curator)
    page = world.client(world.viewer).get(world.url("discovery:detail", small.pk)).content.decode()
    assert "Merged into another task" in page
