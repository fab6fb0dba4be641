from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.keyset import paginate
from apps.core.live import render_page
from apps.datasets import services
from apps.datasets.candidates import Reason
from apps.datasets.files import lines_of
from apps.datasets.forms import BuildForm
from apps.datasets.models import DatasetVersion, Split
from apps.datasets.overlap import in_words
from apps.discovery.models import TaskState
from apps.jobs.services import AlreadyRunningError
from apps.jobs.views import lead_to

PAGE = 10


@requires(Right.VIEW)
@require_safe
def list_datasets(request: MemberRequest) -> HttpResponse:
    return _list_page(request)


def _list_page(request: MemberRequest, refusal: HubError | None = None) -> HttpResponse:
    versions = request.agent.dataset_versions.select_related("task", "job", "created_by").defer(
        "static_prompt"
    )

    def rows() -> dict[str, Any]:
        return {
            "page": paginate(versions, by="created_at", cursor=request.GET.get("cursor", "")),
            "gate": services.gate_rows(),
            "accepted": request.agent.tasks.filter(state=TaskState.ACCEPTED).order_by("-size")[:20],
        }

    return render_page(
        request,
        "datasets/list.html",
        parts={"datasets": rows},
        rest=lambda: {"refusal": refusal},
        status=refusal.status if refusal else 200,
    )


@requires(Right.VIEW)
@require_safe
def show_dataset(request: MemberRequest, pk: int) -> HttpResponse:
    versions = request.agent.dataset_versions.select_related("task", "job", "created_by")
    dataset = get_object_or_404(versions, pk=pk)
    return render_page(request, "datasets/detail.html", parts={"dataset": lambda: _dataset(request, dataset)})


def _dataset(request: MemberRequest, dataset: DatasetVersion) -> dict[str, Any]:
    split = _split(request.GET.get("split", Split.TRAIN))
    examples = dataset.examples.filter(split=split).defer("messages", "tools", "expected")
    return {
        "dataset": dataset,
        "split": split,
        "splits": [(one, one.label, getattr(dataset.counts, one.value)) for one in Split],
        "page": paginate(examples, by="position", cursor=request.GET.get("cursor", ""), size=PAGE),
        "left_out": _reasons(dataset),
        "total_left_out": sum(dataset.left_out.values()),
        "overlap": in_words(dataset.overlap),
        "gate": services.gate_rows(),
        **_verdict(dataset),
    }


def _split(value: str) -> Split:
    if value not in Split.values:
        raise Http404("There is no such split.")
    return Split(value)


def _reasons(dataset: DatasetVersion) -> list[tuple[str, int]]:
    rows = sorted(dataset.left_out.items(), key=lambda pair: -pair[1])
    return [(Reason(name).label, number) for name, number in rows]


def _verdict(dataset: DatasetVersion) -> dict[str, Any]:
    """Whether the held-out rows can carry the gate, said before anything is trained."""
    held_out, (low, high) = dataset.counts.test, services.gate_rows()
    return {"held_out": held_out, "is_enough": held_out >= low, "is_plenty": held_out >= high}


@requires(Right.BUILD)
@require_POST
def build(request: MemberRequest, task: int) -> HttpResponse:
    wanted = get_object_or_404(request.agent.tasks, pk=task)
    form = BuildForm(request.POST)
    try:
        dataset = services.build(task=wanted, actor=request.membership.user, parameters=form.parameters())
    except AlreadyRunningError as second:
        return lead_to(request, second)
    except HubError as refusal:
        return _list_page(request, refusal)
    messages.success(request, f"Building {dataset}.")
    return redirect(dataset)


@requires(Right.BUILD)
@require_safe
def download(request: MemberRequest, pk: int, split: str) -> HttpResponse:
    dataset = get_object_or_404(request.agent.dataset_versions, pk=pk, frozen_at__isnull=False)
    chosen = _split(split)
    # Bounded by the caps of a version: a few megabytes.
    response = HttpResponse(b"".join(lines_of(dataset, chosen)), content_type="application/jsonl")
    name = f"dataset-{dataset.pk}-v{dataset.number}-{chosen.value}.jsonl"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
