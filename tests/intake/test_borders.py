"""A key of one workspace reaches nothing of another, by whatever way it knocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.accounts.rights import Scope
from apps.team.services import create_agent, create_api_key
from apps.traces.models import Session, Span
from apps.uploads.models import Upload
from tests.intake.exports import span_id, traces_json
from tests.intake.sender import Sender
from tests.traces.calls import session_rows, taken_in

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
JSON = "application/json"
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(autouse=True)
def home_of_uploads(tmp_path: Path, settings: Any) -> None:
    settings.HUB_HOME = tmp_path


@pytest.fixture
def theirs(sender: Sender) -> dict[str, str]:
    """A key of the workspace next door, which has one agent."""
    world = sender.world
    create_agent(workspace=world.elsewhere, name="Theirs", actor=world.stranger)
    _, secret = create_api_key(
        workspace=world.elsewhere, name="k", scopes=[Scope.INGEST, Scope.READ], actor=world.stranger
    )
    return {"Authorization": f"Bearer {secret}"}


def test_the_same_ids_in_two_workspaces_are_two_spans(sender: Sender, theirs: dict[str, str]) -> None:
    rows = session_rows()
    taken_in(sender.world.agent, rows)
    before = list(Span.objects.order_by("pk").values())
    answer = Client().post("/api/v1/calls", {"calls": rows}, content_type=JSON, headers=theirs).json()
    assert (answer["accepted"], answer["duplicate"]) == (3, 0)
    assert list(Span.objects.filter(agent=sender.world.agent).order_by("pk").values()) == before
    assert Session.objects.count() == 2


@pytest.mark.parametrize("way", ["body", "query", "header"])
def test_an_agent_of_another_workspace_is_not_there(sender: Sender, theirs: dict[str, str], way: str) -> None:
    slug = sender.world.agent.slug
    body = {"calls": session_rows(), **({"agent": slug} if way == "body" else {})}
    address = "/api/v1/calls" + (f"?agent={slug}" if way == "query" else "")
    sent = {**theirs, **({"x-slmhub-agent": slug} if way == "header" else {})}
    response = Client().post(address, body, content_type=JSON, headers=sent)
    assert response.status_code == 404
    assert not Span.objects.exists()


def test_a_header_or_a_service_name_leads_into_no_other_workspace(
    sender: Sender, theirs: dict[str, str]
) -> None:
    slug = sender.world.agent.slug
    secret = theirs["Authorization"]
    Sender.build(sender.world, sender.address, sender.home)  # the new key is known
    body = traces_json([span_id().hex()], **{"service.name": slug})
    named = sender.post(body, content_type=JSON, authorization=secret, x_slmhub_agent=slug)
    assert named.status_code == 404
    assert sender.post(body, content_type=JSON, authorization=secret).status_code == 200
    (span,) = sender.stored()
    assert span.workspace == sender.world.elsewhere


def test_an_upload_of_another_workspace_is_not_there(sender: Sender, theirs: dict[str, str]) -> None:
    client, address = Client(), "/api/v1/tus/?agent=" + sender.world.agent.slug
    announced = client.post(address, content_type="", headers={**sender.bearer, **TUS, "Upload-Length": "10"})
    assert announced.status_code == 201
    at, upload = announced.headers["Location"], Upload.objects.get()
    piece = {**theirs, **TUS, "Upload-Offset": "0"}
    answers = [
        client.head(at, headers={**theirs, **TUS}),
        client.patch(at, b"x", content_type="application/offset+octet-stream", headers=piece),
        client.delete(at, headers={**theirs, **TUS}),
        client.get(f"/api/v1/uploads/{upload.pk}", headers=theirs),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    upload.refresh_from_db()
    assert upload.received == 0


def test_a_delivery_of_one_name_is_one_for_each_workspace(sender: Sender, theirs: dict[str, str]) -> None:
    """Rows that name no trace share the delivery's: two teams may send the same file."""
    rows = [{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}]
    for headers in (sender.bearer, theirs):
        answer = Client().post("/api/v1/calls", {"calls": rows}, content_type=JSON, headers=headers)
        assert answer.json()["accepted"] == 1
    assert Span.objects.values("workspace").distinct().count() == 2


def test_the_doctor_judges_no_source_of_another_workspace(sender: Sender, theirs: dict[str, str]) -> None:
    taken_in(sender.world.agent, session_rows())
    slug = sender.world.agent.slug
    assert Client().get("/api/v1/sources", headers=theirs).json() == []
    assert Client().get(f"/api/v1/sources?agent={slug}", headers=theirs).status_code == 404
