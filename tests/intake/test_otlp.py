"""OTLP over HTTP: every status, header and encoding."""

from __future__ import annotations

import gzip
import io
import json
import socket
import time
import zlib
from typing import Any

import httpx
import orjson
import pytest
import zstandard
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from apps.accounts.refreshing import STALENESS_S
from apps.accounts.rights import Scope
from apps.spool.reader import backlog
from apps.team.services import create_agent, revoke_api_key
from apps.traces.models import Source, Span
from tests.intake.exports import PROTOBUF, logs, span_id, traces, traces_json
from tests.intake.sender import Sender

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")
JSON = "application/json"
MIB = 1024**2
CARD_LIKE = "2232220027093541"


def partial(response: Any) -> Any:
    assert response.headers["content-type"] == "application/x-protobuf"
    return ExportTraceServiceResponse.FromString(response.content).partial_success


def message(response: Any) -> str:
    """What google.rpc.Status says, in the encoding of the request."""
    if response.headers["content-type"] == JSON:
        return str(response.json()["message"])
    assert response.headers["content-type"] == "application/x-protobuf"
    return str(Status.FromString(response.content).message)


# ---- yes


def test_protobuf_is_taken_and_stored(sender: Sender) -> None:
    one = span_id()
    response = sender.post(traces([one]))

    assert (response.status_code, response.content) == (200, b"")
    (span,) = sender.stored()
    assert (span.span_id, span.trace_id) == (one.hex(), (one * 2).hex())
    assert (span.source, span.agent, span.model) == (Source.OTLP, sender.world.agent, "gpt")
    assert span.input_preview == "Where is A-1?"


def test_a_span_id_that_reads_as_a_card_number_stays_as_it_is(sender: Sender) -> None:
    # The digits pass Luhn's check. They were drawn by chance, as one span id of some hundred thousand is.
    assert sender.post(traces([bytes.fromhex(CARD_LIKE)])).status_code == 200
    (span,) = sender.stored()
    assert (span.span_id, span.trace_id) == (CARD_LIKE, CARD_LIKE * 2)


def test_json_is_taken_and_answered_in_json(sender: Sender) -> None:
    response = sender.post(traces_json(["00112233aabbccdd"]), content_type="application/json; charset=utf-8")

    assert (response.status_code, response.headers["content-type"], response.json()) == (200, JSON, {})
    assert [span.span_id for span in sender.stored()] == ["00112233aabbccdd"]


def raw_deflate(body: bytes) -> bytes:
    pack = zlib.compressobj(wbits=-15)
    return pack.compress(body) + pack.flush()


def zstd_of_unknown_size(body: bytes) -> bytes:
    out = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(out, closefd=False) as pack:
        pack.write(body)
    return out.getvalue()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress), ("GZIP", gzip.compress), ("identity", bytes), ("deflate", zlib.compress),
        ("deflate", raw_deflate), ("zstd", zstandard.compress), ("zstd", zstd_of_unknown_size),
        ("gzip", lambda body: gzip.compress(body[:50]) + gzip.compress(body[50:])),
        ("zstd", lambda body: zstandard.compress(body[:50]) + zstandard.compress(body[50:])),
    ],
)  # fmt: skip
def test_compressed_bodies_are_taken(sender: Sender, encoding: str, pack: Any) -> None:
    one = span_id()
    assert sender.post(pack(traces([one], text="long " * 500)), content_encoding=encoding).status_code == 200
    assert [span.span_id for span in sender.stored()] == [one.hex()]


def test_a_span_without_ids_is_refused_and_the_others_go_in(sender: Sender) -> None:
    good = [span_id(), span_id()]
    response = sender.post(traces([good[0], b"", good[1]]))

    assert response.status_code == 200
    assert partial(response).rejected_spans == 1
    assert "no readable trace id" in partial(response).error_message
    assert {span.span_id for span in sender.stored()} == {one.hex() for one in good}


def test_a_partial_success_in_json(sender: Sender) -> None:
    response = sender.post(traces_json(["00112233aabbccdd", "xyz"]), content_type=JSON)
    told = response.json()["partialSuccess"]
    assert (response.status_code, told["rejectedSpans"]) == (200, "1")
    assert told["errorMessage"]


