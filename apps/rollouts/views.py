from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.keyset import paginate
from apps.core.live import render_page
from apps.events.sentences import Sentence, sentences
from apps.rollouts import services
from apps.rollouts.evidence import evidence_of
from apps.rollouts.forms import NoteForm, RequestForm
from apps.rollouts.models import Rollout, RolloutState


@requires(Right.VIEW)
@require_safe
def list_(request: MemberRequest) -> HttpResponse:
    rollouts = request.agent.rollouts.select_related(
        "task", "specialist", "requested_by", "decided_by", "evaluation"
    )

    def rows() -> dict[str, Any]:
        return {"page": paginate(rollouts, by="created_at", cursor=request.GET.get("cursor", ""))}

    return render_page(request, "rollouts/list.html", parts={"rollouts": rows})


@requires(Right.BUILD)
@require_http_methods(["GET", "HEAD", "POST"])
def request_(request: MemberRequest, evaluation_pk: int) -> HttpResponse:
    evaluation = get_object_or_404(
        request.agent.evaluation_runs.select_related("specialist__task", "specialist__base", "dataset__task"),
        pk=evaluation_pk,
    )
    form = RequestForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            rollout = services.request(
                evaluation=evaluation, actor=request.user, reason=form.cleaned_data["reason"]
            )
        except HubError as error:
            form.add_error(None, error.sentence)
        else:
            messages.success(request, "Requested. Somebody with the approver's role decides.")
            return redirect(rollout)
    context = {"form": form, "evaluation": evaluation, "evidence": evidence_of(evaluation)}
    return render(request, "rollouts/request.html", context, status=422 if form.errors else 200)


@requires(Right.VIEW)
@require_safe
def detail(request: MemberRequest, pk: int) -> HttpResponse:
    rollout = _rollout(request, pk)
    return render_page(
        request,
        "rollouts/detail.html",
        parts={
            "state": lambda: _state(request, rollout),
            "trail": lambda: {"rollout": rollout, "trail": _trail(request, rollout)},
        },
        rest=lambda: {"evidence": rollout.evidence},
    )


def _state(request: MemberRequest, rollout: Rollout) -> dict[str, Any]:
    waits = rollout.state == RolloutState.REQUESTED
    is_own = rollout.requested_by_id == request.user.pk
    may_approve = request.membership.may(Right.APPROVE)
    return {
        "rollout": rollout,
        "may_decide": waits and may_approve and not is_own,
        "waits_for_another": waits and is_own,
        "may_withdraw": waits and is_own,
        "may_roll_back": rollout.state == RolloutState.LIVE and may_approve,
        "notes": {action: NoteForm(auto_id=f"{action}_%s") for action in ("approve", "reject", "roll_back")},
    }


def _trail(request: MemberRequest, rollout: Rollout) -> list[Sentence]:
    events = request.workspace.events.filter(type__startswith="rollout.", data__rollout=rollout.pk)
    return sentences(request.workspace, events.select_related("actor", "agent").order_by("number"))


def _rollout(request: MemberRequest, pk: int) -> Rollout:
    rollouts = request.agent.rollouts.select_related(
        "task", "specialist", "evaluation", "requested_by", "decided_by", "rolled_back_by"
    )
    return get_object_or_404(rollouts, pk=pk)


def _act(
    request: MemberRequest, pk: int, act: Callable[..., Rollout], done: str, **extra: Any
) -> HttpResponse:
    """Runs one decision and shows the rollout again, with what came of it."""
    rollout = _rollout(request, pk)
    try:
        act(rollout=rollout, actor=request.user, **extra)
    except HubError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, done)
    return redirect(rollout)


def _note(request: MemberRequest) -> str:
    return request.POST.get("note", "")[:2000]


@requires(Right.APPROVE)
@require_POST
def approve(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(
        request, pk, services.approve, "Approved. The specialist answers from now on.", note=_note(request)
    )


@requires(Right.APPROVE)
@require_POST
def reject(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, services.reject, "Rejected. The teacher goes on answering.", note=_note(request))


@requires(Right.BUILD)
@require_POST
def withdraw(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(request, pk, services.withdraw, "Withdrawn.")


@requires(Right.APPROVE)
@require_POST
def roll_back(request: MemberRequest, pk: int) -> HttpResponse:
    return _act(
        request, pk, services.roll_back, "Rolled back. The teacher answers again.", note=_note(request)
    )
