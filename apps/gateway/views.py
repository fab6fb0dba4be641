from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.refreshing import STALENESS_S
from apps.accounts.rights import Right
from apps.core.live import render_page
from apps.gateway import selectors
from apps.registry.selectors import teacher_of


@requires(Right.VIEW)
@require_safe
def overview(request: MemberRequest) -> HttpResponse:
    agent = request.agent

    def traffic() -> dict[str, Any]:
        return {
            "routes": selectors.routes(agent),
            "servers": selectors.servers(agent),
            "fallbacks": selectors.fallbacks(agent),
            "calls": selectors.last_calls(agent),
            "staleness_s": STALENESS_S,
        }

    def around() -> dict[str, Any]:
        base_url = request.build_absolute_uri("/v1")
        return {"teacher": teacher_of(agent), "snippet": snippet(base_url, agent.slug)}

    return render_page(request, "gateway/overview.html", parts={"traffic": traffic}, rest=around)


def snippet(base_url: str, agent: str) -> str:
    """What makes an agent that uses the openai package call the hub instead."""
    return (
        "from openai import OpenAI\n\n"
        "client = OpenAI(\n"
        f'    base_url="{base_url}",\n'
        '    api_key="hub_…",\n'
        "    default_headers={\n"
        f'        "x-slmhub-agent": "{agent}",\n'
        "    },\n"
        ")"
    )
