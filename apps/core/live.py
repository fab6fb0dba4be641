"""Live parts of pages: an event makes the browser ask for one part again, and only that part is made.

A page and its live parts share one template: a part is a `partialdef` around an element that carries
`{% live %}`. htmx names the element that it will replace, and that is how a view knows what is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

Build = Callable[[], dict[str, Any]]


def render_page(
    request: HttpRequest,
    template: str,
    *,
    parts: Mapping[str, Build],
    rest: Build = dict,
    status: int = 200,
) -> HttpResponse:
    """The page; or one of its live parts, for which nothing else is read.

    Each function gathers what its part shows, `rest` what stands around the parts.
    """
    part = asked_for(request)
    if part in parts:
        response = render_part(request, f"{template}#{part}", parts[part]())
    else:
        context = dict(rest())
        for build in dict.fromkeys(parts.values()):  # two parts may show the same
            context.update(build())
        response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def render_part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A piece of a page, without what stands around every page."""
    request.is_part = True  # type: ignore[attr-defined]
    return render(request, template, context)


def asked_for(request: HttpRequest) -> str:
    """The id of the element that htmx is going to replace; empty for a whole page."""
    htmx = getattr(request, "htmx", None)
    return (htmx.target or "") if htmx and request.method == "GET" else ""
