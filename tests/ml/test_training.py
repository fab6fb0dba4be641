from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmhub.ml.training.__main__ import BAD_INPUT, STOPPED, main
from slmhub.ml.training.augmentation import CopyAugmentation, of_the_same_shape
from slmhub.ml.training.checkpoints import newest_valid, write_marker
from slmhub.ml.training.data import _order
from slmhub.ml.training.progress import ProgressFile
from slmhub.ml.training.spec import Example, InputError, TrainingSpec, read_recipe
from tests.ml import sample_tasks
from tests.ml.tiny import write_tiny_base

STEPS = 60
Spec = dict[str, Any]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def spec(tmp_path: Path, base: Path) -> Spec:
    for name, split in (("train", 0), ("validation", 1)):
        text = sample_tasks.lines(sample_tasks.tool_call, count=40, split=split)
        (tmp_path / f"{name}.jsonl").write_text(text)
    return {
        "run_dir": str(tmp_path / "run"),
        "base": str(base),
        "train": str(tmp_path / "train.jsonl"),
        "validation": str(tmp_path / "validation.jsonl"),
        "recipe": {"rank": 4, "steps": STEPS, "batch_size": 4, "save_every": 10, "eval_every": 20},
        "static_prompt": {
            "messages": [{"role": "system", "text": "You help."}],
            "toolset": True,
            "window": 0,
        },
    }


def write(spec: Spec, folder: Path) -> Path:
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    return path


def start(spec: Spec, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "slmhub.ml.training", str(write(spec, folder))]
    return subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})


def wait_for_checkpoint(run: Path, process: subprocess.Popen[bytes], *, after: int = 0) -> None:
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        steps = [int(one.parent.name.split("-")[1]) for one in run.glob("checkpoints/*/COMPLETE.json")]
        if any(step > after for step in steps):
            return
        time.sleep(0.005)
    pytest.fail(f"no checkpoint; exit code {process.poll()}")


def progress(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]


def refused(spec: Spec, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    assert main([str(write(spec, folder))]) == BAD_INPUT
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("{")]
    return dict(json.loads(line))


def test_it_ends_with_the_same_weights_after_a_kill_and_after_a_clean_stop(
    spec: Spec, tmp_path: Path
) -> None:
    assert start(spec, tmp_path).wait() == 0
    whole = json.loads((tmp_path / "run" / "manifest.json").read_text())

    run = tmp_path / "broken"
    broken = spec | {"run_dir": str(run)}
    killed = start(broken, tmp_path)
    wait_for_checkpoint(run, killed)
    killed.kill()
    killed.wait()
    assert not (run / "manifest.json").exists()

    stopped = start(broken, tmp_path)
    wait_for_checkpoint(run, stopped, after=10)
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait() == STOPPED
    assert not (run / "manifest.json").exists()
    tear_newest(run / "checkpoints")

    assert start(broken, tmp_path).wait() == 0
    resumed = json.loads((run / "manifest.json").read_text())
    assert resumed["sha256"] == whole["sha256"]
    assert resumed["steps"] == whole["steps"] == STEPS
    assert [line["step"] for line in progress(run)] == sorted(line["step"] for line in progress(run))
    assert progress(run)[-1]["step"] == STEPS


