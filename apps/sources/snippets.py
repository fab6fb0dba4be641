"""What to paste into an agent so that its traces come here, with the address and the key filled in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Snippet:
    """`slug` is its place in the address (#slug)."""

    slug: str
    title: str
    says: str
    language: str
    code: str


_GATEWAY = """from openai import OpenAI

client = OpenAI(base_url="{base}/v1", api_key="{key}")
answer = client.chat.completions.create(
    model="auto",
    messages=[{{"role": "user", "content": "Hello"}}],
    extra_headers={{"x-slmhub-agent": "{agent}", "x-slmhub-session": "conversation-1"}},
)"""
_OTEL = """OTEL_EXPORTER_OTLP_ENDPOINT={base}
OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20{key},x-slmhub-agent={agent}"
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
_VERCEL = """// instrumentation.ts
import {{ registerOTel, OTLPHttpJsonTraceExporter }} from "@vercel/otel";

registerOTel({{
  serviceName: "{agent}",
  traceExporter: new OTLPHttpJsonTraceExporter({{
    url: "{base}/v1/traces",
    headers: {{ Authorization: "Bearer {key}", "x-slmhub-agent": "{agent}" }},
  }}),
}});

// on each call
experimental_telemetry: {{ isEnabled: true, metadata: {{ sessionId, userId }} }}"""
_LITELLM = """# environment of the LiteLLM proxy
OTEL_EXPORTER=otlp_http
OTEL_ENDPOINT={base}/v1/traces
OTEL_HEADERS="Authorization=Bearer {key},x-slmhub-agent={agent}"

# config.yaml
litellm_settings:
  callbacks: ["otel"]"""
_LANGFUSE = """LANGFUSE_HOST={base}
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
        "Python",
        _GATEWAY,
    ),
    Snippet(
        "opentelemetry",
        "OpenTelemetry",
        "Any language; traces and logs over OTLP/HTTP.",
        "Environment",
        _OTEL,
    ),
    Snippet(
        "openinference",
        "OpenInference",
        "Arize's instrumentations of OpenAI, Anthropic, LlamaIndex, CrewAI and others.",
        "Python",
        _OPENINFERENCE,
    ),
    Snippet(
        "langchain",
        "LangChain",
        "LangChain and LangGraph through LangSmith's own client.",
        "Environment",
        _LANGCHAIN,
    ),
    Snippet("vercel", "Vercel AI SDK", "Its telemetry, exported as OTLP/JSON.", "TypeScript", _VERCEL),
    Snippet("litellm", "LiteLLM", "The proxy's OpenTelemetry callback.", "Environment", _LITELLM),
    Snippet(
        "langfuse",
        "Langfuse SDK",
        "Point its SDK here instead of at Langfuse.",
        "Environment",
        _LANGFUSE,
    ),
    Snippet(
        "http",
        "HTTP",
        "Calls that you have logged yourself, one or many, idempotent by their id.",
        "Shell",
        _CURL,
    ),
)


def snippets(*, base: str, agent: str, key: str) -> list[Snippet]:
    """All of them with the hub's address (no slash at its end), the agent's slug and a key's secret."""
    values = {"base": base, "agent": agent, "key": key}
    return [Snippet(one.slug, one.title, one.says, one.language, one.code.format(**values)) for one in _ALL]
