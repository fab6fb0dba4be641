"""Every raw address asks for what the access table says."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from apps.accounts.refreshing import STALENESS_S
from apps.accounts.rights import Scope
from apps.gateway.surfaces import SURFACES
from apps.intake import endpoints, sdk
from apps.spool.reader import backlog
from apps.team.services import create_agent, create_api_key, revoke_api_key
from apps.traces.models import Span
from tests.access_table import RAW
from tests.intake.exports import PROTOBUF, span_id, traces
from tests.intake.sender import Sender
from tests.servers import eventually

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


def asked(address: str, method: str, path: str, **headers: str) -> int:
    return httpx.request(method, f"http://{address}{path}", headers=headers, content=b"{}").status_code


def test_every_raw_address_is_listed() -> None:
    listed = {path for _, path in RAW}
    served = {*endpoints._EXACT, *sdk._ANSWERS, *SURFACES}
    assert served <= listed
    for method, path in RAW:
        assert method in endpoints.endpoint_of(path) or sdk.answers_at(path) or path.startswith("/v1/")


def test_without_a_key_and_with_an_unknown_one_each_refuses(address: str) -> None:
    for (method, path), scope in RAW.items():
        if scope is not None:
            assert asked(address, method, path) == 401, path
            assert asked(address, method, path, authorization="Bearer hub_unknown") == 401, path


def test_a_key_of_other_scopes_is_refused_by_each(sender: Sender) -> None:
    secrets = {}
    for scope in (Scope.INGEST, Scope.INFER):
        others = [other for other in Scope if other is not scope]
        _, secrets[scope] = create_api_key(
            workspace=sender.world.workspace, name="other", scopes=others, actor=sender.world.admin
        )
    time.sleep(STALENESS_S)
    for (method, path), scope in RAW.items():
        if scope is not None:
            given = f"Bearer {secrets[scope]}"
            assert asked(sender.address, method, path, authorization=given) == 403, path


def test_a_key_is_good_from_its_first_moment_on(sender: Sender) -> None:
    for number in range(5):
        _, secret = create_api_key(
            workspace=sender.world.workspace, name="new", scopes=[Scope.INGEST], actor=sender.world.admin
        )
        sent = {"authorization": f"Bearer {secret}", "content-type": PROTOBUF}
        answer = httpx.post(f"{sender.url}/v1/traces", content=traces([span_id()]), headers=sent)
        assert answer.status_code == 200, number
        assert (
            asked(sender.address, "GET", "/api/public/projects", authorization=sent["authorization"]) == 200
        )
    sender.stored()


def test_a_flood_of_unknown_keys_delays_no_revocation(sender: Sender) -> None:
    def guess(number: int) -> int:
        return asked(sender.address, "POST", "/v1/traces", authorization=f"Bearer hub_{number}")

    with ThreadPoolExecutor(8) as pool:
        guesses = [pool.submit(guess, number) for number in range(120)]
        revoke_api_key(key=sender.key, actor=sender.world.admin)
        revoked_at = time.monotonic()
        eventually(lambda: sender.get("/api/public/projects").status_code == 401, within=5, every=0.02)
        assert time.monotonic() - revoked_at < STALENESS_S
        assert {one.result() for one in guesses} == {401}


def test_what_is_open_needs_no_key(address: str) -> None:
    for (method, path), scope in RAW.items():
        if scope is None:
            assert asked(address, method, path) == 200, path


def test_a_key_of_another_workspace_reaches_no_agent_here(sender: Sender) -> None:
    world = sender.world
    theirs = create_agent(workspace=world.elsewhere, name="Theirs", actor=world.stranger)
    keys: dict[str, Any] = {"of its workspace": None, "of its agent": theirs}
    for name, agent in keys.items():
        _, secret = create_api_key(
            workspace=world.elsewhere, name=name, scopes=[Scope.INGEST], actor=world.stranger, agent=agent
        )
        time.sleep(STALENESS_S)
        bearer = f"Bearer {secret}"
        body = traces([span_id()])
        named = {"authorization": bearer, "content-type": PROTOBUF, "x-slmhub-agent": world.agent.slug}
        for path in ("/v1/traces", "/otel/v1/traces", "/api/public/otel/v1/traces"):
            status = httpx.post(f"{sender.url}{path}", content=body, headers=named).status_code
            assert status in {403, 404}
        projects = httpx.get(f"{sender.url}/api/public/projects", headers={"authorization": bearer}).json()
        assert [project["name"] for project in projects["data"]] == ["theirs"]
    assert backlog(sender.spool).bytes_waiting == 0
    assert not Span.objects.exists()
