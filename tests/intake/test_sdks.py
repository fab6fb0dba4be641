"""The real SDKs, told nothing but another host."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from langfuse import Langfuse
from langsmith import Client
from langsmith.run_helpers import traceable, tracing_context
from openai import OpenAI
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

from apps.traces.models import Kind, Source
from tests.intake.sender import Sender
from tests.servers import demo_teacher

pytestmark = [pytest.mark.django_db(transaction=True, databases="__all__"), pytest.mark.slow]
MESSAGES = [{"role": "user", "content": "Where is order A-1?"}]


@pytest.fixture(scope="module")
def teacher() -> Iterator[str]:
    with demo_teacher() as url:
        yield url


class TestOpenTelemetry:
    @pytest.mark.parametrize(
        "compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate]
    )
    def test_its_exporter_delivers(self, sender: Sender, compression: Compression) -> None:
        exporter = OTLPSpanExporter(
            endpoint=f"{sender.url}/v1/traces", headers=sender.bearer, compression=compression
        )
        provider = TracerProvider(resource=Resource({"service.name": "desk"}))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        tracer = provider.get_tracer("test")
        with tracer.start_as_current_span("invoke_agent desk"):
            for number in range(20):
                with tracer.start_as_current_span("chat gpt") as span:
                    span.set_attributes(
                        {"gen_ai.operation.name": "chat", "gen_ai.request.model": f"m{number}"}
                    )
        assert provider.force_flush()
        provider.shutdown()

        spans = sender.stored()
        assert len(spans) == 21
        assert {span.model for span in spans if span.kind == Kind.LLM} == {f"m{n}" for n in range(20)}

    def test_its_exporter_hears_a_refusal(self, sender: Sender) -> None:
        exporter = OTLPSpanExporter(
            endpoint=f"{sender.url}/v1/traces", headers={"authorization": "Bearer hub_wrong"}, timeout=5
        )
        span = TracerProvider().get_tracer("test").start_span("a")
        span.end()
        assert exporter.export([span]) is SpanExportResult.FAILURE  # type: ignore[list-item]


def test_openinference_reports_the_calls_of_the_openai_package(sender: Sender, teacher: str) -> None:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"{sender.url}/v1/traces", headers=sender.bearer)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        answer = OpenAI(base_url=teacher, api_key="none").chat.completions.create(
            model="teacher",
            messages=MESSAGES,  # type: ignore[arg-type]
        )
    finally:
        instrumentor.uninstrument()
    provider.shutdown()

    (span,) = sender.stored()
    assert (span.kind, span.source, span.format) == (Kind.LLM, Source.OTLP, "openinference")
    assert span.input_preview == MESSAGES[0]["content"]
    assert span.input_tokens == answer.usage.prompt_tokens  # type: ignore[union-attr]


class TestLangfuse:
    def client(self, sender: Sender, **more: Any) -> Langfuse:
        return Langfuse(
            public_key=f"pk-{uuid.uuid4()}", secret_key=sender.secret, base_url=sender.url, **more
        )

    def test_its_sdk_logs_in_and_delivers(self, sender: Sender) -> None:
        langfuse = self.client(sender)
        assert langfuse.auth_check()
        with (
            langfuse.start_as_current_observation(name="desk", as_type="agent"),
            langfuse.start_as_current_observation(
                name="ask", as_type="generation", model="gpt-x", input=MESSAGES
            ) as generation,
        ):
            generation.update(output={"role": "assistant", "content": "Sent."}, usage_details={"input": 7})
        langfuse.flush()
        langfuse.shutdown()

        spans = {span.kind: span for span in sender.stored()}
        assert set(spans) == {Kind.AGENT, Kind.LLM}
        call = spans[Kind.LLM]
        assert (call.source, call.model, call.input_tokens) == (Source.LANGFUSE, "gpt-x", 7)
        assert call.parent_id == spans[Kind.AGENT].span_id

    def test_a_wrong_key_fails_its_login(self, sender: Sender) -> None:
        langfuse = Langfuse(public_key="pk-wrong", secret_key="sk-wrong", base_url=sender.url)
        with pytest.raises(Exception, match="401"):
            langfuse.auth_check()
        langfuse.shutdown()


class TestLangSmith:
    def client(self, sender: Sender, prefix: str = "", **more: Any) -> Client:
        return Client(api_url=sender.url + prefix, api_key=sender.secret, **more)

    def trace(self, client: Client) -> None:
        @traceable(run_type="llm", name="ask", metadata={"ls_model_name": "gpt-x", "ls_provider": "openai"})
        def ask(messages: list[dict[str, str]]) -> dict[str, Any]:
            return {"choices": [{"message": {"role": "assistant", "content": "Sent."}}]}

        @traceable(run_type="chain", name="desk")
        def desk() -> None:
            ask(MESSAGES)

        with tracing_context(enabled=True, client=client, project_name="support-desk"):
            desk()
        client.flush()

    def seen(self, sender: Sender) -> None:
        spans = {span.kind: span for span in sender.stored()}
        assert set(spans) == {Kind.CHAIN, Kind.LLM}
        assert {span.source for span in spans.values()} == {Source.LANGSMITH}
        assert spans[Kind.LLM].parent_id == spans[Kind.CHAIN].span_id
        assert spans[Kind.LLM].input_preview == MESSAGES[0]["content"]

    @pytest.mark.parametrize("prefix", ["", "/api/v1"])
    def test_its_sdk_delivers_as_it_likes_best(self, sender: Sender, prefix: str) -> None:
        client = self.client(sender, prefix)
        assert client.info.batch_ingest_config["use_multipart_endpoint"]  # type: ignore[index]
        self.trace(client)
        client.cleanup()
        self.seen(sender)

    def test_its_sdk_delivers_uncompressed_multipart(self, sender: Sender) -> None:
        info = {**self.client(sender).info.model_dump(), "instance_flags": {}}
        client = self.client(sender, info=info)
        self.trace(client)
        client.cleanup()
        self.seen(sender)

    def test_its_sdk_delivers_batches(self, sender: Sender) -> None:
        info = self.client(sender).info.model_dump()
        info["batch_ingest_config"]["use_multipart_endpoint"] = False
        info["instance_flags"] = {}
        client = self.client(sender, info=info)
        self.trace(client)
        client.cleanup()
        self.seen(sender)

    def test_single_runs_are_created_and_completed(self, sender: Sender) -> None:
        client = self.client(sender, auto_batch_tracing=False)
        run = uuid.uuid4()
        now = datetime.now(UTC)
        client.create_run("ask", {"messages": MESSAGES}, "llm", id=run, start_time=now)
        client.update_run(run, outputs={"output": "Sent."}, end_time=datetime.now(UTC))

        (span,) = sender.stored()
        assert (span.span_id, span.kind, span.output_preview) == (str(run), Kind.LLM, "Sent.")
