from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from apps.accounts.models import Agent
from apps.accounts.rights import Scope
from apps.team.services import create_agent, create_api_key, revoke_api_key
from apps.traces.models import Span
from apps.uploads.models import Upload
from tests.intake.exports import traces_json
from tests.traces.calls import lines, says, session_rows, user
from tests.world import World


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> None:
    settings.HUB_HOME = tmp_path
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)


def headers(world: World, *scopes: Scope, agent: Agent | None = None) -> dict[str, str]:
    _key, secret = create_api_key(
        workspace=world.workspace, name="k", scopes=scopes or [Scope.INGEST], actor=world.admin, agent=agent
    )
    return {"Authorization": f"Bearer {secret}"}


def post(path: str, body: Any, sent: dict[str, str]) -> Any:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return Client().post(path, data, content_type="application/json", headers=sent)


class TestCalls:
    def test_many_calls_are_stored_before_the_answer(self, world: World) -> None:
        response = post("/api/v1/calls", {"agent": "support-desk", "calls": session_rows()}, headers(world))
        assert response.status_code == 200
        counts = {"read": 3, "accepted": 3, "completed": 0, "duplicate": 0, "rejected": 0}
        assert response.json() == {**counts, "rejects": []}
        assert Span.objects.filter(agent=world.agent, source="api").count() == 3

    def test_a_call_of_a_known_id_changes_nothing(self, world: World) -> None:
        body = {"agent": "support-desk", "calls": session_rows()}
        sent = headers(world)
        post("/api/v1/calls", body, sent)
        again = post("/api/v1/calls", body, sent)
        assert (again.status_code, again.json()["duplicate"]) == (200, 3)
        assert Span.objects.count() == 3

    def test_any_format_of_a_file_is_taken(self, world: World) -> None:
        anthropic = {
            "id": "a1", "request": {"model": "claude", "max_tokens": 9, "messages": [user("Hello")]},
            "response": {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
                "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn",
                "usage": {"input_tokens": 3, "output_tokens": 2},
            },
        }  # fmt: skip
        tuning = {"messages": [user("Hello"), says("Hi")]}
        export = orjson.loads(traces_json(["00112233aabbccdd", "00112233aabbccde"]))
        body = {"agent": "support-desk", "calls": [anthropic, tuning, export]}
        sent = headers(world)
        assert post("/api/v1/calls", body, sent).json()["accepted"] == 4
        assert post("/api/v1/calls", body, sent).json()["duplicate"] == 4
        assert set(Span.objects.values_list("source", flat=True)) == {"api"}

    def test_one_call_needs_no_list(self, world: World) -> None:
        response = post("/api/v1/calls", {"agent": "support-desk", **session_rows()[0]}, headers(world))
        assert response.json()["accepted"] == 1

    def test_a_key_of_one_agent_needs_no_agent(self, world: World) -> None:
        response = post("/api/v1/calls", {"calls": session_rows()}, headers(world, agent=world.agent))
        assert response.json()["accepted"] == 3

    def test_the_agent_is_named_by_a_header_or_is_the_only_one(self, world: World) -> None:
        body = {"calls": session_rows()}
        assert post("/api/v1/calls", body, headers(world)).json()["accepted"] == 3
        other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
        unnamed = post("/api/v1/calls", body, headers(world))
        assert (unnamed.status_code, unnamed.json()["error"]["message"]) == (400, "Name the agent.")
        body = {"calls": session_rows("s2")}
        assert post("/api/v1/calls", body, {**headers(world), "x-slmhub-agent": "other"}).status_code == 200
        assert Span.objects.filter(agent=other).count() == 3

    def test_a_call_that_is_too_deep_takes_no_other_with_it(self, world: World) -> None:
        deep = b'{"a":' * 300 + b"1" + b"}" * 300
        good = orjson.dumps(session_rows()[0])
        response = post("/api/v1/calls", b'{"calls":[' + deep + b"," + good + b"]}", headers(world))
        assert (response.status_code, response.json()["accepted"]) == (200, 1)
        assert [reject["line"] for reject in response.json()["rejects"]] == [1]
        assert "nested" in response.json()["rejects"][0]["reason"]

    def test_bad_calls_are_told_by_place_and_the_rest_goes_in(self, world: World) -> None:
        calls = [session_rows()[0], {"request": 3}, "x"]
        response = post("/api/v1/calls", {"agent": "support-desk", "calls": calls}, headers(world))
        assert response.status_code == 200
        assert [reject["line"] for reject in response.json()["rejects"]] == [2, 3]

    def test_nothing_usable_is_422(self, world: World) -> None:
        response = post("/api/v1/calls", {"agent": "support-desk", "calls": [{"a": 1}]}, headers(world))
        assert response.status_code == 422
        assert response.json()["rejected"] == 1

    @pytest.mark.parametrize(
        ("body", "status", "says"),
        [
            (b"{", 400, "not JSON"), (b"[1]", 400, "must be a JSON object"), (b"", 400, "not JSON"),
            (b"[" * 100_000, 400, "not JSON"), ({"agent": "support-desk", "calls": []}, 400, "at least one"),
            ({"agent": "support-desk", "calls": {}}, 400, "must be a list"),
            ({"agent": "nobody", "calls": [{}]}, 404, "no agent"),
            ({"agent": "support-desk", "calls": [1] * 1001}, 413, "at most 1,000"),
        ],
    )  # fmt: skip
    def test_it_says_what_is_wrong(self, world: World, body: Any, status: int, says: str) -> None:
        response = post("/api/v1/calls", body, headers(world))
        assert response.status_code == status
        assert says in response.json()["error"]["message"]

    @pytest.mark.parametrize("scope", [Scope.INFER, Scope.READ])
    def test_a_key_without_the_scope_may_not(self, world: World, scope: Scope) -> None:
        response = post(
            "/api/v1/calls", {"agent": "support-desk", "calls": session_rows()}, headers(world, scope)
        )
        assert response.status_code == 403

    def test_no_key_an_unknown_key_and_a_revoked_key_may_not(self, world: World) -> None:
        key, secret = create_api_key(
            workspace=world.workspace, name="k", scopes=[Scope.INGEST], actor=world.admin
        )
        revoke_api_key(key=key, actor=world.admin)
        for sent in ({}, {"Authorization": "Bearer hub_x"}, {"Authorization": f"Bearer {secret}"}):
            assert (
                post("/api/v1/calls", {"agent": "support-desk", "calls": session_rows()}, sent).status_code
                == 401
            )
        assert not Span.objects.exists()

    def test_a_key_does_not_reach_other_agents_or_workspaces(self, world: World) -> None:
        other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
        create_agent(workspace=world.elsewhere, name="Theirs", actor=world.stranger)
        sent = headers(world, agent=other)
        assert post("/api/v1/calls", {"agent": "support-desk", "calls": [{}]}, sent).status_code == 403
        assert post("/api/v1/calls", {"agent": "theirs", "calls": [{}]}, headers(world)).status_code == 404


