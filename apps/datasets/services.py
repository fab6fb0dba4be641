"""Build a dataset version and freeze it; after that nothing changes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from msgspec.structs import asdict

from apps.accounts.models import User
from apps.accounts.rights import Right
from apps.core.errors import ConflictError, HubError
from apps.datasets.building import Draft, counts_of, digest_of
from apps.datasets.candidates import Reason
from apps.datasets.columns import Counts, Parameters
from apps.datasets.events import DatasetFrozen
from apps.datasets.models import DatasetVersion, Example, FrozenError
from apps.datasets.overlap import overlap_of
from apps.discovery.models import Task, TaskState
from apps.discovery.readiness import HIGH_DISCORDANCE, LOW_DISCORDANCE, MARGIN, calls_needed
from apps.events.services import publish
from apps.jobs import services as jobs
from slmhub.ml.evaluation import rows_needed
from slmhub.ml.prompt_formats import COMPACT
from slmhub.ml.prompt_formats.compact import StaticPrompt

FEWEST_TRAIN, FEWEST_TEST = 20, 5
BATCH = 500
DEFAULTS = Parameters()


class NotAcceptedError(ConflictError):
    """Only what a person has accepted is built."""


class TooSmallError(HubError):
    """Too few usable calls for a dataset."""

    status = 422


@transaction.atomic
def build(
    *, task: Task, actor: User | None, parameters: Parameters = DEFAULTS, prompt_format: str = COMPACT
) -> DatasetVersion:
    """The next version of a task, queued. Raises `NotAcceptedError` and `AlreadyRunningError`."""
    # The lock orders the numbers of versions.
    task = Task.objects.select_for_update().select_related("agent__workspace").get(pk=task.pk)
    if task.state != TaskState.ACCEPTED:
        raise NotAcceptedError(
            f"“{task}” is {task.get_state_display().lower()}.", hint="Accept the task first."
        )
    number = DatasetVersion.objects.filter(task=task).aggregate(last=Max("number"))["last"] or 0
    dataset = DatasetVersion.objects.create(
        agent=task.agent,
        task=task,
        number=number + 1,
        created_by=actor,
        parameters=parameters,
        prompt_format=prompt_format,
    )
    dataset.job = jobs.start(
        workspace=task.agent.workspace,
        agent=task.agent,
        title=f"Build dataset {dataset}",
        entry="apps.datasets.jobs.run",
        arguments={"dataset_id": dataset.pk},
        right=Right.BUILD,
        exclusive_key=f"dataset:{task.pk}",
        actor=actor,
        url=dataset.get_absolute_url(),
    )
    dataset.save(update_fields=["job"])
    return dataset


@transaction.atomic
def freeze(
    *, dataset: DatasetVersion, rows: Sequence[Draft], static: StaticPrompt, left_out: Counter[str]
) -> DatasetVersion:
    """Stores the examples and seals the version with their hash. Raises `TooSmallError`, `FrozenError`."""
    counts = counts_of(rows, static, left_out)
    check_size(counts, left_out)
    # Another attempt of the same job may have left nothing here, but must not leave half.
    if dataset.examples.exists():
        raise FrozenError
    Example.objects.bulk_create(_examples(dataset, rows), batch_size=BATCH)
    sealed = DatasetVersion.objects.filter(pk=dataset.pk, frozen_at__isnull=True).update(
        counts=counts,
        left_out=dict(left_out),
        static_prompt=static,
        overlap=overlap_of(rows),
        digest=digest_of(rows, static, dataset.prompt_format),
        frozen_at=timezone.now(),
    )
    if not sealed:
        raise FrozenError
    dataset.refresh_from_db()
    _publish(dataset)
    return dataset


def _publish(dataset: DatasetVersion) -> None:
    fact = DatasetFrozen(
        dataset=dataset.pk,
        task=dataset.task_id,
        name=str(dataset),
        digest=dataset.digest,
        **asdict(dataset.counts),
    )
    publish(fact, workspace=dataset.agent.workspace, agent=dataset.agent, actor=dataset.created_by)


def _examples(dataset: DatasetVersion, rows: Sequence[Draft]) -> list[Example]:
    return [
        Example(
            dataset=dataset,
            span_id=row.candidate.span,
            split=row.split,
            session=row.candidate.session[:200],
            position=position,
            messages=row.candidate.messages,
            tools=row.candidate.tools,
            expected=row.candidate.output,
            prompt=row.prompt,
            completion=row.completion,
        )
        for position, row in enumerate(rows)
    ]


def check_size(counts: Counts, left_out: Counter[str]) -> None:
    """Raises `TooSmallError`, which says what is missing and what took most of the calls."""
    if counts.train >= FEWEST_TRAIN and counts.test >= FEWEST_TEST:
        return
    low, high = calls_needed(LOW_DISCORDANCE), calls_needed(HIGH_DISCORDANCE)
    reasons = "; ".join(f"{number:,} × {Reason(name).label}" for name, number in left_out.most_common(3))
    raise TooSmallError(
        f"Of {counts.calls:,} calls only {counts.usable:,} can be learnt from "
        f"({reasons or 'none left out'}).",
        hint=(
            f"It takes at least {FEWEST_TRAIN} for training and {FEWEST_TEST} held out; the gate needs about "
            f"{low:,} to {high:,} calls."
        ),
    )


def gate_rows() -> tuple[int, int]:
    """Held-out rows that the gate needs when the models disagree on 5 % and on 10 % of them."""
    low = rows_needed(margin=MARGIN, discordance=LOW_DISCORDANCE)
    return low, rows_needed(margin=MARGIN, discordance=HIGH_DISCORDANCE)
