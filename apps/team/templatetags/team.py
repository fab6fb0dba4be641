"""The people of the demo, for the page on which they sign in."""

from __future__ import annotations

from typing import Any

from django import template

from apps.accounts.models import Workspace
from slmhub.demo.people import DEMO_PASSWORD, DEMO_WORKSPACE, PEOPLE, STRANGER

register = template.Library()


@register.inclusion_tag("account/_demo_people.html", takes_context=True)
def demo_people(context: dict[str, Any]) -> dict[str, Any]:
    """The demo's log-ins, only where the demo's workspace is installed."""
    installed = Workspace.objects.filter(slug=DEMO_WORKSPACE, is_demo=True).exists()
    request = context["request"]
    return {
        "people": (*PEOPLE, STRANGER) if installed else (),
        "password": DEMO_PASSWORD,
        "workspace": DEMO_WORKSPACE,
        "next": request.GET.get("next", "") or request.POST.get("next", ""),
        "csrf_token": context.get("csrf_token"),
    }
