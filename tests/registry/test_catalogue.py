from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.registry import selectors, weights
from apps.registry.models import BaseModel, Figures, LicenceClass
from apps.registry.services import seed_catalogue
from apps.registry.starter import count_parameters, starter_fields
from tests.world import World

pytestmark = pytest.mark.django_db

PAPERS_FAMILIES = {"Phi", "Nemotron-H", "SmolLM2", "Hymba", "DeepSeek-R1-Distill", "RETRO", "xLAM"}


def test_it_holds_the_papers_families_with_their_licences() -> None:
    seed_catalogue()
    assert set(BaseModel.objects.values_list("family", flat=True)) >= PAPERS_FAMILIES
    research = BaseModel.objects.filter(licence_class=LicenceClass.RESEARCH).values_list("family", flat=True)
    assert {"xLAM", "Nemotron-H"} <= set(research)
    assert not BaseModel.objects.get(slug="hymba-1.5b").trainable
    assert "released no weights" in BaseModel.objects.get(slug="retro-7.5b").remarks


def test_it_may_be_seeded_again_and_then_refreshes() -> None:
    count = seed_catalogue()
    BaseModel.objects.filter(slug="phi-4").update(licence="something else")
    call_command("seed_catalogue")
    assert BaseModel.objects.count() == count
    assert BaseModel.objects.get(slug="phi-4").licence == "MIT"


def test_it_gives_every_figure_a_source() -> None:
    seed_catalogue()
    for base in BaseModel.objects.exclude(figures={}):
        assert base.figures.values
        assert base.figures.source, base.slug


def test_it_says_that_the_catalogue_is_empty_before_it_is_seeded() -> None:
    with pytest.raises(selectors.NotSeededError):
        selectors.starter()


def write_model(folder: Path, *, shape: list[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    header = json.dumps(
        {"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}, "__metadata__": {}}
    ).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (folder / "config.json").write_text('{"max_position_embeddings": 2048}')


def test_it_reads_the_starters_figures_from_what_it_ships_with(tmp_path: Path) -> None:
    write_model(tmp_path, shape=[3, 5])
    (tmp_path / "manifest.json").write_text('{"licence": "Apache-2.0", "exact_match": {"copy": 0.934}}')
    row = starter_fields(tmp_path)
    assert (row["parameters"], row["context"]) == (15, 2048)
    assert row["figures"].values == {"copy, exact": 93.4}


def test_it_shows_no_figures_for_a_starter_without_a_manifest(tmp_path: Path) -> None:
    assert starter_fields(tmp_path / "missing")["figures"] == Figures()


def test_it_counts_nothing_in_a_file_that_is_no_safetensors(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"\xff" * 200)
    assert count_parameters(file) is None


class TestWeights:
    def base(self, **fields: Any) -> BaseModel:
        return BaseModel(name="Tiny", **fields)

    def test_it_finds_a_local_folder(self, tmp_path: Path) -> None:
        write_model(tmp_path, shape=[1])
        assert weights.locate(self.base(path=str(tmp_path))) == tmp_path

    def test_it_finds_the_snapshot_that_main_names(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        folder = tmp_path / "models--org--tiny"
        write_model(folder / "snapshots" / "abc", shape=[1])
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("abc\n")
        assert weights.locate(self.base(hub_id="org/tiny")) == folder / "snapshots" / "abc"

    def test_it_names_the_command_when_they_are_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(weights.WeightsMissingError) as error:
            weights.locate(self.base(hub_id="org/tiny"))
        assert error.value.command == "hf download org/tiny"
        assert "hf download org/tiny" in error.value.hint

    def test_it_does_not_take_an_unfinished_folder(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("{}")
        assert weights.find(self.base(path=str(tmp_path))) is None


def test_its_pages_are_for_members_only(world: World) -> None:
    seed_catalogue()
    pages = [world.url("registry:list"), world.url("registry:detail", BaseModel.objects.get(slug="phi-4").pk)]
    for page in pages:
        assert world.client(world.viewer).get(page).status_code == 200
        assert world.client(world.stranger).get(page).status_code == 404


def test_it_filters_the_list(world: World) -> None:
    seed_catalogue()
    page = world.client(world.viewer).get(world.url("registry:list"), {"q": "xlam", "licence": "research"})
    names = {row.base.family for row in page.context["rows"]}
    assert names == {"xLAM"}


def test_it_explains_an_empty_catalogue(world: World) -> None:
    assert b"manage.py seed_catalogue" in world.client(world.viewer).get(world.url("registry:list")).content


def test_it_lists_the_catalogue_in_few_queries(world: World, django_assert_max_num_queries: Any) -> None:
    seed_catalogue()
    client = world.client(world.viewer)
    with django_assert_max_num_queries(12):
        client.get(world.url("registry:list"))
