from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.keyset import paginate
from apps.core.live import render_page
from apps.datasets.models import DatasetVersion
from apps.jobs.selectors import steering
from apps.jobs.services import AlreadyRunningError
from apps.jobs.views import lead_to
from apps.registry.models import BaseModel, LicenceClass
from apps.registry.selectors import trainable_bases
from apps.training import selectors, services
from apps.training.forms import RecipeForm
from apps.training.models import TrainingRun


@requires(Right.VIEW)
@require_safe
def list_runs(request: MemberRequest) -> HttpResponse:
    return render_page(request, "training/list.html", parts={"runs": lambda: _runs(request)})


def _runs(request: MemberRequest) -> dict[str, Any]:
    runs = selectors.runs_of(request.agent)
    page = paginate(runs, by="created_at", cursor=request.GET.get("cursor", ""))
    return {"page": page, "rows": [(run, selectors.status_of(run)) for run in page]}


@requires(Right.BUILD)
@require_http_methods(["GET", "HEAD", "POST"])
def new_run(request: MemberRequest, pk: int) -> HttpResponse:
    dataset = get_object_or_404(request.agent.dataset_versions.select_related("task"), pk=pk)
    bases = trainable_bases()
    if request.method != "POST":
        return _new_page(request, dataset, bases, RecipeForm(bases=bases, initial=request.GET.dict()))
    form = RecipeForm(request.POST, bases=bases)
    if not form.is_valid():
        return _new_page(request, dataset, bases, form, status=422)
    try:
        run = services.start(
            dataset=dataset, base=form.chosen_base, actor=request.membership.user, recipe=form.recipe()
        )
    except AlreadyRunningError as second:
        return lead_to(request, second)
    except HubError as error:
        form.add_error(None, error.sentence)
        return _new_page(request, dataset, bases, form, status=error.status)
    messages.success(request, "Training is queued.")
    return redirect(run)


def _new_page(
    request: MemberRequest,
    dataset: DatasetVersion,
    bases: list[BaseModel],
    form: RecipeForm,
    status: int = 200,
) -> HttpResponse:
    wanted = form["base"].value()
    base = next((base for base in bases if str(base.pk) == str(wanted)), bases[0] if bases else None)
    counts = selectors.split_counts(dataset)
    context = {
        "dataset": dataset,
        "form": form,
        "base": base,
        "counts": counts,
        "problem": _problem(dataset, base),
        "research_only": base is not None and base.licence_class == LicenceClass.RESEARCH,
        "estimates": selectors.estimates(dataset, base, form.wanted_method) if base else [],
        "gate_rows": selectors.gate_rows(),
        "margin": selectors.COMMON_MARGIN,
    }
    return render(request, "training/new.html", context, status=status)


def _problem(dataset: DatasetVersion, base: BaseModel | None) -> HubError | None:
    """Why a run could not start, said before the button is pressed."""
    if base is None:
        return HubError("No base model's weights are on this machine.", hint="See Models for the command.")
    try:
        services.check(dataset=dataset, base=base)
    except HubError as error:
        return error
    return None


@requires(Right.VIEW)
@require_safe
def show_run(request: MemberRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(selectors.runs_of(request.agent), pk=pk)
    parts = {"run": lambda: _run_context(request, run)}
    return render_page(request, "training/detail.html", parts=parts)


def _run_context(request: MemberRequest, run: TrainingRun) -> dict[str, Any]:
    return {
        **(steering(run.job, request.membership) if run.job else {}),
        "run": run,
        "status": selectors.status_of(run),
        "recipe": selectors.recipe_facts(run),
        "figure": selectors.loss_figure(run),
        "log": selectors.log_of(run),
        "specialist": selectors.specialist_of(run),
    }
