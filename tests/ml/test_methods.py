from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from slmhub.ml.basemodel import STARTER, load_model
from slmhub.ml.methods import DEFAULT, METHODS
from slmhub.ml.methods.memory import ModelShape, read_shape
from slmhub.ml.methods.recipe import LENGTHS, Recipe, fields_of
from slmhub.ml.serving.catalogue import ModelKind, ServedManifest, publish, read_manifest
from slmhub.ml.serving.loading import load
from slmhub.ml.training.__main__ import main
from slmhub.ml.training.records import Manifest
from slmhub.ml.training.run_folder import RunFolder
from slmhub.ml.training.spec import read_recipe
from tests.ml import sample_tasks
from tests.ml.full_method import Full
from tests.ml.tiny import write_tiny_base

MIB = 2**20


def test_another_method_is_trained_and_served_without_a_change_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, Full.name, Full())
    base = write_tiny_base(tmp_path / "base")
    for name, split in (("train", 0), ("validation", 1)):
        text = sample_tasks.lines(sample_tasks.tool_call, count=8, split=split)
        (tmp_path / f"{name}.jsonl").write_text(text)
    spec = {
        "run_dir": str(tmp_path / "run"),
        "base": str(base),
        "train": str(tmp_path / "train.jsonl"),
        "validation": str(tmp_path / "validation.jsonl"),
        "recipe": {"method": "full", "frozen_layers": 1, "steps": 2, "batch_size": 4},
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    assert main([str(tmp_path / "spec.json")]) == 0

    folder = RunFolder(tmp_path / "run")
    manifest = folder.read_manifest()
    assert (manifest.method, manifest.recipe["frozen_layers"]) == ("full", 1)
    assert folder.damaged_files(manifest) == []
    served = ServedManifest(
        kind=ModelKind.SPECIALIST,
        path=str(folder.weights),
        base=str(base),
        sha256=manifest.sha256,
        method=manifest.method,
    )
    publish(tmp_path / "models", "full", served)
    model = load(read_manifest("full", tmp_path / "models" / "full" / "manifest.json")).model
    before, after = load_model(base).model.layers, model.model.layers
    assert (before[0].mlp.up_proj.weight == after[0].mlp.up_proj.weight).all()
    assert (before[1].mlp.up_proj.weight != after[1].mlp.up_proj.weight).any()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("parameters", [None, 1_300_000, 1_700_000_000])
def test_what_a_method_suggests_is_within_its_own_bounds(method: Full, parameters: int | None) -> None:
    recipe = method.suggest(parameters=parameters, context=None)
    fields = fields_of(method.recipe)

    assert all(getattr(recipe, length) is None for length in LENGTHS)
    for name, value in msgspec.structs.asdict(recipe).items():
        assert value is None or fields[name].least <= value <= fields[name].most
    assert fields.keys() >= fields_of(Recipe).keys()


def test_the_default_recipe_is_the_one_that_specs_without_any_have_always_had() -> None:
    recipe = read_recipe({})

    assert recipe == METHODS[DEFAULT].recipe(steps=300)
    assert (recipe.learning_rate, recipe.batch_size, recipe.augment_copies) == (5e-3, 16, 0.9)


def test_the_memory_of_a_run_is_near_what_runs_were_measured_to_take() -> None:
    """Peak resident memory of the trainer on a processor: 60 steps of the starter, 4 of a model of 135 M."""
    lora = METHODS[DEFAULT]
    starter = read_shape(STARTER, parameters=675_000) or pytest.fail("the starter has a usual configuration")
    small = ModelShape(parameters=134_543_808, width=576, layers=30, vocabulary=49_152)
    measured = ((starter, 709, {"batch_size": 16}), (small, 3293, {"batch_size": 4, "rank": 16}))

    for shape, mib, numbers in measured:
        estimated = lora.memory_needed(shape, lora.recipe(**numbers), tokens=227) / MIB
        assert estimated == pytest.approx(mib, rel=0.15)


def test_an_unusual_configuration_has_no_estimate(tmp_path: Path) -> None:
    assert read_shape(tmp_path, parameters=5) is None
    (tmp_path / "config.json").write_text('{"hidden_size": 8, "vocab_size": "many", "num_hidden_layers": 1}')
    assert read_shape(tmp_path, parameters=5) is None


def test_a_manifest_survives_its_file(tmp_path: Path) -> None:
    manifest = Manifest(path="weights", sha256="a" * 64, files={"weights/a": "b" * 64}, final_loss=0.5)
    folder = RunFolder(tmp_path)
    folder.write_manifest(manifest)

    assert folder.read_manifest() == manifest


def test_what_the_web_reads_of_a_method_imports_no_torch() -> None:
    code = (
        "import sys, slmhub.ml.methods, slmhub.ml.training.spec, slmhub.ml.training.run_folder;"
        "import slmhub.ml.serving.catalogue; sys.exit(bool({'torch', 'peft', 'numpy'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
