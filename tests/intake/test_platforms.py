"""The addresses of Langfuse and LangSmith, by hand-made requests."""

from __future__ import annotations

import gzip
import json
import uuid
from typing import Any

import httpx
import orjson
import pytest

from apps.spool.reader import backlog
from apps.team.services import create_agent
from apps.traces.models import Source
from tests.intake.exports import span_id, traces
from tests.intake.sender import Sender

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
JSON = "application/json"
AT = "2026-01-05T10:00:00.000Z"


def generation(one: str, **more: Any) -> dict[str, Any]:
    body = {
        "id": one, "traceId": "t1", "name": "ask", "startTime": AT, "model": "gpt-x",
        "input": [{"role": "user", "content": "Where is A-1?"}],
        "output": {"role": "assistant", "content": "Sent."}, **more,
    }  # fmt: skip
    return {"id": f"e-{one}", "timestamp": AT, "type": "generation-create", "body": body}


def run(**more: Any) -> dict[str, Any]:
    one = str(uuid.uuid4())
    return {
        "id": one, "trace_id": one, "name": "ask", "run_type": "llm", "start_time": AT, "end_time": AT,
        "dotted_order": f"20260105T100000000000Z{one}",
        "inputs": {"messages": [{"role": "user", "content": "hi"}]},
        "outputs": {"messages": [{"role": "assistant", "content": "ho"}]}, **more,
    }  # fmt: skip


class TestLangfuse:
    def test_health_is_open(self, address: str) -> None:
        response = httpx.get(f"http://{address}/api/public/health")
        assert (response.status_code, response.json()["status"]) == (200, "OK")

    def test_projects_are_the_agents_of_the_key(self, sender: Sender) -> None:
        response = sender.get("/api/public/projects", **sender.basic("public", sender.secret))
        assert [project["name"] for project in response.json()["data"]] == ["support-desk"]

    def test_events_are_answered_one_by_one(self, sender: Sender) -> None:
        batch = [generation("g1"), {"id": "e-odd", "timestamp": AT, "type": "generation-create", "body": 5}]
        response = sender.post(
            orjson.dumps({"batch": batch}), path="/api/public/ingestion", content_type=JSON,
            **sender.basic("public", sender.secret),
        )  # fmt: skip
        assert response.status_code == 207
        assert [told["id"] for told in response.json()["successes"]] == ["e-g1"]
        assert [told["id"] for told in response.json()["errors"]] == ["e-odd"]
        (span,) = sender.stored()
        assert (span.span_id, span.trace_id, span.source) == ("g1", "t1", Source.LANGFUSE)

    def test_scores_join_the_observation_that_they_judge(self, sender: Sender) -> None:
        basic = sender.basic("public", sender.secret)
        batch = orjson.dumps({"batch": [generation("g1")]})
        sender.post(batch, path="/api/public/ingestion", content_type=JSON, **basic)
        score = {"id": "s1", "traceId": "t1", "observationId": "g1", "name": "helpful", "value": 1}
        response = sender.post(orjson.dumps([score]), path="/api/public/scores", content_type=JSON, **basic)
        assert (response.status_code, response.json()) == (200, {"id": "s1"})
        (span,) = sender.stored()
        assert span.attributes["scores"]["helpful"]["value"] == 1

    @pytest.mark.parametrize("body", [b"5", b"[]", b"{", b'[{"name": "helpful", "value": 1}]'])
    def test_what_is_no_score_is_400(self, sender: Sender, body: bytes) -> None:
        basic = sender.basic("public", sender.secret)
        response = sender.post(body, path="/api/public/scores", content_type=JSON, **basic)
        assert response.status_code == 400
        assert not sender.stored()

    def test_its_otlp_address_takes_exports(self, sender: Sender) -> None:
        response = sender.post(traces([span_id()]), path="/api/public/otel/v1/traces")
        assert response.status_code == 200
        assert [span.source for span in sender.stored()] == [Source.LANGFUSE]

    def test_the_public_half_may_name_the_agent(self, sender: Sender) -> None:
        billing = create_agent(workspace=sender.world.workspace, name="Billing", actor=sender.world.admin)
        Sender.build(sender.world, sender.address, sender.home)  # the new agent is known
        body = orjson.dumps({"batch": [generation("g1")]})
        for name, status in (("nobody", 400), ("billing", 207)):
            response = sender.post(
                body, path="/api/public/ingestion", content_type=JSON, **sender.basic(name, sender.secret)
            )
            assert response.status_code == status
        assert [span.agent for span in sender.stored()] == [billing]

    @pytest.mark.parametrize("content", [b"{", b"[]", b'{"batch":{}}', b""])
    def test_a_malformed_body_is_400(self, sender: Sender, content: bytes) -> None:
        response = sender.post(content, path="/api/public/ingestion", content_type=JSON)
        assert response.status_code == 400
        assert response.json()["message"]

    def test_what_it_has_not_is_404_in_json(self, sender: Sender) -> None:
        response = sender.get("/api/public/v2/prompts/greeting")
        assert response.status_code == 404
        assert "it has no /api/public/v2/prompts/greeting" in response.json()["message"]

    def test_an_event_that_is_too_deep_takes_no_other_with_it(self, sender: Sender) -> None:
        deep: Any = "bottom"
        for _ in range(300):
            deep = [deep]
        body = json.dumps({"batch": [generation("g1"), generation("g2", metadata=deep), generation("g3")]})
        assert sender.post(body, path="/api/public/ingestion", content_type=JSON).status_code == 207
        assert {"g1", "g3"} <= {span.span_id for span in sender.stored()}
        assert backlog(sender.spool).refused == 0

    def test_an_empty_batch_is_fine(self, sender: Sender) -> None:
        response = sender.post(b'{"batch":[]}', path="/api/public/ingestion", content_type=JSON)
        assert (response.status_code, response.json()) == (207, {"successes": [], "errors": []})


