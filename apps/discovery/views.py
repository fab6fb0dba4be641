from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.models import User
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.facets import Filters
from apps.core.keyset import paginate
from apps.core.live import render_page
from apps.core.redirects import back_to
from apps.discovery import charts, selectors, services
from apps.discovery.facets import TASK_FACETS
from apps.discovery.forms import NameForm
from apps.discovery.models import Task, TaskState
from apps.discovery.readiness import HIGH_DISCORDANCE, LOW_DISCORDANCE, calls_needed
from apps.discovery.rows import TaskRow, task_list
from apps.discovery.samples import exemplars_of, fields_of
from apps.jobs.services import AlreadyRunningError
from apps.jobs.views import lead_to

PAGE = 20
MOST_TICKED = 200


@requires(Right.VIEW)
@require_safe
def list_tasks(request: MemberRequest) -> HttpResponse:
    return _list_page(request)


def _list_page(request: MemberRequest, refusal: HubError | None = None) -> HttpResponse:
    def tasks() -> dict[str, Any]:
        filters = Filters(TASK_FACETS, request.GET)
        return {
            "has_tasks": request.agent.tasks.exists(),
            "filters": filters,
            "tasks": task_list(request.agent, filters),
        }

    return render_page(
        request,
        "discovery/list.html",
        parts={"run": lambda: _run(request), "list": tasks, "tasks": tasks},
        rest=lambda: {"refusal": refusal},
        status=refusal.status if refusal else 200,
    )


def _run(request: MemberRequest) -> dict[str, Any]:
    run = selectors.last_run(request.agent)
    job = run.job if run else None
    return {
        "run": run,
        "job": job,
        "is_running": job is not None and not job.is_over,
        "waiting": selectors.calls_waiting(request.agent),
        "has_tasks": request.agent.tasks.exists(),
    }


@requires(Right.VIEW)
@require_safe
def show_map(request: MemberRequest) -> HttpResponse:
    parts = {"run": lambda: _run(request), "map": lambda: _map(request)}
    return render_page(request, "discovery/map.html", parts=parts)


def _map(request: MemberRequest) -> dict[str, Any]:
    tasks = selectors.open_tasks_of(request.agent)
    roots = {
        member.pk: task
        for task, family in zip(tasks, selectors.families(tasks).values(), strict=True)
        for member in family
    }
    return {**charts.map_figure(request.agent, roots, _link_to_calls(request)), "tasks": list(tasks)}


def _link_to_calls(request: MemberRequest) -> Callable[[int], str]:
    # One reverse for thousands of points.
    start, _, end = request.agent.address("traces:call", 0).rpartition("0")
    return lambda pk: f"{start}{pk}{end}"


@requires(Right.VIEW)
@require_safe
def show_task(request: MemberRequest, pk: int) -> HttpResponse:
    return _task_page(request, _task(request, pk))


def _task_page(request: MemberRequest, task: Task, refusal: HubError | None = None) -> HttpResponse:
    row = TaskRow(task, selectors.task_family(task))
    calls = selectors.calls_of(task)
    context = {
        "task": task,
        "row": row,
        "refusal": refusal,
        "exemplars": exemplars_of(task),
        "fields": fields_of(calls),
        "volume": charts.volume_figure(calls),
        "keys": selectors.routing_of(row.family),
        "routable": set(selectors.routable_keys(task)),
        "page": paginate(calls, by="started_at", cursor=request.GET.get("cursor", ""), size=PAGE),
        "datasets": task.dataset_versions.select_related("job").order_by("-number")[:5],
        "others": selectors.open_tasks_of(request.agent).exclude(pk=task.pk)[:100],
        "total_calls": sum(request.agent.tasks.values_list("size", flat=True)),
        "needed": (calls_needed(LOW_DISCORDANCE), calls_needed(HIGH_DISCORDANCE)),
    }
    return render(request, "discovery/detail.html", context, status=refusal.status if refusal else 200)


@requires(Right.LABEL)
@require_POST
def start(request: MemberRequest) -> HttpResponse:
    try:
        services.start_run(agent=request.agent, actor=_person(request))
    except AlreadyRunningError as second:
        return lead_to(request, second)
    except HubError as refusal:
        return _list_page(request, refusal)
    messages.success(request, "Discovery started.")
    return redirect(request.agent.address("discovery:list"))


