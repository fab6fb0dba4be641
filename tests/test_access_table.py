"""Every address of the hub and the right that it asks for. One that is not listed fails the test."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.accounts.rights import ROLE_RIGHTS, Right, Role, Scope
from apps.jobs.models import Job, State
from apps.team.services import create_api_key
from tests.access_table import BY_KEY, OF_THE_JOB, OPEN, SIGNED_IN, TABLE
from tests.world import World


def routes() -> dict[str, URLPattern]:
    """Every named route, `namespace:name`, with its pattern."""
    found: dict[str, URLPattern] = {}

    def walk(patterns: list[URLPattern | URLResolver], namespace: str) -> None:
        for pattern in patterns:
            if isinstance(pattern, URLResolver):
                walk(pattern.url_patterns, pattern.namespace or namespace)
            else:
                assert pattern.name, f"{pattern} has no name"
                found[f"{namespace}:{pattern.name}" if namespace else pattern.name] = pattern

    walk(get_resolver().url_patterns, "")
    return found


def test_every_route_is_listed_and_nothing_else() -> None:
    listed = [*TABLE, *OF_THE_JOB, *OPEN, *SIGNED_IN, *BY_KEY]
    assert len(listed) == len(set(listed))
    assert set(routes()) == set(listed)


@pytest.mark.parametrize("name", TABLE)
def test_the_view_asks_for_the_listed_right(name: str) -> None:
    assert routes()[name].callback.required_right is TABLE[name]  # type: ignore[union-attr]


def address(world: World, name: str) -> str:
    values = {"workspace": world.workspace.slug, "agent": world.agent.slug}
    wanted = routes()[name].pattern.converters
    resolver = get_resolver()
    _, parameters, _, converters = resolver_entry(resolver, name)
    arguments = {
        key: values.get(key, 999_999 if type(converters.get(key)).__name__ == "IntConverter" else "x")
        for key in parameters
    }
    assert wanted is not None
    return reverse(name, kwargs=arguments)


def resolver_entry(resolver: URLResolver, name: str) -> tuple[str, list[str], str, dict]:
    namespace, _, short = name.rpartition(":")
    if namespace:
        prefix, child = resolver.namespace_dict[namespace]
        possibilities, pattern, _defaults, converters = child.reverse_dict.getlist(short)[0]
        outer = child.pattern.converters
        names = list(child.pattern.regex.groupindex) + possibilities[0][1]
        return prefix, list(dict.fromkeys(names)), pattern, {**outer, **converters}
    possibilities, pattern, _, converters = resolver.reverse_dict.getlist(short)[0]
    return "", possibilities[0][1], pattern, converters


@pytest.mark.parametrize("name", TABLE)
def test_a_stranger_gets_404_and_a_visitor_the_log_in(world: World, name: str) -> None:
    url = address(world, name)
    for method in ("get", "post"):
        assert getattr(world.client(world.stranger), method)(url).status_code in {404, 405}
        assert getattr(Client(), method)(url).status_code in {302, 405}


@pytest.mark.parametrize("name", TABLE)
def test_a_role_without_the_right_gets_403(world: World, name: str) -> None:
    url = address(world, name)
    for role in Role:
        if TABLE[name] not in ROLE_RIGHTS[role]:
            client = world.client(getattr(world, role.value))
            statuses = {client.get(url).status_code, client.post(url).status_code}
            assert statuses <= {403, 405}, role
            assert 403 in statuses


@pytest.mark.parametrize("right", Right)
@pytest.mark.parametrize("name", OF_THE_JOB)
def test_a_job_is_steered_by_who_has_its_right_and_by_nobody_else(
    world: World, name: str, right: Right
) -> None:
    state = State.QUEUED if name == "jobs:cancel" else State.CANCELLED
    for role in Role:
        job = Job.objects.create(workspace=world.workspace, entry="e", right=right, state=state)
        url = reverse(name, args=[world.workspace.slug, job.pk])
        assert world.client(world.stranger).post(url).status_code == 404
        assert Client().post(url)["location"].startswith(reverse("account_login"))
        allowed = right in ROLE_RIGHTS[role]
        client = world.client(getattr(world, role.value))
        assert client.post(url).status_code == (302 if allowed else 403), role
        job.refresh_from_db()
        assert (job.state != state) is allowed


@pytest.mark.parametrize("name", [name for name, right in TABLE.items() if right is Right.VIEW])
def test_every_role_may_open_what_asks_for_view(world: World, name: str) -> None:
    url = address(world, name)
    for role in Role:
        assert world.client(getattr(world, role.value)).get(url).status_code in {200, 302, 404}


@pytest.mark.parametrize("name", SIGNED_IN)
def test_a_signed_in_page_sends_visitors_to_the_log_in(db: None, name: str) -> None:
    response = Client().get(reverse(name, args=SIGNED_IN[name]))
    assert response.status_code == 302
    assert "login" in response["location"]


@pytest.mark.parametrize("name", BY_KEY)
def test_an_api_address_wants_a_key_with_the_listed_scope(world: World, name: str) -> None:
    view = routes()[name].callback.cls  # type: ignore[union-attr]
    assert view.scope is BY_KEY[name]
    others = [scope for scope in Scope if scope is not BY_KEY[name]]
    _, secret = create_api_key(workspace=world.workspace, name="other", scopes=others, actor=world.admin)
    url = address(world, name)
    for headers, status in (({}, 401), ({"authorization": f"Bearer {secret}"}, 403)):
        statuses = {
            Client().post(url, headers=headers).status_code,
            Client().get(url, headers=headers).status_code,
        }
        assert status in statuses
        assert statuses <= {status, 405}
