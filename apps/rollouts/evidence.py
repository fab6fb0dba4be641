"""What an approver decides on, by value: later changes elsewhere do not change it."""

from __future__ import annotations

import hashlib

import msgspec

from apps.datasets.columns import Counts
from apps.datasets.overlap import in_words
from apps.discovery.selectors import routable_keys
from apps.evaluation.models import EvaluationRun
from slmhub.ml.evaluation import Gate, SystemMetrics


class TaskEvidence(msgspec.Struct, frozen=True):
    id: int = 0
    name: str = ""


class SpecialistEvidence(msgspec.Struct, frozen=True):
    name: str = ""
    sha256: str = ""
    bytes: int = 0


class BaseEvidence(msgspec.Struct, frozen=True):
    name: str = ""
    licence: str = ""
    licence_class: str = ""


class DatasetEvidence(msgspec.Struct, frozen=True, kw_only=True):
    name: str = ""
    digest: str = ""
    counts: Counts = Counts()
    shared_with_training: list[str] = []


class EvaluationEvidence(msgspec.Struct, frozen=True, kw_only=True):
    id: int = 0
    margin: float = 0.0
    gate: Gate | None = None
    metrics: dict[str, SystemMetrics] = {}
    teacher_simulated: bool = False


class RoutingEvidence(msgspec.Struct, frozen=True):
    keys: list[str] = []


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    task: TaskEvidence = TaskEvidence()
    specialist: SpecialistEvidence = SpecialistEvidence()
    base: BaseEvidence = BaseEvidence()
    dataset: DatasetEvidence = DatasetEvidence()
    evaluation: EvaluationEvidence = EvaluationEvidence()
    routing: RoutingEvidence = RoutingEvidence()

    @property
    def digest(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


def evidence_of(evaluation: EvaluationRun) -> Evidence:
    dataset, specialist, base = evaluation.dataset, evaluation.specialist, evaluation.specialist.base
    return Evidence(
        task=TaskEvidence(specialist.task_id, str(specialist.task)),
        specialist=SpecialistEvidence(specialist.served_name, specialist.sha256, specialist.size),
        base=BaseEvidence(base.name, base.licence, base.licence_class),
        dataset=DatasetEvidence(
            name=str(dataset),
            digest=dataset.digest,
            counts=dataset.counts,
            shared_with_training=in_words(dataset.overlap),
        ),
        evaluation=EvaluationEvidence(
            id=evaluation.pk,
            margin=evaluation.margin,
            gate=evaluation.report.gate,
            metrics=evaluation.report.metrics,
            teacher_simulated=evaluation.teacher_simulated,
        ),
        routing=RoutingEvidence(routable_keys(specialist.task)),
    )