@requires(Right.LABEL)
@require_POST
def rename(request: MemberRequest, pk: int) -> HttpResponse:
    task, form = _task(request, pk), NameForm(request.POST)
    if not form.is_valid():
        return _task_page(request, task, _too_long())
    services.rename(task=task, name=form.cleaned_data["name"], actor=_person(request))
    messages.success(request, "Renamed." if task.name else "The found title is back.")
    return _back(request, task)


def _too_long() -> HubError:
    refusal = HubError(f"A name has at most {services.LONGEST_NAME} characters.", hint="Shorten it.")
    refusal.status = 422
    return refusal


@requires(Right.LABEL)
@require_POST
def accept(request: MemberRequest, pk: int) -> HttpResponse:
    return _label(request, pk, services.accept, "Accepted", undo="discovery:reopen")


@requires(Right.LABEL)
@require_POST
def ignore(request: MemberRequest, pk: int) -> HttpResponse:
    return _label(request, pk, services.ignore, "Ignored", undo="discovery:reopen")


@requires(Right.LABEL)
@require_POST
def reopen(request: MemberRequest, pk: int) -> HttpResponse:
    was = _task(request, pk).state
    undo = "discovery:accept" if was == TaskState.ACCEPTED else "discovery:ignore"
    return _label(request, pk, services.reopen, "Reopened", undo=undo)


def _label(
    request: MemberRequest, pk: int, service: Callable[..., Task], word: str, *, undo: str
) -> HttpResponse:
    task = _task(request, pk)
    try:
        service(task=task, actor=_person(request))
    except HubError as refusal:
        return _task_page(request, task, refusal)
    _toast(request, f"{word}: {task}", undo=undo, task=task)
    return _back(request, task)


@requires(Right.LABEL)
@require_POST
def merge(request: MemberRequest) -> HttpResponse:
    """The ticked tasks become one: `into` when it is given, else the largest of them."""
    ticked = list(selectors.tasks_of(request.agent).filter(pk__in=_ids(request, "id")))
    wanted = _ids(request, "into")
    into = _task(request, wanted[0]) if wanted else next(iter(ticked), None)
    try:
        if into is None:
            raise services.BadMergeError("Nothing is ticked.", hint="Tick at least two tasks.")
        services.merge(tasks=ticked, into=into, actor=_person(request))
    except HubError as refusal:
        return _list_page(request, refusal)
    parts = [task for task in ticked if task.pk != into.pk]
    noun = "task" if len(parts) == 1 else "tasks"
    _toast(
        request, f"Merged {len(parts)} {noun} into {into}", undo="discovery:unmerge", task=into, parts=parts
    )
    return _back(request, into)


@requires(Right.LABEL)
@require_POST
def unmerge(request: MemberRequest, pk: int) -> HttpResponse:
    task = _task(request, pk)
    ids = _ids(request, "id")
    parts = list(request.agent.tasks.filter(pk__in=ids)) if ids else None
    try:
        released = services.unmerge(task=task, parts=parts, actor=_person(request))
    except HubError as refusal:
        return _task_page(request, task, refusal)
    messages.success(request, f"On their own again: {', '.join(map(str, released))}")
    return _back(request, task)


def _task(request: MemberRequest, pk: int) -> Task:
    return get_object_or_404(request.agent.tasks.select_related("merged_into"), pk=pk)


def _person(request: MemberRequest) -> User:
    return request.membership.user


def _ids(request: MemberRequest, name: str) -> list[int]:
    return [
        int(value)
        for value in request.POST.getlist(name)[:MOST_TICKED]
        if value.isdecimal() and len(value) < 19
    ]


def _back(request: MemberRequest, task: Task) -> HttpResponse:
    """To the page that the button stood on."""
    return back_to(request, task.get_absolute_url())


def _toast(
    request: MemberRequest, text: str, *, undo: str, task: Task, parts: list[Task] | None = None
) -> None:
    """A message with a button that takes the change back."""
    action = request.agent.address(undo, task.pk)
    context = {"text": text, "action": action, "parts": parts or [], "next": request.POST.get("next", "")}
    messages.success(request, render_to_string("discovery/_undo.html", context, request=request))
