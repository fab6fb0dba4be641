from __future__ import annotations

import orjson
import pytest

from apps.datasets import services
from apps.datasets.models import DatasetVersion
from apps.jobs.models import State
from tests.datasets.builders import built
from tests.discovery.factories import Step, accepted, extraction, task
from tests.world import World


def a_dataset(world: World) -> DatasetVersion:
    return built(world, accepted(world.agent, extraction(world.agent, 100)))


def test_it_lists_datasets_with_the_rows_that_the_gate_needs(
    world: World, django_assert_max_num_queries: object
) -> None:
    for _ in range(3):
        a_dataset(world)
    client = world.client(world.viewer)
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        page = client.get(world.url("datasets:list")).content.decode()
    assert "Needs 157" in page


def test_it_shows_a_dataset(world: World, django_assert_max_num_queries: object) -> None:
    dataset = a_dataset(world)
    client = world.client(world.viewer)
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        page = client.get(world.url("datasets:detail", dataset.pk)).content.decode()
    assert dataset.digest in page
    assert "Wording: 100 %" in page
    assert "Where is order" in page
    assert "inconclusive" in page


def test_examples_are_paged_by_split(world: World) -> None:
    dataset = a_dataset(world)
    client, url = world.client(world.viewer), world.url("datasets:detail", dataset.pk)
    first = client.get(url, {"split": "test"}).context["page"]
    second = client.get(url, {"split": "test", "cursor": first.older}).context["page"]
    assert {row.split for row in [*first, *second]} == {"test"}
    assert not {row.pk for row in first} & {row.pk for row in second}
    assert client.get(url, {"split": "nonsense"}).status_code == 404


def test_an_engineer_builds_and_downloads(world: World) -> None:
    found = accepted(world.agent, extraction(world.agent, 100))
    client = world.client(world.engineer)
    answer = client.post(world.url("datasets:build", found.pk), {"longest": "8000"})
    dataset = DatasetVersion.objects.get()
    assert answer.url == world.url("datasets:detail", dataset.pk)  # type: ignore[attr-defined]
    assert dataset.parameters.longest == 8000
    assert "Building" in client.get(answer.url).content.decode()  # type: ignore[attr-defined]
    assert client.get(world.url("datasets:download", dataset.pk, "train")).status_code == 404


def test_a_download_holds_the_lines_of_the_split(world: World) -> None:
    dataset = a_dataset(world)
    answer = world.client(world.engineer).get(world.url("datasets:download", dataset.pk, "test"))
    lines = [orjson.loads(line) for line in answer.content.splitlines()]
    assert len(lines) == dataset.counts.test
    assert "attachment" in answer.headers["Content-Disposition"]


def test_a_refused_build_says_why(world: World) -> None:
    found = task(world.agent, extraction(world.agent, 3))
    refused = world.client(world.engineer).post(world.url("datasets:build", found.pk))
    assert refused.status_code == 409
    assert "Accept the task first" in refused.content.decode()


def test_a_second_click_leads_to_the_build_that_runs(world: World) -> None:
    found = accepted(world.agent, extraction(world.agent, 3))
    client, url = world.client(world.engineer), world.url("datasets:build", found.pk)
    first, second = client.post(url), client.post(url)
    assert first["location"] == second["location"]
    assert "under way already" in client.get(second["location"]).content.decode()
    assert DatasetVersion.objects.count() == 1


def test_a_failed_build_says_what_is_missing(world: World) -> None:
    found = accepted(world.agent, extraction(world.agent, 3))
    with pytest.raises(services.TooSmallError):
        built(world, found)
    dataset = DatasetVersion.objects.get()
    assert dataset.job is not None
    dataset.job.end(State.FAILED, error="Of 3 calls only 3 can be learnt from.")
    page = world.client(world.viewer).get(world.url("datasets:detail", dataset.pk)).content.decode()
    assert "only 3 can be learnt from" in page


def test_script_in_an_example_is_shown_as_text(world: World) -> None:
    evil = "<script>alert(1)</script>"
    calls = [Step(world.agent).call(f"{evil} {n}", f'{{"order":"{n}"}}') for n in range(100)]
    dataset = built(world, accepted(world.agent, calls))
    assert (
        evil not in world.client(world.viewer).get(world.url("datasets:detail", dataset.pk)).content.decode()
    )


def test_others_may_not(world: World) -> None:
    dataset = a_dataset(world)
    download = world.url("datasets:download", dataset.pk, "train")
    assert world.client(world.curator).post(world.url("datasets:build", dataset.task_id)).status_code == 403
    assert world.client(world.viewer).get(download).status_code == 403
    for url in (download, world.url("datasets:list"), world.url("datasets:detail", dataset.pk)):
        assert world.client(world.stranger).get(url).status_code == 404


def test_without_a_dataset_it_points_to_the_tasks(world: World) -> None:
    page = world.client(world.viewer).get(world.url("datasets:list")).content.decode()
    assert world.url("discovery:list") in page
