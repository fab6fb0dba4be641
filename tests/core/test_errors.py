"""One shape for every error of the API, and figures as people read them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.http import Http404, HttpRequest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone
from rest_framework import exceptions

from apps.core.api_errors import api_exception_handler
from apps.core.errors import ConflictError, HubError
from apps.core.middleware import RefusalPages
from apps.core.templatetags import hub


@pytest.mark.parametrize(
    ("error", "status", "kind", "message"),
    [
        (HubError("no", hint="do this"), 400, "HubError", "no"),
        (ConflictError("late"), 409, "ConflictError", "late"),
        (
            exceptions.ValidationError({"name": ["too long", "empty"]}),
            400,
            "ValidationError",
            "name: too long empty",
        ),
        (exceptions.PermissionDenied("not you"), 403, "PermissionDenied", "not you"),
        (Http404(), 404, "NotFound", ""),
    ],
)
def test_it_gives_every_error_one_shape(error: Exception, status: int, kind: str, message: str) -> None:
    response = api_exception_handler(error, {})

    assert response is not None
    assert response.status_code == status
    assert response.data["error"]["type"] == kind
    assert message in response.data["error"]["message"]


def test_it_leaves_what_it_does_not_know_to_the_server() -> None:
    assert api_exception_handler(RuntimeError("bug"), {}) is None


def refused(path: str, error: Exception) -> tuple[int, str] | None:
    request: HttpRequest = RequestFactory().get(path)
    response = RefusalPages(lambda request: None).process_exception(request, error)  # type: ignore[arg-type,return-value]
    return None if response is None else (response.status_code, response.content.decode())


def test_a_program_gets_a_refusal_as_json() -> None:
    status, body = refused("/api/v1/x", ConflictError("late", hint="again")) or (0, "")

    assert status == 409
    assert body == '{"error": {"type": "ConflictError", "message": "late", "hint": "again"}}'


def test_other_exceptions_are_no_refusals() -> None:
    assert refused("/", RuntimeError("bug")) is None


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (hub.duration(0.42), "0.4 s"),
        (hub.duration(42), "42 s"),
        (hub.duration(3900), "1 h 5 min"),
        (hub.duration(None), "—"),
        (hub.milliseconds(12.3), "12 ms"),
        (hub.milliseconds(1234), "1.23 s"),
        (hub.number(5401), "5,401"),
        (hub.percent(0.975), "97.5 %"),
        (hub.money(0.00123), "$0.0012"),
        (hub.money(1234.5), "$1,234.50"),
        (hub.figure(None), "—"),
        (hub.percent(""), "—"),  # what a template finds under a name that is not there
    ],
)
def test_it_shows_figures_with_their_unit(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, "just now"),
        (42, "42 s ago"),
        (300, "5 min ago"),
        (7200, "2 h ago"),
        (3 * 86400, "3 d ago"),
        (-90, "in 1 min"),
    ],
)
def test_it_shows_times_by_their_distance(seconds: float, expected: str) -> None:
    moment = timezone.now() - timedelta(seconds=seconds)

    assert f">{expected}" in str(hub.ago(moment))
    assert moment.strftime("%Y-%m-%d %H:%M:%S UTC") in str(hub.ago(moment))


def test_a_query_keeps_what_is_not_changed() -> None:
    request = RequestFactory().get("/", {"model": "m&m", "cursor": "abc"})
    template = Template("{% query cursor=None status='error' %}")

    assert template.render(Context({"request": request}, autoescape=False)) == "?model=m%26m&status=error"
