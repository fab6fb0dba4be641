"""The folder of a run: what goes into the trainer, what comes out, and who may work in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from filelock import lock_descriptor

from apps.core.errors import HubError
from apps.datasets.files import write_split
from apps.datasets.models import Split
from apps.jobs.runner import JobContext
from apps.training.models import Specialist, TrainingRun
from slmhub.ml.prompt_formats.compact import StaticPrompt
from slmhub.ml.serving.catalogue import ModelKind, ServedManifest, publish
from slmhub.ml.training.records import Manifest
from slmhub.ml.training.run_folder import RunFolder

LOCK_WAIT_S = 0.25
STDERR_TAIL = 4000


class DamagedWeightsError(HubError):
    """The trained weights are missing or differ from the SHA-256 in their manifest."""


def folder_of(run: TrainingRun) -> RunFolder:
    return RunFolder(Path(settings.RUNS_DIR) / f"training-{run.pk}")


@contextlib.contextmanager
def exclusive(folder: RunFolder, context: JobContext) -> Iterator[None]:
    """Waits until no other attempt works in the folder; the lock falls with the worker that holds it."""
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.lock.open("w") as lock:
        while not lock_descriptor(lock.fileno(), blocking=False):
            context.check()
            time.sleep(LOCK_WAIT_S)
        yield


def write_spec(run: TrainingRun, *, base: Path, folder: RunFolder) -> None:
    """Examples and SPEC, the same bytes on every attempt, so that the trainer resumes."""
    train, validation = folder.examples(Split.TRAIN), folder.examples(Split.VALIDATION)
    write_split(run.dataset, Split.TRAIN, train)
    write_split(run.dataset, Split.VALIDATION, validation)
    spec = {
        "run_dir": str(folder.path),
        "base": str(base),
        "train": str(train),
        "validation": str(validation),
        "recipe": run.recipe,
        "prompt_format": run.dataset.prompt_format,
        "static_prompt": run.dataset.static_prompt.to_json(),
    }
    folder.write_json(folder.spec, spec)


def verified_manifest(folder: RunFolder) -> Manifest:
    """The trainer's manifest, after hashing every file it names. Raises DamagedWeightsError."""
    try:
        manifest = folder.read_manifest()
        damaged = folder.damaged_files(manifest)
    except (OSError, ValueError) as error:
        raise DamagedWeightsError(
            "The trainer left no valid manifest.", hint="Start the run again."
        ) from error
    if damaged or not manifest.files:
        named = damaged[0] if damaged else "none is named"
        raise DamagedWeightsError(f"The trained weights are damaged: {named}.", hint="Start the run again.")
    return manifest


def publish_to_server(specialist: Specialist, manifest: Manifest) -> None:
    """Tells the specialist server of the model."""
    served = ServedManifest(
        kind=ModelKind.SPECIALIST,
        path=specialist.path,
        base=manifest.base,
        base_sha256=manifest.base_sha256,
        sha256=specialist.sha256,
        method=manifest.method,
        prompt_format=manifest.prompt_format,
        static_prompt=StaticPrompt.from_json(manifest.static_prompt),
    )
    publish(Path(settings.MODELS_DIR), specialist.served_name, served)


def stderr_since(path: Path, offset: int) -> str:
    """The end of what a child wrote after `offset`."""
    with path.open("rb") as stream:
        stream.seek(max(offset, path.stat().st_size - STDERR_TAIL))
        return stream.read(STDERR_TAIL).decode(errors="replace").strip()