class TestLangSmith:
    @pytest.mark.parametrize("path", ["/info", "/api/v1/info"])
    def test_info_is_open_and_says_how_to_send(self, address: str, path: str) -> None:
        told = httpx.get(f"http://{address}{path}").json()
        assert told["batch_ingest_config"]["use_multipart_endpoint"] is True
        assert told["instance_flags"]["zstd_compression_enabled"] is True

    @pytest.mark.parametrize("prefix", ["", "/api/v1"])
    def test_a_batch_is_taken(self, sender: Sender, prefix: str) -> None:
        runs = [run(), run()]
        response = sender.post(
            gzip.compress(orjson.dumps({"post": runs, "patch": []})), path=f"{prefix}/runs/batch",
            content_type=JSON, content_encoding="gzip", authorization="", x_api_key=sender.secret,
        )  # fmt: skip
        assert response.status_code == 202
        assert {span.span_id for span in sender.stored()} == {one["id"] for one in runs}

    def test_a_run_is_completed_by_a_patch_in_another_request(self, sender: Sender) -> None:
        whole = run()
        outputs = whole.pop("outputs")
        assert sender.post(orjson.dumps(whole), path="/runs", content_type=JSON).status_code == 202
        patch = {"trace_id": whole["id"], "outputs": outputs, "end_time": AT}
        response = sender.post(
            orjson.dumps(patch), path=f"/runs/{whole['id']}", method="PATCH", content_type=JSON
        )
        assert response.status_code == 202
        (span,) = sender.stored()
        assert (span.span_id, span.source) == (whole["id"], Source.LANGSMITH)

    def test_its_project_may_name_the_agent(self, sender: Sender) -> None:
        billing = create_agent(workspace=sender.world.workspace, name="Billing", actor=sender.world.admin)
        Sender.build(sender.world, sender.address, sender.home)  # the new agent is known
        body = orjson.dumps({"post": [run(session_name="Billing")]})
        assert sender.post(body, path="/runs/batch", content_type=JSON).status_code == 202
        lost = orjson.dumps({"post": [run(session_name="default")]})
        assert sender.post(lost, path="/runs/batch", content_type=JSON).status_code == 400
        export = traces([span_id()])
        headers = {"langsmith_project": "billing"}
        assert sender.post(export, path="/otel/v1/traces", **headers).status_code == 200
        assert {span.agent for span in sender.stored()} == {billing}

    @pytest.mark.parametrize(
        ("path", "content"),
        [
            ("/runs/batch", b"{"), ("/runs/batch", b"[]"), ("/runs/batch", b'{"post":5}'), ("/runs", b"[]"),
            ("/runs/multipart", b"--x"),
        ],
    )  # fmt: skip
    def test_a_malformed_body_is_400(self, sender: Sender, path: str, content: bytes) -> None:
        type = "multipart/form-data; boundary=y" if path.endswith("multipart") else JSON
        response = sender.post(content, path=path, content_type=type)
        assert response.status_code == 400
        assert response.json()["detail"]

    def test_another_content_type_and_method_are_refused(self, sender: Sender) -> None:
        assert sender.post(b"{}", path="/runs/multipart", content_type=JSON).status_code == 415
        assert sender.post(b"{}", path="/runs/batch", method="GET").status_code == 405
        assert sender.post(b"{}", path="/runs/query", content_type=JSON).status_code == 404