@pytest.mark.parametrize(("content", "type"), [(b"", "application/x-protobuf"), (b"", JSON), (b"{}", JSON)])
def test_an_empty_export_is_fine(sender: Sender, content: bytes, type: str) -> None:
    response = sender.post(content, content_type=type)
    assert (response.status_code, response.headers["content-type"]) == (200, type)
    assert sender.stored() == []


def test_log_events_complete_their_span_whichever_comes_first(sender: Sender) -> None:
    one = span_id()
    events = [("gen_ai.user.message", {"content": "Where is B-2?", "role": "user"})]
    response = sender.post(logs(one, *events), path="/v1/logs")
    assert response.status_code == 200
    assert ExportLogsServiceResponse.FromString(response.content).partial_success.rejected_log_records == 0
    assert sender.post(traces([one], text="Where is B-2?")).status_code == 200
    assert [span.span_id for span in sender.stored()] == [one.hex()]


def test_a_redelivery_changes_nothing(sender: Sender) -> None:
    body = traces([span_id(), span_id()])
    assert [sender.post(body).status_code for _ in range(3)] == [200] * 3
    assert len(sender.stored()) == 2


# ---- no


def test_a_logs_export_at_the_traces_address_says_so(sender: Sender) -> None:
    response = sender.post(logs(span_id(), ("gen_ai.user.message", {"content": "hello"})))
    assert response.status_code == 400
    assert "/v1/logs" in message(response)


@pytest.mark.parametrize(
    ("content", "headers", "says"),
    [
        (b"\xff\x00garbage", {}, "protobuf"),
        (b"{", {"content_type": JSON}, "not JSON"),
        (b"[" * 100_000, {"content_type": JSON}, "not JSON"),
        (b'{"resourceSpans":' + b'[{"a":' * 900, {"content_type": JSON}, "not JSON"),
        (b"\xff\xfe", {"content_type": JSON}, "not JSON"),
        (gzip.compress(b"x" * 1000)[:-5], {"content_encoding": "gzip"}, "gzip"),
        (b"not gzip", {"content_encoding": "gzip"}, "gzip"),
        (zlib.compress(b"x" * 1000)[:-5], {"content_encoding": "deflate"}, "deflate"),
        (zstandard.compress(b"x" * 1000)[:-5], {"content_encoding": "zstd"}, "zstd"),
        (b"not zstd", {"content_encoding": "zstd"}, "zstd"),
    ],
    ids=range(10),
)
def test_a_malformed_body_is_400(sender: Sender, content: bytes, headers: dict[str, str], says: str) -> None:
    response = sender.post(content, **headers)
    assert response.status_code == 400
    assert says in message(response)
    assert sender.stored() == []


@pytest.mark.parametrize("type", ["text/plain", "application/grpc", ""])
def test_another_content_type_is_415(sender: Sender, type: str) -> None:
    response = sender.post(traces([span_id()]), content_type=type)
    assert response.status_code == 415
    assert "application/x-protobuf" in message(response)


def test_an_unknown_content_encoding_is_415(sender: Sender) -> None:
    assert sender.post(traces([span_id()]), content_encoding="br").status_code == 415


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_405(sender: Sender, method: str) -> None:
    response = sender.post(b"", method=method)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_metrics_are_404_with_what_to_do(sender: Sender) -> None:
    response = sender.post(b"", path="/v1/metrics")
    assert response.status_code == 404
    assert "OTEL_METRICS_EXPORTER=none" in message(response)


def test_what_the_gateway_serves_is_still_the_gateways(sender: Sender) -> None:
    assert "x-slmhub" in sender.get("/v1/nothing").text or sender.get("/v1/nothing").status_code == 403
    assert "error" in sender.get("/v1/models").json()  # a key without the scope infer


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"\0" * (64 * MIB + 1), {}),
        (gzip.compress(b"\0" * (80 * MIB), 9), {"content_encoding": "gzip"}),
        (gzip.compress(gzip.compress(b"\0" * (1500 * MIB), 1), 9), {"content_encoding": "gzip"}),
        (zstandard.compress(b"\0" * (80 * MIB)), {"content_encoding": "zstd"}),
    ],
    ids=["plain", "gzip", "gzip of gzip", "zstd"],
)
def test_too_large_a_body_is_413_before_and_after_unpacking(
    sender: Sender, content: bytes, headers: dict[str, str]
) -> None:
    response = sender.post(content, **headers)
    if content[:2] == b"\x1f\x8b" and len(content) < 100_000:
        assert response.status_code in (400, 413)  # unpacked once it is a small gzip file, no export
    else:
        assert response.status_code == 413
        assert "64 MiB" in message(response)


