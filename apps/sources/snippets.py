"""What to paste into an agent so that its traces come here, with the address and the key filled in."""

from __future__ import annotations

from typing import NamedTuple


class Part(NamedTuple):
    """What is pasted into one place; `label` says which."""

    label: str
    code: str


class Snippet(NamedTuple):
    """`slug` is its place in the address (#slug)."""

    slug: str
    title: str
    says: str
    parts: tuple[Part, ...]


ENVIRONMENT = "Environment of the agent"
PYTHON = "Python"

_GATEWAY = """from openai import OpenAI

client = OpenAI(base_url="{base}/v1", api_key="{key}")
answer = client.chat.completions.create(
    model="auto",
    messages=[{{"role": "user", "content": "Hello"}}],
    extra_headers={{"x-slmhub-agent": "{agent}", "x-slmhub-session": "conversation-1"}},
)"""
# A header without a blank needs neither quotes nor escapes, which senders read in different ways.
_OTEL = """OTEL_TRACES_EXPORTER=otlp
OTEL_LOGS_EXPORTER=otlp
OTEL_METRICS_EXPORTER=none
OTEL_EXPORTER_OTLP_ENDPOINT={base}
OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
OTEL_EXPORTER_OTLP_HEADERS=x-api-key={key},x-slmhub-agent={agent}
OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=10000
OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental
OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY"""
_OPENINFERENCE = """from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="{base}/v1/traces",
    headers={{"Authorization": "Bearer {key}", "x-slmhub-agent": "{agent}"}},
)
# The default of 128 attributes cuts long conversations off.
provider = TracerProvider(span_limits=SpanLimits(max_span_attributes=10_000))
provider.add_span_processor(BatchSpanProcessor(exporter))
OpenAIInstrumentor().instrument(tracer_provider=provider)"""
_LANGCHAIN = """LANGSMITH_TRACING=true
LANGSMITH_ENDPOINT={base}
LANGSMITH_API_KEY={key}
LANGSMITH_PROJECT={agent}"""
_VERCEL = """import {{ registerOTel, OTLPHttpJsonTraceExporter }} from "@vercel/otel";

registerOTel({{
  serviceName: "{agent}",
  traceExporter: new OTLPHttpJsonTraceExporter({{
    url: "{base}/v1/traces",
    headers: {{ "x-api-key": "{key}", "x-slmhub-agent": "{agent}" }},
  }}),
}});"""
_VERCEL_7 = """import {{ registerTelemetry }} from "ai";
import {{ OpenTelemetry }} from "@ai-sdk/otel";

registerTelemetry(new OpenTelemetry({{ runtimeContext: true }}));"""
_VERCEL_7_CALL = """runtimeContext: {{ sessionId, userId }},
telemetry: {{ includeRuntimeContext: {{ sessionId: true, userId: true }} }},"""
_VERCEL_CALL = "experimental_telemetry: {{ isEnabled: true, metadata: {{ sessionId, userId }} }},"
_LITELLM = """OTEL_EXPORTER=otlp_http
OTEL_ENDPOINT={base}/v1/traces
OTEL_HEADERS=x-api-key={key},x-slmhub-agent={agent}
OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental
USE_OTEL_LITELLM_REQUEST_SPAN=true"""
_LITELLM_CONFIG = """litellm_settings:
  callbacks: ["otel"]"""
# Its older versions know only the second name.
_LANGFUSE = """LANGFUSE_BASE_URL={base}
LANGFUSE_HOST={base}
LANGFUSE_PUBLIC_KEY={agent}
LANGFUSE_SECRET_KEY={key}"""
_CURL = """curl {base}/api/v1/calls \\
  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
  -d '{{"agent": "{agent}", "calls": [{{"id": "call-1", "session_id": "conversation-1",
       "request": {{"model": "gpt-4o", "messages": [{{"role": "user", "content": "Hello"}}]}},
       "response": {{"choices": [{{"message": {{"role": "assistant", "content": "Hi"}}}}],
                    "usage": {{"prompt_tokens": 9, "completion_tokens": 2}}}}}}]}}\'"""

_ALL = (
    Snippet(
        "openai",
        "OpenAI SDK",
        "Through the gateway: only the address changes, and specialists may answer.",
        (Part(PYTHON, _GATEWAY),),
    ),
    Snippet(
        "opentelemetry",
        "OpenTelemetry",
        "Any language; traces and logs over OTLP/HTTP.",
        (Part(ENVIRONMENT, _OTEL),),
    ),
    Snippet(
        "openinference",
        "OpenInference",
        "Arize's instrumentations of OpenAI, Anthropic, LlamaIndex, CrewAI and others.",
        (Part(PYTHON, _OPENINFERENCE),),
    ),
    Snippet(
        "langchain",
        "LangChain",
        "LangChain and LangGraph through LangSmith's own client.",
        (Part(ENVIRONMENT, _LANGCHAIN),),
    ),
    Snippet(
        "vercel",
        "Vercel AI SDK",
        "Its telemetry, exported as OTLP/JSON.",
        (
            Part("instrumentation.ts", _VERCEL),
            Part("AI SDK 7: also in instrumentation.ts", _VERCEL_7),
            Part("AI SDK 7: on each call", _VERCEL_7_CALL),
            Part("AI SDK 6 and before: on each call", _VERCEL_CALL),
        ),
    ),
    Snippet(
        "litellm",
        "LiteLLM",
        "The proxy's OpenTelemetry callback.",
        (Part("Environment of the proxy", _LITELLM), Part("config.yaml", _LITELLM_CONFIG)),
    ),
    Snippet(
        "langfuse",
        "Langfuse SDK",
        "Point its SDK here instead of at Langfuse.",
        (Part(ENVIRONMENT, _LANGFUSE),),
    ),
    Snippet(
        "http",
        "HTTP",
        "Calls that you have logged yourself, one or many, idempotent by their id.",
        (Part("Shell", _CURL),),
    ),
)


def snippets(*, base: str, agent: str, key: str) -> list[Snippet]:
    """All of them with the hub's address (no slash at its end), the agent's slug and a key's secret."""
    values = {"base": base, "agent": agent, "key": key}
    return [
        one._replace(parts=tuple(Part(part.label, part.code.format(**values)) for part in one.parts))
        for one in _ALL
    ]
