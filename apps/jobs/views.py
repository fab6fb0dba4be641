"""The list of jobs, one job, and stopping it or starting it again: the one place for jobs of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, insist, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.facets import Filters
from apps.core.keyset import paginate
from apps.core.live import render_page, render_part
from apps.core.redirects import back_to
from apps.jobs import selectors, services
from apps.jobs.facets import JOB_FACETS
from apps.jobs.models import Job


@requires(Right.VIEW)
@require_safe
def list_jobs(request: MemberRequest) -> HttpResponse:
    filters = Filters(JOB_FACETS, request.GET)
    jobs = filters.narrow(request.workspace.jobs.select_related("agent", "created_by"))

    def rows() -> dict[str, Any]:
        page = paginate(jobs, by="created_at", cursor=request.GET.get("cursor", ""))
        return {"page": page, "filters": filters}

    return render_page(request, "jobs/list.html", parts={"jobs": rows})


@requires(Right.VIEW)
@require_safe
def show_job(request: MemberRequest, pk: int) -> HttpResponse:
    return render_page(request, "jobs/detail.html", parts={"job": lambda: _context(request, pk)})


def _context(request: MemberRequest, pk: int) -> dict[str, Any]:
    job = _job(request, pk)
    lines, cut = selectors.last_lines(job)
    return {
        "job": job,
        "lines": lines,
        "lines_cut": cut,
        "facts": selectors.result_facts(job),
        **selectors.steering(job, request.membership),
    }


@requires(Right.VIEW)
@require_safe
def progress(request: MemberRequest, pk: int) -> HttpResponse:
    """The fragment that other pages show while something runs."""
    return render_part(request, "jobs/_progress.html", {"job": _job(request, pk)})


@requires(Right.VIEW)
@require_POST
def cancel(request: MemberRequest, pk: int) -> HttpResponse:
    done = "Asked to stop. What runs ends within a few seconds; what it has stored stays."
    return _steer(request, pk, services.cancel, done)


@requires(Right.VIEW)
@require_POST
def retry(request: MemberRequest, pk: int) -> HttpResponse:
    return _steer(request, pk, services.retry, "Queued again. It goes on from what is stored.")


def _steer(request: MemberRequest, pk: int, act: Callable[..., Job], done: str) -> HttpResponse:
    """Stops a job or starts it again, for who has the right that stands on it."""
    job = _job(request, pk)
    insist(request.membership, Right(job.right))
    try:
        act(job=job, actor=request.user)
    except services.AlreadyRunningError as second:
        return lead_to(request, second)
    except HubError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, done)
    return back_to(request, job.get_absolute_url())


def lead_to(request: HttpRequest, second: services.AlreadyRunningError) -> HttpResponse:
    """A second click on what starts a job arrives where the first one did."""
    messages.info(request, second.message)
    return redirect(second.job.url or second.job)


def _job(request: MemberRequest, pk: int) -> Job:
    return get_object_or_404(request.workspace.jobs.select_related("agent", "created_by"), pk=pk)
