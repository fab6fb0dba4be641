from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.facets import Filters
from apps.core.keyset import paginate
from apps.core.live import render_page
from apps.core.redirects import back_to
from apps.privacy import selectors, services
from apps.privacy.facets import finding_facets
from apps.privacy.forms import DecisionForm
from apps.privacy.models import Decision, Finding


@requires(Right.VIEW)
@require_safe
def findings(request: MemberRequest) -> HttpResponse:
    def rows() -> dict[str, Any]:
        # The form needs to know what was found; to narrow the rows, the address is enough.
        filters = Filters(finding_facets(), request.GET)
        found = filters.narrow(selectors.findings_of(request.workspace))
        page = paginate(found, by="created_at", cursor=request.GET.get("cursor", ""), size=50)
        return {"page": page, "contexts": selectors.in_context(page.rows), "narrowed": filters.chosen}

    def around() -> dict[str, Any]:
        counted, totals = selectors.figures(request.workspace)
        filters = Filters(finding_facets(row.entity for row in counted), request.GET)
        return {"rows": counted, "totals": totals, "policy": selectors.policy(), "filters": filters}

    return render_page(request, "privacy/findings.html", parts={"findings": rows}, rest=around)


@requires(Right.REVIEW)
@require_POST
def decide(request: MemberRequest, pk: int) -> HttpResponse:
    finding = get_object_or_404(
        Finding.objects.select_related("workspace"), workspace=request.workspace, pk=pk
    )
    return _decide(request, [finding])


@requires(Right.REVIEW)
@require_POST
def decide_many(request: MemberRequest) -> HttpResponse:
    ids = [int(pk) for pk in request.POST.getlist("id") if pk.isdigit()]
    chosen = Finding.objects.filter(workspace=request.workspace, pk__in=ids[: services.MOST_AT_ONCE + 1])
    return _decide(request, list(chosen.select_related("workspace")))


def _decide(request: MemberRequest, chosen: list[Finding]) -> HttpResponse:
    form = DecisionForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose whether the value is sensitive.")
        return _back(request)
    try:
        changed = services.decide(
            findings=chosen, decision=Decision(form.cleaned_data["decision"]), actor=request.user
        )
    except HubError as error:
        messages.error(request, error.sentence)
        return _back(request)
    word = Decision(form.cleaned_data["decision"]).label.lower()
    messages.success(
        request,
        f"{changed} finding{'' if changed == 1 else 's'}: {word}." if changed else "Nothing to change.",
    )
    return _back(request)


def _back(request: MemberRequest) -> HttpResponse:
    return back_to(request, request.workspace.address("privacy:findings"))


@requires(Right.REVEAL)
@require_POST
def reveal(request: MemberRequest, pk: int) -> HttpResponse:
    found = selectors.findings_of(request.workspace)
    finding = get_object_or_404(found.select_related("workspace"), pk=pk)
    value = services.reveal(finding=finding, actor=request.user)
    context = {"context": selectors.in_context([finding])[0], "value": value}
    response = render(request, "privacy/revealed.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response