def test_a_body_of_no_announced_length_is_cut_off_too(sender: Sender) -> None:
    def stream() -> Any:
        for _ in range(66):
            yield b"\0" * MIB

    assert sender.post(stream()).status_code == 413


def test_a_slow_client_holds_up_nobody(sender: Sender) -> None:
    host, port = sender.address.split(":")
    head = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {sender.secret}\r\n"
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall((head + "content-type: application/x-protobuf\r\ncontent-length: 1000\r\n\r\n").encode())
        started = time.monotonic()
        for _ in range(20):
            slow.sendall(b"\0")
            assert sender.post(traces([span_id()])).status_code == 200
        assert time.monotonic() - started < 5
    assert len(sender.stored()) == 20


def test_a_client_that_leaves_in_the_middle_leaves_nothing(sender: Sender) -> None:
    host, port = sender.address.split(":")
    body = traces([span_id()])
    head = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {sender.secret}\r\n"
    with socket.create_connection((host, int(port))) as gone:
        gone.sendall(
            f"{head}content-type: application/x-protobuf\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body[:50]
        )
    assert sender.post(traces([span_id()])).status_code == 200
    assert len(sender.stored()) == 1


# ---- who


def test_without_a_key_it_is_401(sender: Sender) -> None:
    for given in ("", "Bearer hub_unknown", "Basic !!!", "Basic aHViOng="):
        response = sender.post(traces([span_id()]), authorization=given)
        assert response.status_code == 401, given
        assert "API key" in message(response) or "Basic" in message(response)
        assert response.headers["www-authenticate"] == "Bearer"


def test_the_key_may_come_as_bearer_as_x_api_key_and_in_basic(sender: Sender) -> None:
    for headers in (
        {"authorization": f"bearer {sender.secret}"},
        {"authorization": "", "x_api_key": sender.secret},
        sender.basic("public", sender.secret),
        sender.basic(sender.secret, "anything"),
    ):
        assert sender.post(traces([span_id()]), **headers).status_code == 200
    assert len(sender.stored()) == 4


def test_a_key_without_the_scope_is_403(sender: Sender) -> None:
    other = Sender.build(sender.world, sender.address, sender.home, scopes=[Scope.INFER, Scope.READ])
    time.sleep(STALENESS_S)
    response = other.post(traces([span_id()]))
    assert response.status_code == 403
    assert "ingest" in message(response)


def test_a_revoked_key_is_refused_within_a_second(sender: Sender) -> None:
    assert sender.post(traces([span_id()])).status_code == 200
    revoke_api_key(key=sender.key, actor=sender.world.admin)
    time.sleep(STALENESS_S)
    assert sender.post(traces([span_id()])).status_code == 401


# ---- which agent


def test_of_several_agents_one_must_be_named(sender: Sender) -> None:
    billing = create_agent(workspace=sender.world.workspace, name="Billing", actor=sender.world.admin)
    own = Sender.build(sender.world, sender.address, sender.home, agent=billing)
    body = traces([span_id()], resource={"service.name": "something"})

    response = sender.post(body)
    assert response.status_code == 400
    assert "x-slmhub-agent" in message(response)
    assert "billing, support-desk" in message(response)
    assert own.post(traces([span_id()])).status_code == 200
    assert own.post(body, x_slmhub_agent="support-desk").status_code == 403
    assert sender.post(body, x_slmhub_agent="nobody").status_code == 404
    assert sender.post(traces([span_id()]), x_slmhub_agent="billing").status_code == 200
    assert {span.agent_id for span in sender.stored()} == {billing.pk}


@pytest.mark.parametrize(
    ("resource", "agent"),
    [
        ({"service.name": "billing"}, "billing"),
        ({"service.name": "Support Desk"}, "support-desk"),
        ({"openinference.project.name": "billing", "service.name": "support-desk"}, "billing"),
    ],
)
def test_a_resource_may_name_the_agent(sender: Sender, resource: dict[str, str], agent: str) -> None:
    create_agent(workspace=sender.world.workspace, name="Billing", actor=sender.world.admin)
    Sender.build(sender.world, sender.address, sender.home)  # the new agent is known
    assert sender.post(traces([span_id()], resource=resource)).status_code == 200
    assert sender.post(traces_json([span_id().hex()], **resource), content_type=JSON).status_code == 200
    assert [span.agent.slug for span in sender.stored()] == [agent, agent]


