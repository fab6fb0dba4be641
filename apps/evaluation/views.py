from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.keyset import paginate
from apps.core.live import render_page
from apps.datasets.overlap import in_words
from apps.evaluation import selectors, services
from apps.evaluation.models import EvaluationRun, Verdict
from apps.evaluation.questions import CONCURRENCY
from apps.jobs.services import AlreadyRunningError
from apps.jobs.views import lead_to
from apps.registry.models import LicenceClass
from apps.training.models import Specialist


class MarginForm(forms.Form):
    margin = forms.FloatField(required=False, min_value=0.001, max_value=services.WIDEST_MARGIN)


@requires(Right.VIEW)
@require_safe
def list_runs(request: MemberRequest) -> HttpResponse:
    return render_page(request, "evaluation/list.html", parts={"evaluations": lambda: _runs(request)})


def _runs(request: MemberRequest) -> dict[str, Any]:
    runs = selectors.runs_of(request.agent)
    page = paginate(runs, by="created_at", cursor=request.GET.get("cursor", ""))
    rows = [(run, selectors.state_of(run), selectors.scores(run)) for run in page]
    return {"page": page, "rows": rows}


@requires(Right.BUILD)
@require_POST
def start_run(request: MemberRequest, pk: int) -> HttpResponse:
    specialist = get_object_or_404(request.agent.specialists.select_related("run__dataset"), pk=pk)
    form = MarginForm(request.POST)
    if not form.is_valid():
        return _back(request, specialist, "Choose a margin of more than 0 and at most 20 points.")
    margin = form.cleaned_data["margin"] or 0.05
    try:
        run = services.start(specialist=specialist, actor=request.membership.user, margin=margin)
    except AlreadyRunningError as second:
        return lead_to(request, second)
    except HubError as error:
        return _back(request, specialist, error.sentence)
    messages.success(request, "The evaluation is queued.")
    return redirect(run)


def _back(request: MemberRequest, specialist: Specialist, words: str) -> HttpResponse:
    messages.error(request, words)
    return redirect(specialist)


@requires(Right.VIEW)
@require_safe
def show_run(request: MemberRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(selectors.runs_of(request.agent), pk=pk)
    parts = {"evaluation": lambda: _context(request, run)}
    return render_page(request, "evaluation/detail.html", parts=parts)


def _context(request: MemberRequest, run: EvaluationRun) -> dict[str, Any]:
    context = {"run": run, "state": selectors.state_of(run), "ruling": selectors.ruling(run)}
    if not run.verdict:
        return context
    only_wrong = request.GET.get("show") != "all"
    page = request.GET.get("page", "1")
    number = int(page) if page.isdecimal() and len(page) < 7 else 1
    return {
        **context,
        "gate": run.report.gate,
        "scores": selectors.scores(run),
        "errors": selectors.error_rows(run),
        "fields": selectors.field_rows(run),
        "slices": selectors.slice_rows(run),
        "order": selectors.ORDER,
        "asked": run.report.teacher,
        "overlap": in_words(run.dataset.overlap),
        "only_wrong": only_wrong,
        "compared": selectors.compared(run, only_wrong=only_wrong, page=number),
        "concurrency": CONCURRENCY,
        "may_request": run.verdict == Verdict.PASS,
        "is_blocked": run.specialist.base.licence_class == LicenceClass.RESEARCH,
    }
