"""The folder of a run on disk: what goes into the trainer and what comes out."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.core.errors import HubError
from apps.datasets.files import write_split
from apps.datasets.models import Split
from apps.jobs.runner import JobContext
from apps.training.models import Specialist, TrainingRun
from apps.training.storage import read_json, sha256, write_json
from slmhub.ml.prompt_formats import COMPACT

LOCK_WAIT_S = 0.25
STDERR_TAIL = 4000


class DamagedWeightsError(HubError):
    """The trained weights are missing or differ from the SHA-256 in their manifest."""


def folder_of(run: TrainingRun) -> Path:
    return Path(settings.RUNS_DIR) / f"training-{run.pk}"


@contextlib.contextmanager
def exclusive(folder: Path, context: JobContext) -> Iterator[None]:
    """Waits until no other attempt works in the folder; the lock falls with the worker that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                context.check()
                time.sleep(LOCK_WAIT_S)
        yield


def write_spec(run: TrainingRun, *, base: Path, folder: Path) -> Path:
    """Examples and SPEC, the same bytes on every attempt, so that the trainer resumes."""
    for split in (Split.TRAIN, Split.VALIDATION):
        write_split(run.dataset, split, folder / f"{split}.jsonl")
    spec = {
        "run_dir": str(folder),
        "base": str(base),
        "train": str(folder / "train.jsonl"),
        "validation": str(folder / "validation.jsonl"),
        "recipe": run.recipe,
        "prompt_format": run.dataset.prompt_format,
        "static_prompt": run.dataset.static_prompt,
    }
    path = folder / "spec.json"
    write_json(path, spec)
    return path


def verified_manifest(folder: Path) -> dict[str, Any]:
    """The trainer's manifest, after hashing every file it names. Raises DamagedWeightsError."""
    try:
        manifest: dict[str, Any] = read_json((folder / "manifest.json").read_text())
        files = {**manifest["files"], "adapter/adapter_model.safetensors": manifest["sha256"]}
        damaged = [name for name, digest in files.items() if sha256(folder / name) != digest]
    except (OSError, ValueError, KeyError) as error:
        raise DamagedWeightsError(
            "The trainer left no valid manifest.", hint="Start the run again."
        ) from error
    if damaged:
        raise DamagedWeightsError(
            f"The trained weights are damaged: {damaged[0]}.", hint="Start the run again."
        )
    return manifest


def publish_to_server(specialist: Specialist, manifest: dict[str, Any]) -> None:
    """Tells the specialist server of the model: it sees the folder on its next request."""
    write_json(
        Path(settings.MODELS_DIR) / specialist.served_name / "manifest.json",
        {
            "kind": "specialist",
            "path": specialist.path,
            "base": manifest["base"],
            "base_sha256": manifest.get("base_sha256"),
            "sha256": specialist.sha256,
            "prompt_format": manifest.get("prompt_format", COMPACT),
            "static_prompt": manifest.get("static_prompt") or {},
        },
    )


def stderr_since(path: Path, offset: int) -> str:
    """The end of what a child wrote after `offset`."""
    with path.open("rb") as stream:
        stream.seek(max(offset, path.stat().st_size - STDERR_TAIL))
        return stream.read(STDERR_TAIL).decode(errors="replace").strip()