@pytest.fixture
def two_agents(sender: Sender) -> Sender:
    create_agent(workspace=sender.world.workspace, name="Billing", actor=sender.world.admin)
    return Sender.build(sender.world, sender.address, sender.home)


def by_agent(spans: list[Span]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for span in spans:
        found.setdefault(span.agent.slug, set()).add(span.span_id)
    return found


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_a_collectors_body_about_several_agents_goes_to_each(two_agents: Sender, kind: str) -> None:
    desk, billing, nobody, foreign = (span_id() for _ in range(4))
    named = [("support-desk", [desk]), ("Billing", [billing]), ("something", [nobody])]
    # A service of its own that worked for both agents, and for somebody whom nobody knows.
    shared = [(desk * 2, b"s" * 8), (billing * 2, b"t" * 8), (foreign * 2, foreign)]
    response = two_agents.post(collected(named, shared, kind), content_type=kind)

    assert response.status_code == 200
    assert rejected(response, kind) == (
        2,
        "2 spans: neither their resource nor their trace names a known agent",
    )
    assert by_agent(two_agents.stored()) == {
        "support-desk": {desk.hex(), (b"s" * 8).hex()},
        "billing": {billing.hex(), (b"t" * 8).hex()},
    }
    assert two_agents.post(collected(named, shared, kind), content_type=kind).status_code == 200
    assert len(two_agents.stored()) == 4


def test_log_events_about_several_agents_go_to_each(two_agents: Sender) -> None:
    desk, billing = span_id(), span_id()
    body = b"".join(
        logs(one, ("gen_ai.user.message", {"content": "Hello"}), service=service)
        for one, service in ((desk, "support-desk"), (billing, "billing"))
    )
    response = two_agents.post(body, "/v1/logs")
    assert (response.status_code, response.content) == (200, b"")
    assert by_agent(two_agents.stored()) == {"support-desk": {desk.hex()}, "billing": {billing.hex()}}


def collected(named: list[tuple[str, list[bytes]]], shared: list[tuple[bytes, bytes]], kind: str) -> bytes:
    """One body of several services, the last one serving several traces."""
    if kind == PROTOBUF:
        groups = [traces(ids, resource={"service.name": name}) for name, ids in named]
        # Protobuf joins repeated fields of messages that stand one behind another.
        return b"".join([*groups, traces(shared, resource={"service.name": "search"})])
    documents = [
        orjson.loads(traces_json([one.hex() for one in ids], **{"service.name": name})) for name, ids in named
    ]
    last = orjson.loads(traces_json([one.hex() for _, one in shared], **{"service.name": "search"}))
    for span, (trace, _) in zip(last["resourceSpans"][0]["scopeSpans"][0]["spans"], shared, strict=True):
        span["traceId"] = trace.hex()
    return orjson.dumps({"resourceSpans": [one["resourceSpans"][0] for one in [*documents, last]]})


def rejected(response: httpx.Response, kind: str) -> tuple[int, str]:
    if kind == JSON:
        partial = response.json()["partialSuccess"]
        return int(partial["rejectedSpans"]), partial["errorMessage"]
    answer: Any = ExportTraceServiceResponse.FromString(response.content)
    return answer.partial_success.rejected_spans, answer.partial_success.error_message


def test_nul_and_html_come_in_as_text(sender: Sender) -> None:
    one = span_id()
    assert sender.post(traces([one], text="<script>\0</script>")).status_code == 200
    (span,) = sender.stored()
    assert span.input_preview == "<script>\ufffd</script>"


def test_a_deep_attribute_takes_no_other_span_with_it(sender: Sender) -> None:
    document = orjson.loads(traces_json(["00112233aabbccdd", "00112233aabbccde"]))
    value: Any = {"stringValue": "bottom"}
    for _ in range(200):
        value = {"arrayValue": {"values": [value]}}
    span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["attributes"].append({"key": "deep", "value": value})
    assert sender.post(json.dumps(document), content_type=JSON).status_code == 200
    assert len(sender.stored()) == 2
    assert backlog(sender.spool).refused == 0


def test_the_answer_never_says_more_than_it_should(sender: Sender) -> None:
    response = sender.post(b"{" * 100, content_type=JSON)
    assert set(orjson.loads(response.content)) == {"code", "message"}
    assert response.headers["cache-control"] == "no-store"
