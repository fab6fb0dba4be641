"""A dataset built by the real job body."""

from __future__ import annotations

from apps.datasets import jobs, services
from apps.datasets.columns import Parameters
from apps.datasets.models import DatasetVersion
from apps.discovery.models import Task
from apps.jobs.models import Job, State
from apps.jobs.runner import JobContext
from slmhub.ml.prompt_formats import COMPACT
from tests.world import World


def built(
    world: World, task: Task, parameters: Parameters = services.DEFAULTS, prompt_format: str = COMPACT
) -> DatasetVersion:
    dataset = services.build(
        task=task, actor=world.engineer, parameters=parameters, prompt_format=prompt_format
    )
    assert dataset.job_id is not None
    job = Job.claim(dataset.job_id)
    assert job is not None
    jobs.run(JobContext(job), dataset_id=dataset.pk)
    job.end(State.SUCCEEDED)
    dataset.refresh_from_db()
    return dataset
