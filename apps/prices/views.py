from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.rights import Right
from apps.core.errors import HubError
from apps.core.facets import Filters
from apps.jobs.services import AlreadyRunningError
from apps.prices import selectors, services
from apps.prices.facets import SHIPPED_FACETS
from apps.prices.forms import PriceForm
from apps.prices.models import Price


@requires(Right.VIEW)
@require_safe
def list_(request: MemberRequest) -> HttpResponse:
    return _list(request, PriceForm(initial={"model": request.GET.get("model", "")[:120]}))


def _list(request: MemberRequest, form: PriceForm, *, status: int = 200) -> HttpResponse:
    filters = Filters(SHIPPED_FACETS, request.GET)
    shipped, total = selectors.shipped_prices(filters["q"])
    context = {"tab": "prices", "form": form, "filters": filters, "shipped": shipped, "total": total}
    context["own"] = selectors.own_prices(request.workspace)
    return render(request, "prices/list.html", context, status=status)


@requires(Right.MANAGE)
@require_POST
def set_price(request: MemberRequest) -> HttpResponse:
    form = PriceForm(request.POST)
    if not form.is_valid():
        return _list(request, form, status=422)
    try:
        price = services.set_price(workspace=request.workspace, actor=request.user, **form.cleaned_data)
    except HubError as error:
        form.add_error(None, error.sentence)
        return _list(request, form, status=error.status)
    messages.success(request, f"New calls of {price.model} are computed with it. Older ones: compute anew.")
    return redirect(request.workspace.address("prices:list"))


@requires(Right.MANAGE)
@require_POST
def remove(request: MemberRequest, pk: int) -> HttpResponse:
    price = get_object_or_404(Price.objects.select_related("workspace"), workspace=request.workspace, pk=pk)
    services.remove_price(price=price, actor=request.user)
    messages.success(request, f"Your price of {price.model} is gone; the shipped one holds, if there is one.")
    return redirect(request.workspace.address("prices:list"))


@requires(Right.MANAGE)
@require_POST
def recompute(request: MemberRequest) -> HttpResponse:
    try:
        job = services.recompute(workspace=request.workspace, actor=request.user)
    except AlreadyRunningError as second:
        job = second.job
    return redirect(job)
