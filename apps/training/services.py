"""Starting a training run and making its specialist."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from django.db import transaction

from apps.accounts.models import User
from apps.accounts.rights import Right
from apps.core.errors import ConflictError, HubError
from apps.datasets.models import DatasetVersion, Split
from apps.events.services import publish
from apps.jobs import services as jobs
from apps.jobs.models import Queue
from apps.jobs.runner import JobContext
from apps.registry import weights
from apps.registry.models import BaseModel
from apps.training import recipes
from apps.training.events import TrainingCancelled, TrainingFailed, TrainingFinished, TrainingStarted
from apps.training.models import Specialist, TrainingRun
from slmhub.ml.files import weight_files
from slmhub.ml.methods.recipe import Recipe, as_json
from slmhub.ml.training.records import Manifest
from slmhub.ml.training.run_folder import RunFolder

TOO_LONG_SHARE = 0.1
JOB = "apps.training.jobs.run"


class DatasetNotReadyError(ConflictError):
    """The dataset cannot be trained on yet."""


class NotTrainableError(HubError):
    """The base model cannot be trained here, or the dataset does not fit it."""

    status = 422


@transaction.atomic
def start(
    *, dataset: DatasetVersion, base: BaseModel, actor: User | None, recipe: Recipe | None = None
) -> TrainingRun:
    """Queues a run; the same one is not queued twice.

    Raises AlreadyRunningError, DatasetNotReadyError, NotTrainableError or WeightsMissingError.
    """
    check(dataset=dataset, base=base)
    agent = dataset.agent
    numbers = as_json(recipe or recipes.recipe(base))
    run = TrainingRun.objects.create(
        agent=agent,
        dataset=dataset,
        base=base,
        started_by=actor,
        recipe=numbers,
    )
    publish(TrainingStarted(**facts(run)), workspace=agent.workspace, agent=agent, actor=actor)
    run.job = jobs.start(
        workspace=agent.workspace,
        agent=agent,
        title=f"Train {base} on {dataset}",
        entry=JOB,
        arguments={"run_id": run.pk},
        right=Right.BUILD,
        # Two recipes may be tried beside each other; the same one twice is a second click.
        exclusive_key=f"training:{dataset.pk}:{base.pk}:{_digest(numbers)}",
        actor=actor,
        queue=Queue.GPU,
        url=run.get_absolute_url(),
    )
    run.save(update_fields=["job"])
    return run


def _digest(recipe: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(recipe, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def check(*, dataset: DatasetVersion, base: BaseModel) -> None:
    """Raises what `start` would raise."""
    if dataset.frozen_at is None:
        raise DatasetNotReadyError(f"{dataset} is not frozen yet.", hint="Wait until it is built.")
    for split in (Split.TRAIN, Split.VALIDATION):
        if not dataset.examples.filter(split=split).exists():
            raise DatasetNotReadyError(
                f"{dataset} has no {split.label.lower()} examples.",
                hint="Collect more calls and build it again.",
            )
    if not base.trainable:
        raise NotTrainableError(f"{base} cannot be trained here.", hint=base.remarks)
    weights.locate(base)
    _check_length(dataset, base)


def _check_length(dataset: DatasetVersion, base: BaseModel) -> None:
    if not base.context:
        return
    texts = dataset.examples.filter(split=Split.TRAIN).values_list("prompt", "completion")
    lengths = [
        len(f"{prompt}{completion}".encode()) / base.bytes_per_token
        for prompt, completion in texts.iterator()
    ]
    too_long = sum(length > base.context for length in lengths)
    if too_long > TOO_LONG_SHARE * len(lengths):
        raise NotTrainableError(
            f"{too_long:,} of {len(lengths):,} examples are longer than {base}'s context of {base.context:,} "
            f"tokens (the longest has about {max(lengths):,.0f}).",
            hint="Choose a base model with a longer context, or a dataset that keeps fewer messages.",
        )


def make_specialist(
    *, context: JobContext, run: TrainingRun, manifest: Manifest, folder: RunFolder
) -> Specialist:
    """The specialist of a finished run, once, however often its job runs. Raises LeaseLostError."""
    with context.commit():
        found = Specialist.objects.filter(run=run).first()
        if found is not None:
            return found
        specialist = _create_specialist(run, manifest, folder)
        TrainingRun.objects.filter(pk=run.pk).update(manifest=manifest)
        fact = TrainingFinished(**facts(run), job=context.job.pk, specialist=specialist.pk)
        publish(fact, workspace=run.agent.workspace, agent=run.agent)
    return specialist


def _create_specialist(run: TrainingRun, manifest: Manifest, folder: RunFolder) -> Specialist:
    trained = folder.path / manifest.path
    specialist = Specialist.objects.create(
        agent=run.agent,
        task=run.dataset.task,
        run=run,
        base=run.base,
        sha256=manifest.sha256,
        served_name=f"run-{run.pk}",
        path=str(trained),
        size=sum(file.stat().st_size for file in weight_files(trained)),
    )
    # The row's number makes the name unique for ever, the digest says which weights it stands for.
    specialist.served_name = f"specialist-{specialist.pk}@{specialist.sha256[:12]}"
    specialist.save(update_fields=["served_name"])
    return specialist


def publish_end(
    *, context: JobContext, run: TrainingRun, kind: type[TrainingFailed] | type[TrainingCancelled]
) -> None:
    """Publishes the end of a run that made no specialist, unless another attempt owns it."""
    with context.commit():
        fact = kind(**facts(run), job=context.job.pk)
        publish(fact, workspace=run.agent.workspace, agent=run.agent)


def facts(run: TrainingRun) -> dict[str, Any]:
    return {
        "run": run.pk,
        "dataset": run.dataset_id,
        "task": run.dataset.task_id,
        "name": str(run.dataset.task),
    }
