"""API keys: listed, made (the secret is shown once, on the answer itself), revoked."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import MemberRequest, requires
from apps.accounts.models import ApiKey
from apps.accounts.rights import Right, Scope
from apps.core.errors import HubError
from apps.team import selectors, services
from apps.team.forms import KeyForm

CURL = """curl {base}/v1/chat/completions \\
  -H "Authorization: Bearer {secret}" \\
  -H "Content-Type: application/json" \\{agent_header}
  -d '{{"model": "auto", "messages": [{{"role": "user", "content": "Hello"}}]}}'"""
OPENAI = """from openai import OpenAI

client = OpenAI(
    base_url="{base}/v1",
    api_key="{secret}",{agent_option}
)
answer = client.chat.completions.create(
    model="auto", messages=[{{"role": "user", "content": "Hello"}}]
)"""


@requires(Right.MANAGE)
@require_safe
def keys(request: MemberRequest) -> HttpResponse:
    return _keys(request, KeyForm(workspace=request.workspace))


def _keys(request: MemberRequest, form: KeyForm, *, status: int = 200, **extra: Any) -> HttpResponse:
    context = {"tab": "keys", "form": form, "keys": selectors.keys_of(request.workspace), **extra}
    return render(request, "team/keys.html", context, status=status)


@requires(Right.MANAGE)
@require_POST
def create_key(request: MemberRequest) -> HttpResponse:
    form = KeyForm(request.POST, workspace=request.workspace)
    if not form.is_valid():
        return _keys(request, form, status=422)
    key, secret = services.create_api_key(
        workspace=request.workspace, actor=request.user, **form.cleaned_data
    )
    snippets = _snippets(request, key, secret) if key.allows(Scope.INFER) else []
    response = _keys(
        request, KeyForm(workspace=request.workspace), made=key, secret=secret, snippets=snippets
    )
    add_never_cache_headers(response)
    return response


def _snippets(request: MemberRequest, key: ApiKey, secret: str) -> list[tuple[str, str]]:
    """Ready to paste. A key of no agent has to name one when the workspace has several."""
    first = request.workspace.agents.order_by("pk").first()
    slug = "" if key.agent or first is None else first.slug
    values = {
        "base": request.build_absolute_uri("/").rstrip("/"),
        "secret": secret,
        "agent_header": f'\n  -H "x-slmhub-agent: {slug}" \\' if slug else "",
        "agent_option": f'\n    default_headers={{"x-slmhub-agent": "{slug}"}},' if slug else "",
    }
    return [("Python, openai package", OPENAI.format(**values)), ("curl", CURL.format(**values))]


@requires(Right.MANAGE)
@require_POST
def revoke_key(request: MemberRequest, pk: int) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.select_related("workspace"), workspace=request.workspace, pk=pk)
    try:
        services.revoke_api_key(key=key, actor=request.user)
    except HubError as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, f"“{key.name}” no longer works.")
    return redirect(request.workspace.address("team:keys"))