def tear_newest(checkpoints: Path) -> None:
    newest = max(checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    optimizer = newest / "optimizer.pt"
    optimizer.write_bytes(optimizer.read_bytes()[:100])


def test_it_writes_what_the_contract_says(spec: Spec, tmp_path: Path) -> None:
    spec["recipe"] |= {"steps": 20}
    assert main([str(write(spec, tmp_path))]) == 0
    run = tmp_path / "run"
    manifest = json.loads((run / "manifest.json").read_text())
    last = progress(run)[-1]

    assert manifest["kind"] == "specialist"
    assert manifest["static_prompt"] == spec["static_prompt"]
    assert manifest["prompt_format"] == "compact"
    assert manifest["examples"] == {"train": 40, "validation": 40, "left_out_too_long": 0}
    assert manifest["files"]["weights/adapter_model.safetensors"] == manifest["sha256"]
    assert 0 <= manifest["validation_exact"] <= 1
    assert [
        path.suffix for path in (run / "weights").iterdir() if path.suffix not in (".json", ".safetensors")
    ] == []
    assert (last["step"], last["total_steps"], last["eta_s"]) == (20, 20, 0)
    assert last["loss"] < progress(run)[0]["loss"]
    assert last["eval_exact"] is not None

    before = (run / "manifest.json").stat().st_mtime_ns
    assert main([str(write(spec, tmp_path))]) == 0
    assert (run / "manifest.json").stat().st_mtime_ns == before


def test_it_refuses_a_folder_of_another_spec(
    spec: Spec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec["recipe"] |= {"steps": 1}
    assert main([str(write(spec, tmp_path))]) == 0
    spec["recipe"] |= {"seed": 5}

    assert refused(spec, tmp_path, capsys)["kind"] == "run_dir"


def test_it_knows_a_folder_again_that_an_earlier_version_began() -> None:
    """The fingerprint was written down before a SPEC could name a prompt format."""
    folder = Path("/runs/training-7")
    recipe = {"method": "lora", "rank": 32, "alpha": 64, "learning_rate": 5e-3, "batch_size": 16}
    recipe |= {"augment_copies": 0.9, "seed": 0, "max_length": 2048, "max_seconds": 90.0}
    spec = TrainingSpec(
        run_dir=folder,
        base="/weights",
        train=folder / "train.jsonl",
        validation=folder / "validation.jsonl",
        recipe=read_recipe(recipe),
        static_prompt={
            "messages": [{"role": "system", "text": "You help."}],
            "toolset": True,
            "window": 0,
        },
    )

    assert spec.fingerprint() == "6c8ed6259c93e006f4f4a77682540f04b2a135c492000d1704abf0712cb7a340"


def test_it_names_the_command_for_missing_starter_weights(
    spec: Spec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec["base"] = "some-org/some-model"
    error = refused(spec, tmp_path, capsys)

    assert error["kind"] == "base_missing"
    assert "hf download some-org/some-model" in error["error"]


def test_it_counts_examples_that_are_longer_than_the_context(
    spec: Spec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec["recipe"] |= {"max_length": 40}
    error = refused(spec, tmp_path, capsys)

    assert error["kind"] == "too_long"
    assert re.match(r"\d+ of 40 examples are longer than 40 tokens", error["error"])


def test_it_refuses_empty_or_malformed_data(
    spec: Spec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = Path(spec["train"])
    for text, kind, words in (
        ("\n", "empty_data", "no examples"),
        ('{"prompt": "a", "completion": "b"}\n{"prompt": "a"}\n', "data", "line 2"),
        ('{"prompt": 1, "completion": "b"}\n', "data", "must be strings"),
        ("[[[", "data", "line 1"),
    ):
        train.write_text(text)
        error = refused(spec, tmp_path, capsys)
        assert error["kind"] == kind
        assert words in error["error"]


def test_it_refuses_a_spec_that_it_cannot_follow(
    spec: Spec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for recipe, words in (
        ({"method": "magic"}, "'magic' is not supported; supported: lora"),
        ({"rank": 0}, "rank must be a number"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"steps": 5, "epochs": 2}, "only one of epochs, steps"),
        ({"speed": 5}, "unknown keys: speed"),
    ):
        assert words in refused(spec | {"recipe": recipe}, tmp_path, capsys)["error"]
    assert "lacks base" in refused(spec | {"base": ""}, tmp_path, capsys)["error"]
    assert main([str(tmp_path / "nowhere.json")]) == BAD_INPUT


def test_it_refuses_bad_input_before_loading_torch(tmp_path: Path) -> None:
    code = (
        "import sys, slmhub.ml.training.__main__ as m; m.main(['nowhere']); sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_it_trains_for_a_fixed_number_of_steps_by_default() -> None:
    assert read_recipe({}).steps == 300
    assert read_recipe({"max_seconds": 9}).steps is None
    with pytest.raises(InputError):
        read_recipe({"batch_size": True})


def checkpoint(folder: Path, step: int, *, whole: bool) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "optimizer.pt").write_bytes(b"12345")
    write_marker(path)
    if not whole:
        (path / "optimizer.pt").write_bytes(b"12")
    return path


def test_it_resumes_from_the_newest_whole_checkpoint(tmp_path: Path) -> None:
    checkpoint(tmp_path, 8, whole=True)
    good = checkpoint(tmp_path, 20, whole=True)
    torn = checkpoint(tmp_path, 100, whole=False)
    unmarked = checkpoint(tmp_path, 110, whole=True)
    (unmarked / "COMPLETE.json").unlink()

    assert newest_valid(tmp_path) == good
    assert not torn.exists()
    assert newest_valid(tmp_path / "none") is None


def test_it_drops_progress_after_the_step_it_resumes_from(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_text(
        "".join(json.dumps({"step": step, "elapsed_s": step / 2}) + "\n" for step in (5, 10, 15)) + '{"st'
    )
    file = ProgressFile(path, resumed_step=10)

    assert [line["step"] for line in progress(tmp_path)] == [5, 10]
    assert file.elapsed_before == 5


def test_it_shows_every_example_once_before_any_twice() -> None:
    examples = [Example(str(at), "x" * at, "y") for at in range(23)]
    order = _order(examples, count=46, batch_size=4, seed=3)

    assert sorted(order) == sorted([*range(23), *range(23)])
    assert order == _order(examples, count=46, batch_size=4, seed=3)
    assert order != _order(examples, count=46, batch_size=4, seed=4)


def copied(name: str, order: str) -> Example:
    completion = json.dumps({"name": name, "order": order, "queue": "refund"}, separators=(",", ":"))
    return Example(order, f"refund please: {name}, {order}, name", completion)


def test_it_swaps_copied_values_on_both_sides_and_keeps_labels_and_keys() -> None:
    examples = [copied(f"Ann{'abcdefghij'[at % 10]} Lee{at}", f"AB-{1000 + at}") for at in range(40)]
    prompt, completion = CopyAugmentation(examples)(examples[3], Random(0))
    answer = json.loads(completion)

    assert answer.keys() == {"name", "order", "queue"}
    assert answer["queue"] == "refund"
    assert answer["name"] != "Annd Lee3"
    assert re.fullmatch(r"[A-Z]{2}-\d{4}", answer["order"])
    assert prompt == f"refund please: {answer['name']}, {answer['order']}, name"


def test_it_leaves_an_answer_alone_that_copies_nothing() -> None:
    example = Example("1", "is it open?", '{"label":"hours"}')

    assert CopyAugmentation([example])(example, Random(0)) == (example.prompt, example.completion)


@given(st.text(), st.randoms(use_true_random=False))
def test_it_keeps_the_shape_of_a_value(value: str, random: Random) -> None:
    new = of_the_same_shape(value, random)

    assert re.sub(r"[A-Za-z]+", "w", re.sub(r"[0-9]", "0", value)) == re.sub(
        r"[A-Za-z]+", "w", re.sub(r"[0-9]", "0", new)
    )


def test_it_keeps_the_entity_of_a_surrogate() -> None:
    assert re.fullmatch(r"\[EMAIL_\d+\]", of_the_same_shape("[EMAIL_12]", Random(0)))
