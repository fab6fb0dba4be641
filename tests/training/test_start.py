from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from apps.datasets.models import DatasetVersion, Example, Split
from apps.events.models import Event
from apps.jobs.models import Job, Queue, State
from apps.jobs.services import AlreadyRunningError, cancel, retry
from apps.registry.models import LicenceClass
from apps.registry.weights import WeightsMissingError
from apps.training import recipes, services
from apps.training.estimates import estimate
from apps.training.events import TrainingStarted
from apps.training.models import TrainingRun
from slmhub.ml.methods import DEFAULT, METHODS
from slmhub.ml.training.spec import read_recipe
from tests.ml.full_method import Full
from tests.training.builders import base_at, frozen_dataset, made_specialist
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def weights_here(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_it_queues_a_run_on_the_gpu_queue(world: World, weights_here: Path) -> None:
    dataset = frozen_dataset(world)
    run = services.start(dataset=dataset, base=base_at(weights_here), actor=world.engineer)
    job = Job.objects.get()
    assert (run.job, job.queue, job.state) == (job, Queue.GPU, State.QUEUED)
    assert job.url == world.url("training:detail", run.pk)
    assert Event.objects.filter(type=TrainingStarted.type, actor=world.engineer).count() == 1
    assert run.recipe["steps"] == 360


class TestASecondClick:
    def test_it_leads_to_the_first_run(self, world: World, weights_here: Path) -> None:
        base, dataset = base_at(weights_here), frozen_dataset(world)
        url, body = world.url("training:new", dataset.pk), {"base": base.pk, "preset": "quick"}
        client = world.client(world.engineer)
        first, second = client.post(url, body), client.post(url, body)
        run = TrainingRun.objects.get()
        assert first["location"] == second["location"] == world.url("training:detail", run.pk)
        assert Job.objects.count() == 1
        assert Event.objects.filter(type=TrainingStarted.type).count() == 1

    def test_another_recipe_may_be_tried_beside_it(self, world: World, weights_here: Path) -> None:
        base, dataset = base_at(weights_here), frozen_dataset(world)
        for seed in (0, 1):
            services.start(
                dataset=dataset, base=base, actor=world.engineer, recipe=read_recipe({"seed": seed})
            )
        assert Job.objects.count() == 2

    def test_an_ended_run_may_be_followed_by_the_same_one(self, world: World, weights_here: Path) -> None:
        base, dataset = base_at(weights_here), frozen_dataset(world)
        first = services.start(dataset=dataset, base=base, actor=world.engineer)
        assert first.job is not None
        cancel(job=first.job, actor=world.engineer)
        second = services.start(dataset=dataset, base=base, actor=world.engineer)
        with pytest.raises(AlreadyRunningError) as refusal:
            retry(job=first.job, actor=world.engineer)
        assert refusal.value.job == second.job

    @pytest.mark.django_db(transaction=True, databases="__all__")
    def test_eight_requests_at_once_make_one_run(self, world: World, weights_here: Path) -> None:
        base, dataset = base_at(weights_here), frozen_dataset(world)
        url, body = world.url("training:new", dataset.pk), {"base": base.pk, "preset": "quick"}
        clients = [world.client(world.engineer) for _ in range(8)]
        gate = threading.Barrier(len(clients))

        def click(client: Client) -> str:
            try:
                gate.wait()
                return client.post(url, body)["location"]
            finally:
                connection.close()

        with ThreadPoolExecutor(len(clients)) as pool:
            places = set(pool.map(click, clients))
        run = TrainingRun.objects.get()
        assert places == {world.url("training:detail", run.pk)}
        assert Job.objects.count() == 1


class TestRefusals:
    def test_it_refuses_a_dataset_that_is_not_frozen(self, world: World, weights_here: Path) -> None:
        dataset = frozen_dataset(world)
        DatasetVersion.objects.filter(pk=dataset.pk).update(frozen_at=None, digest="")
        dataset.refresh_from_db()
        with pytest.raises(services.DatasetNotReadyError, match="not frozen"):
            services.start(dataset=dataset, base=base_at(weights_here), actor=world.engineer)
        assert not TrainingRun.objects.exists()

    @pytest.mark.parametrize("split", [Split.TRAIN, Split.VALIDATION])
    def test_it_refuses_a_dataset_without_examples(
        self, world: World, weights_here: Path, split: Split
    ) -> None:
        dataset = frozen_dataset(world)
        dataset.examples.filter(split=split).delete()
        with pytest.raises(services.DatasetNotReadyError, match=f"no {split.value} examples"):
            services.start(dataset=dataset, base=base_at(weights_here), actor=world.engineer)

    def test_it_refuses_missing_weights_and_names_the_command(self, world: World) -> None:
        base = base_at(Path("/nowhere"), path="", hub_id="org/not-here")
        with pytest.raises(WeightsMissingError, match="not on this machine") as error:
            services.start(dataset=frozen_dataset(world), base=base, actor=world.engineer)
        assert "hf download org/not-here" in error.value.hint

    def test_it_refuses_a_base_that_cannot_be_trained(self, world: World, weights_here: Path) -> None:
        base = base_at(weights_here, trainable=False, remarks="Needs remote code.")
        with pytest.raises(services.NotTrainableError) as error:
            services.start(dataset=frozen_dataset(world), base=base, actor=world.engineer)
        assert error.value.hint == "Needs remote code."

    def test_it_refuses_prompts_that_are_too_long_and_says_by_how_much(
        self, world: World, weights_here: Path
    ) -> None:
        dataset = frozen_dataset(world)
        Example.objects.filter(dataset=dataset).update(prompt="é" * 400)
        with pytest.raises(services.NotTrainableError, match=r"24 of 24 examples .* context of 256 tokens"):
            services.start(dataset=dataset, base=base_at(weights_here), actor=world.engineer)

    def test_it_lets_a_few_long_prompts_pass(self, world: World, weights_here: Path) -> None:
        dataset = frozen_dataset(world)
        first = dataset.examples.order_by("position").first()
        assert first is not None
        Example.objects.filter(pk=first.pk).update(prompt="x" * 900)
        services.start(dataset=dataset, base=base_at(weights_here), actor=world.engineer)


class TestEstimate:
    def test_it_uses_the_last_measured_speed(self, world: World, weights_here: Path) -> None:
        base = base_at(weights_here)
        made = made_specialist(world, base)
        TrainingRun.objects.filter(pk=made.run_id).update(progress={"tokens_per_s": 500.0})
        dataset = made.run.dataset
        recipe = recipes.recipe(base, changes={"epochs": 12})
        found = estimate(dataset=dataset, base=base, recipe=recipe)
        assert found.tokens_per_s == 500.0
        assert found.seconds == pytest.approx(15 + 12 * found.tokens / 500.0)
        assert f"run {made.run_id}" in found.basis

    def test_it_says_that_a_speed_is_assumed(self, world: World, weights_here: Path) -> None:
        base = base_at(weights_here)
        found = estimate(
            dataset=frozen_dataset(world),
            base=base,
            recipe=recipes.recipe(base, changes={"max_seconds": 120}),
        )
        assert "assumed" in found.basis
        assert found.seconds == pytest.approx(135)

    def test_it_counts_the_training_split_only(self, world: World, weights_here: Path) -> None:
        dataset = frozen_dataset(world, train=2)
        rows = dataset.examples.filter(split=Split.TRAIN)
        found = estimate(dataset=dataset, base=base_at(weights_here), recipe=read_recipe({"epochs": 1}))
        assert found.tokens == sum(len(row.prompt) + len(row.completion) for row in rows)

    def test_it_says_how_much_memory_a_run_takes_where_the_base_says_its_shape(
        self, world: World, weights_here: Path
    ) -> None:
        base, dataset = base_at(weights_here), frozen_dataset(world)
        recipe = recipes.recipe(base)
        assert estimate(dataset=dataset, base=base, recipe=recipe).memory is None
        shape = {"hidden_size": 32, "num_hidden_layers": 1, "vocab_size": 261}
        (weights_here / "config.json").write_text(json.dumps(shape))
        memory = estimate(dataset=dataset, base=base, recipe=recipe).memory
        assert memory is not None
        assert 450 < memory / 2**20 < 700


class TestForm:
    def url(self, world: World, dataset: DatasetVersion) -> str:
        return world.url("training:new", dataset.pk)

    def test_it_shows_estimates_and_what_the_gate_needs(self, world: World, weights_here: Path) -> None:
        base_at(weights_here)
        page = world.client(world.engineer).get(self.url(world, frozen_dataset(world)))
        assert page.status_code == 200
        assert b"badge-estimate" in page.content
        assert b"You have <strong>12</strong> test examples" in page.content

    def test_it_starts_a_run(self, world: World, weights_here: Path) -> None:
        base = base_at(weights_here)
        body = {"base": base.pk, "preset": "quick", "minutes": "0.5", "rank": "8"}
        answer = world.client(world.engineer).post(self.url(world, frozen_dataset(world)), body)
        run = TrainingRun.objects.get()
        assert answer.url == world.url("training:detail", run.pk)
        assert (run.recipe["max_seconds"], run.recipe["rank"]) == (30, 8)
        assert "epochs" not in run.recipe

    @pytest.mark.parametrize(
        "changes",
        [{"rank": "9999"}, {"minutes": "1", "epochs": "2"}, {"base": "77"}, {"learning_rate": "nan"}],
    )
    def test_it_refuses_values_out_of_bounds(
        self, world: World, weights_here: Path, changes: dict[str, str]
    ) -> None:
        base = base_at(weights_here)
        body = {"base": base.pk, "preset": "quick", **changes}
        answer = world.client(world.engineer).post(self.url(world, frozen_dataset(world)), body)
        assert answer.status_code == 422
        assert not TrainingRun.objects.exists()

    def test_it_offers_the_methods_that_are_registered(
        self, world: World, weights_here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        base, dataset = base_at(weights_here), frozen_dataset(world)
        client = world.client(world.engineer)
        for name in METHODS.keys() - {DEFAULT}:
            monkeypatch.delitem(METHODS, name)
        assert b'name="method"' not in client.get(self.url(world, dataset)).content
        monkeypatch.setitem(METHODS, Full.name, Full())
        page = client.get(self.url(world, dataset)).content
        assert b"Full fine-tuning" in page
        assert b"Frozen layers" in page
        body = {"base": base.pk, "method": "full", "preset": "quick", "frozen_layers": "2", "rank": "8"}
        answer = client.post(self.url(world, dataset), body)
        run = TrainingRun.objects.get()
        assert (run.recipe["method"], run.recipe["frozen_layers"]) == ("full", 2)
        assert "rank" not in run.recipe
        assert b"Full fine-tuning of Tiny" in client.get(answer.url).content

    def test_it_shows_a_run_whose_method_is_gone(self, world: World, weights_here: Path) -> None:
        run = services.start(dataset=frozen_dataset(world), base=base_at(weights_here), actor=None)
        TrainingRun.objects.filter(pk=run.pk).update(recipe={"method": "gone", "steps": 5, "batch_size": 7})
        page = world.client(world.viewer).get(world.url("training:detail", run.pk))
        assert b"gone of Tiny" in page.content
        assert b"7 examples" in page.content

    def test_it_shows_why_a_run_cannot_start(self, world: World, weights_here: Path) -> None:
        base, dataset = base_at(weights_here), frozen_dataset(world, validation=0)
        answer = world.client(world.engineer).post(
            self.url(world, dataset), {"base": base.pk, "preset": "quick"}
        )
        assert answer.status_code == 409
        assert b"no validation examples" in answer.content

    def test_it_warns_of_a_research_licence(self, world: World, weights_here: Path) -> None:
        base_at(weights_here, licence_class=LicenceClass.RESEARCH)
        page = world.client(world.engineer).get(self.url(world, frozen_dataset(world)))
        assert b"cannot be rolled out" in page.content

    def test_it_says_what_to_do_without_any_weights(self, world: World) -> None:
        page = world.client(world.engineer).get(self.url(world, frozen_dataset(world)))
        assert b"No base model" in page.content

    def test_it_is_for_engineers(self, world: World, weights_here: Path) -> None:
        base, dataset = base_at(weights_here), frozen_dataset(world)
        for person in (world.viewer, world.curator, world.approver):
            answer = world.client(person).post(self.url(world, dataset), {"base": base.pk, "preset": "quick"})
            assert answer.status_code == 403
        assert world.client(world.stranger).get(self.url(world, dataset)).status_code == 404
        assert not TrainingRun.objects.exists()


class TestPages:
    def test_it_shows_runs_and_their_state(self, world: World, weights_here: Path) -> None:
        run = services.start(dataset=frozen_dataset(world), base=base_at(weights_here), actor=world.engineer)
        client = world.client(world.curator)
        assert b"Greet a person" in client.get(world.url("training:list")).content
        page = client.get(world.url("training:detail", run.pk))
        assert b"Waiting for a free place" in page.content
        assert b"Cancel run" not in page.content

    def test_it_lists_many_runs_in_few_queries(
        self, world: World, weights_here: Path, django_assert_max_num_queries: Any
    ) -> None:
        base, dataset = base_at(weights_here), frozen_dataset(world)
        for seed in range(12):
            services.start(
                dataset=dataset, base=base, actor=world.engineer, recipe=read_recipe({"seed": seed})
            )
        client = world.client(world.viewer)
        client.get(world.url("training:list"))
        with django_assert_max_num_queries(14):
            client.get(world.url("training:list"))

    def test_it_cancels_and_starts_again(self, world: World, weights_here: Path) -> None:
        run = services.start(dataset=frozen_dataset(world), base=base_at(weights_here), actor=world.engineer)
        client = world.client(world.engineer)
        here = {"next": world.url("training:detail", run.pk)}
        stopped = client.post(world.workspace_url("jobs:cancel", run.job_id), here)
        assert stopped["location"] == world.url("training:detail", run.pk)
        assert Job.objects.get().state == State.CANCELLED
        assert b"Start again" in client.get(world.url("training:detail", run.pk)).content
        client.post(world.workspace_url("jobs:retry", run.job_id), here)
        assert Job.objects.get().state == State.QUEUED

    def test_it_lets_only_engineers_cancel(self, world: World, weights_here: Path) -> None:
        run = services.start(dataset=frozen_dataset(world), base=base_at(weights_here), actor=world.engineer)
        for name in ("jobs:cancel", "jobs:retry"):
            for person in (world.viewer, world.curator, world.approver):
                assert world.client(person).post(world.workspace_url(name, run.job_id)).status_code == 403
            assert world.client(world.stranger).post(world.workspace_url(name, run.job_id)).status_code == 404
        assert Job.objects.get().state == State.QUEUED

    def test_it_hides_runs_from_strangers(self, world: World, weights_here: Path) -> None:
        run = services.start(dataset=frozen_dataset(world), base=base_at(weights_here), actor=world.engineer)
        for page in (world.url("training:list"), world.url("training:detail", run.pk)):
            assert world.client(world.stranger).get(page).status_code == 404
