"""The background entry of a training run: one child process, started again when it dies."""

from __future__ import annotations

import json
import sys
from typing import Any

from apps.core.errors import HubError
from apps.jobs.processes import run_child
from apps.jobs.runner import JobCancelledError, JobContext, LeaseLostError
from apps.registry import weights
from apps.training import services
from apps.training.events import TrainingCancelled, TrainingFailed
from apps.training.folder import (
    exclusive,
    folder_of,
    publish_to_server,
    stderr_since,
    verified_manifest,
    write_spec,
)
from apps.training.models import TrainingRun
from apps.training.tail import ProgressTail
from slmhub.ml.training.run_folder import RunFolder

BAD_INPUT = 2
STOPPED = 143
# A trainer that was killed goes on from its checkpoint; one that keeps dying has a reason.
STARTS = 3


class TrainingFailedError(HubError):
    """The trainer refused its input or died."""


def run(context: JobContext, *, run_id: int) -> dict[str, Any]:
    """Trains, verifies and registers; on another attempt goes on from the last checkpoint."""
    training = TrainingRun.objects.select_related("agent__workspace", "dataset__task", "base").get(pk=run_id)
    try:
        folder = folder_of(training)
        with exclusive(folder, context):
            return _train(context, training, folder)
    except LeaseLostError:
        raise
    except JobCancelledError:
        services.publish_end(context=context, run=training, kind=TrainingCancelled)
        raise
    except Exception:
        services.publish_end(context=context, run=training, kind=TrainingFailed)
        raise


def _train(context: JobContext, training: TrainingRun, folder: RunFolder) -> dict[str, Any]:
    write_spec(training, base=weights.locate(training.base), folder=folder)
    context.log(f"attempt {context.job.attempt}: training {training.base} on {training.dataset}")
    _run_trainer(context, folder, ProgressTail(context, training, folder.progress))
    manifest = verified_manifest(folder)
    specialist = services.make_specialist(context=context, run=training, manifest=manifest, folder=folder)
    publish_to_server(specialist, manifest)
    context.log(f"specialist {specialist.served_name} is ready to be served")
    return {"specialist": specialist.pk, "sha256": specialist.sha256}


def _run_trainer(context: JobContext, folder: RunFolder, tail: ProgressTail) -> None:
    command = [sys.executable, "-m", "slmhub.ml.training", str(folder.spec)]
    for start in range(1, STARTS + 1):
        folder.stderr.touch()
        written = folder.stderr.stat().st_size
        code = run_child(context, command, stderr=folder.stderr, on_tick=tail.read)
        if code == 0:
            return
        said = stderr_since(folder.stderr, written)
        if not _was_killed(code) or start == STARTS:
            raise _failure(code, said)
        context.log(f"the trainer was killed (code {code}); going on from its last checkpoint")


def _was_killed(code: int) -> bool:
    return code < 0 or code == STOPPED


def _failure(code: int, said: str) -> TrainingFailedError:
    last = said.splitlines()[-1] if said else ""
    if code == BAD_INPUT:
        return TrainingFailedError(_refusal(last))
    if _was_killed(code):
        hint = "The machine may lack memory. Start it again: it goes on from its last checkpoint."
        return TrainingFailedError(f"The trainer was killed {STARTS} times (code {code}).", hint=hint)
    return TrainingFailedError(f"The trainer stopped with code {code}: {last[:600]}")


def _refusal(line: str) -> str:
    """The message in the trainer's one line of JSON."""
    try:
        return str(json.loads(line)["error"])[:1000]
    except (ValueError, KeyError, TypeError):
        return f"The trainer refused its input: {line[:600]}"
