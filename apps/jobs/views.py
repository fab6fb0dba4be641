from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.facets import Filters
from apps.core.keyset import paginate
from apps.jobs import selectors, services
from apps.jobs.facets import JOB_FACETS
from apps.jobs.models import Job, State


@requires(Right.VIEW)
@require_safe
def list_jobs(request: MemberRequest) -> HttpResponse:
    filters = Filters(JOB_FACETS, request.GET)
    jobs = filters.narrow(request.workspace.jobs.select_related("agent", "created_by"))
    page = paginate(jobs, by="created_at", cursor=request.GET.get("cursor", ""))
    return render(request, "jobs/list.html", {"page": page, "filters": filters})


@requires(Right.VIEW)
@require_safe
def show_job(request: MemberRequest, pk: int) -> HttpResponse:
    return render(request, "jobs/detail.html", _context(request, pk))


def _context(request: MemberRequest, pk: int) -> dict[str, Any]:
    job = _job(request, pk)
    lines, cut = selectors.last_lines(job)
    may_steer = request.membership.may(Right.LABEL)
    return {
        "job": job,
        "lines": lines,
        "lines_cut": cut,
        "facts": selectors.result_facts(job),
        "may_cancel": may_steer and not job.is_over and job.cancel_requested_at is None,
        "may_retry": may_steer and job.state in {State.FAILED, State.CANCELLED},
    }


@requires(Right.VIEW)
@require_safe
def progress(request: MemberRequest, pk: int) -> HttpResponse:
    """The fragment that other pages show while something runs."""
    return render(request, "jobs/_progress.html", {"job": _job(request, pk)})


@requires(Right.LABEL)
@require_POST
def cancel(request: MemberRequest, pk: int) -> HttpResponse:
    return _steer(request, pk, services.cancel, "Asked to stop. A running job ends within a few seconds.")


@requires(Right.LABEL)
@require_POST
def retry(request: MemberRequest, pk: int) -> HttpResponse:
    return _steer(request, pk, services.retry, "Queued again.")


def _steer(request: MemberRequest, pk: int, act: Callable[..., Job], done: str) -> HttpResponse:
    job = _job(request, pk)
    try:
        act(job=job, actor=request.user)
    except HubError as error:
        messages.error(request, f"{error.message} {error.hint}")
    else:
        messages.success(request, done)
    return redirect(request.workspace.address("jobs:detail", pk))


def _job(request: MemberRequest, pk: int) -> Job:
    return get_object_or_404(request.workspace.jobs.select_related("agent", "created_by"), pk=pk)
