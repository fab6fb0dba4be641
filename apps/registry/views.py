from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.facets import Filters
from apps.registry import selectors, services, weights
from apps.registry.connection import Trial, try_teacher
from apps.registry.facets import MODEL_FACETS
from apps.registry.forms import TeacherForm, initial
from apps.registry.models import BaseModel, Teacher


@requires(Right.VIEW)
@require_safe
def list_models(request: MemberRequest) -> HttpResponse:
    filters = Filters(MODEL_FACETS, request.GET)
    teacher = selectors.teacher_of(request.agent)
    context = {
        "rows": selectors.listed(filters),
        "filters": filters,
        "teacher": teacher,
        "teacher_rates": selectors.teacher_rates(teacher) if teacher else None,
        "machine_gb": selectors.machine_memory_gb(),
    }
    return render(request, "registry/list.html", context)


@requires(Right.VIEW)
@require_safe
def show_model(request: MemberRequest, pk: int) -> HttpResponse:
    base = get_object_or_404(BaseModel, pk=pk)
    context = {
        "base": base,
        "row": selectors.describe(base),
        "command": weights.command(base),
        "machine_gb": selectors.machine_memory_gb(),
    }
    return render(request, "registry/detail.html", context)


@requires(Right.MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def edit_teacher(request: MemberRequest) -> HttpResponse:
    teacher = selectors.teacher_of(request.agent)
    form = TeacherForm(request.POST or None, teacher=teacher, initial=initial(teacher))
    if request.method != "POST":
        return _teacher_page(request, form)
    if not form.is_valid():
        return _teacher_page(request, form, status=422)
    if "test" in request.POST:
        return _teacher_page(request, form, trial=_try(form, teacher))
    services.set_teacher(agent=request.agent, actor=request.membership.user, **form.values)
    messages.success(request, "Teacher saved.")
    return redirect(request.agent.address("registry:list"))


def _try(form: TeacherForm, teacher: Teacher | None) -> Trial:
    stored = selectors.teacher_key(teacher) if teacher is not None else ""
    key = stored if form.chosen_key is None else form.chosen_key
    return try_teacher(base_url=form.cleaned_data["base_url"], key=key, model=form.cleaned_data["model"])


def _teacher_page(
    request: MemberRequest, form: TeacherForm, *, trial: Trial | None = None, status: int = 200
) -> HttpResponse:
    return render(request, "registry/teacher.html", {"form": form, "trial": trial}, status=status)
