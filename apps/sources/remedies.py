"""For each finding of the doctor the one setting that mends it, by the emitter's convention."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """What may be wrong with the spans of one emitter."""

    NO_MESSAGES = "no_messages"
    CONTENT_OFF = "content_off"
    NO_TOOLS = "no_tools"
    NO_USAGE = "no_usage"
    NO_SESSION = "no_session"
    NO_USER = "no_user"
    NO_LATENCY = "no_latency"
    ATTRIBUTES_DROPPED = "attributes_dropped"
    TRUNCATED = "truncated"
    DUPLICATES = "duplicates"
    DOUBLE_COUNT = "double_count"
    CLOCK_SKEW = "clock_skew"
    ARGUMENTS_NOT_JSON = "arguments_not_json"
    INCOMPLETE = "incomplete"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Remedy:
    """`setting` is copied as it stands; `where` says where it goes."""

    setting: str
    where: str


ENVIRONMENT = "environment of the agent's process"
CODE = "the agent's code"
ANY = ""

# (finding, convention) → remedy; the convention "" holds for all that are not named.
REMEDIES: dict[tuple[Finding, str], Remedy] = {
    (Finding.CONTENT_OFF, "otel_genai"): Remedy(
        "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental\n"
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY",
        ENVIRONMENT,
    ),
    (Finding.CONTENT_OFF, "otel_genai_events"): Remedy(
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true", ENVIRONMENT
    ),
    (Finding.CONTENT_OFF, "openinference"): Remedy(
        "OPENINFERENCE_HIDE_INPUTS=false\nOPENINFERENCE_HIDE_OUTPUTS=false", ENVIRONMENT
    ),
    (Finding.CONTENT_OFF, "traceloop"): Remedy("TRACELOOP_TRACE_CONTENT=true", ENVIRONMENT),
    (Finding.CONTENT_OFF, "vercel_ai"): Remedy(
        "experimental_telemetry: { isEnabled: true, recordInputs: true, recordOutputs: true }", CODE
    ),
    (Finding.CONTENT_OFF, "langfuse"): Remedy("@observe(capture_input=True, capture_output=True)", CODE),
    (Finding.CONTENT_OFF, "langsmith"): Remedy(
        "LANGSMITH_HIDE_INPUTS=false\nLANGSMITH_HIDE_OUTPUTS=false", ENVIRONMENT
    ),
    (Finding.CONTENT_OFF, ANY): Remedy("Record prompts and answers, not only metrics.", CODE),
    (Finding.ATTRIBUTES_DROPPED, ANY): Remedy("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=10000", ENVIRONMENT),
    (Finding.TRUNCATED, ANY): Remedy("unset OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", ENVIRONMENT),
    (Finding.NO_SESSION, "otel_genai"): Remedy(
        'span.set_attribute("gen_ai.conversation.id", conversation_id)', CODE
    ),
    (Finding.NO_SESSION, "otel_genai_events"): Remedy('span.set_attribute("session.id", session_id)', CODE),
    (Finding.NO_SESSION, "openinference"): Remedy("with using_session(session_id): …", CODE),
    (Finding.NO_SESSION, "traceloop"): Remedy(
        'Traceloop.set_association_properties({"session_id": session_id})', CODE
    ),
    (Finding.NO_SESSION, "vercel_ai"): Remedy(
        "experimental_telemetry: { isEnabled: true, metadata: { sessionId } }", CODE
    ),
    (Finding.NO_SESSION, "langfuse"): Remedy("with propagate_attributes(session_id=session_id): …", CODE),
    (Finding.NO_SESSION, "langsmith"): Remedy(
        'langsmith_extra={"metadata": {"session_id": session_id}}', CODE
    ),
    (Finding.NO_SESSION, "gateway"): Remedy("x-slmhub-session: <session id>", "headers of each request"),
    (Finding.NO_SESSION, ANY): Remedy('"session_id": "…"', "each logged call"),
    (Finding.NO_USER, "openinference"): Remedy("with using_user(user_id): …", CODE),
    (Finding.NO_USER, "traceloop"): Remedy(
        'Traceloop.set_association_properties({"user_id": user_id})', CODE
    ),
    (Finding.NO_USER, "vercel_ai"): Remedy(
        "experimental_telemetry: { isEnabled: true, metadata: { userId } }", CODE
    ),
    (Finding.NO_USER, "langfuse"): Remedy("with propagate_attributes(user_id=user_id): …", CODE),
    (Finding.NO_USER, "langsmith"): Remedy('langsmith_extra={"metadata": {"user_id": user_id}}', CODE),
    (Finding.NO_USER, "otel_genai"): Remedy('span.set_attribute("user.id", user_id)', CODE),
    (Finding.NO_USER, ANY): Remedy('"user": "…"', "each logged call"),
    (Finding.NO_USAGE, ANY): Remedy('stream_options={"include_usage": True}', "each streamed request"),
    (Finding.NO_USAGE, "vercel_ai"): Remedy("streamOptions: { includeUsage: true }", "provider settings"),
    (Finding.NO_TOOLS, "traceloop"): Remedy("TRACELOOP_TRACE_CONTENT=true", ENVIRONMENT),
    (Finding.NO_TOOLS, "otel_genai"): Remedy(
        'span.set_attribute("gen_ai.tool.definitions", json.dumps(tools))', CODE
    ),
    (Finding.NO_TOOLS, "otel_genai_events"): Remedy(
        "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental", ENVIRONMENT
    ),
    (Finding.NO_TOOLS, ANY): Remedy('"tools": […]', "the request of each logged call"),
    (Finding.NO_LATENCY, ANY): Remedy('"latency_ms": 812', "each logged call"),
    (Finding.DUPLICATES, ANY): Remedy(
        "Register one exporter: a second span processor sends every span again.", CODE
    ),
    (Finding.DOUBLE_COUNT, "openinference"): Remedy(
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=openai", ENVIRONMENT
    ),
    (Finding.DOUBLE_COUNT, ANY): Remedy(
        "Use one instrumentation for each library: a second one reports the same calls again.", CODE
    ),
    (Finding.CLOCK_SKEW, ANY): Remedy("timedatectl set-ntp true", "the agent's machine"),
    (Finding.ARGUMENTS_NOT_JSON, ANY): Remedy('"strict": true', "each tool's function definition"),
    (Finding.INCOMPLETE, "langsmith"): Remedy("client.flush()", "before the agent's process ends"),
    (Finding.INCOMPLETE, "langfuse"): Remedy("langfuse.flush()", "before the agent's process ends"),
    (Finding.INCOMPLETE, "otel_genai_events"): Remedy(
        "OTEL_TRACES_EXPORTER=otlp\nOTEL_LOGS_EXPORTER=otlp", ENVIRONMENT
    ),
    (Finding.INCOMPLETE, ANY): Remedy("provider.force_flush()", "before the agent's process ends"),
}


# The same SDKs, by their own addresses or in their exports.
_SDK_OF = {
    "langsmith_runs": "langsmith",
    "langfuse_ingestion": "langfuse",
    "langfuse_export": "langfuse",
}


def remedy_for(finding: Finding, convention: str) -> Remedy | None:
    if finding is Finding.NO_MESSAGES:
        finding = Finding.CONTENT_OFF
    convention = _SDK_OF.get(convention, convention)
    return REMEDIES.get((finding, convention)) or REMEDIES.get((finding, ANY))