class TestUploads:
    @pytest.mark.django_db(transaction=True, databases="__all__")
    def test_a_raw_body_is_queued_and_its_status_told(self, world: World) -> None:
        sent = headers(world)
        data = gzip.compress(lines(session_rows()))
        response = post("/api/v1/uploads?agent=support-desk&filename=x.jsonl.gz", data, sent)
        assert response.status_code == 202
        status_url = response.json()["status_url"]
        assert Client().get(status_url, headers=sent).json()["state"] == "queued"
        world.run_jobs()
        told = Client().get(status_url, headers=sent).json()
        assert (told["state"], told["accepted"], told["filename"]) == ("succeeded", 3, "x.jsonl.gz")

    def test_a_form_with_a_file_works_too(self, world: World) -> None:
        file = SimpleUploadedFile("y.jsonl", lines(session_rows()))
        response = Client().post("/api/v1/uploads?agent=support-desk", {"file": file}, headers=headers(world))
        assert response.status_code == 202
        assert Upload.objects.get().filename == "y.jsonl"

    def test_an_empty_body_is_refused(self, world: World) -> None:
        response = post("/api/v1/uploads?agent=support-desk", b"", headers(world))
        assert response.status_code == 422
        assert "empty" in response.json()["error"]["message"]

    def test_a_form_without_a_file_is_refused(self, world: World) -> None:
        response = Client().post("/api/v1/uploads?agent=support-desk", {"a": "b"}, headers=headers(world))
        assert response.status_code == 400

    def test_too_large_a_body_is_refused(self, world: World, settings: Any) -> None:
        settings.LARGEST_UPLOAD = 100
        response = post("/api/v1/uploads?agent=support-desk", lines(session_rows()), headers(world))
        assert response.status_code == 413

    def test_the_status_is_not_for_strangers(self, world: World) -> None:
        sent = headers(world)
        pk = post("/api/v1/uploads?agent=support-desk", lines(session_rows()), sent).json()["upload"]
        other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
        assert Client().get(f"/api/v1/uploads/{pk}", headers=headers(world, agent=other)).status_code == 404
        assert Client().get(f"/api/v1/uploads/{pk}", headers=headers(world, Scope.READ)).status_code == 403

    def test_the_schema_describes_it_and_is_valid(self, tmp_path: Path) -> None:
        written = tmp_path / "schema.json"
        call_command(
            "spectacular", validate=True, fail_on_warn=True, format="openapi-json", file=str(written)
        )
        schema = orjson.loads(written.read_bytes())
        paths = {"calls": "post", "uploads": "post", "uploads/{id}": "get", "tus/": "post", "sources": "get"}
        for path, method in paths.items():
            assert schema["paths"][f"/api/v1/{path}"][method]["security"] == [{"apiKey": []}]
        assert schema["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
