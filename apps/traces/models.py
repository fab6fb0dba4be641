"""Sessions and spans: narrow rows that point to contents."""

from __future__ import annotations

from django.db import models
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Agent, Workspace
from apps.contents.models import Content
from apps.core.fields import StructField
from apps.core.models import Timestamped
from apps.traces.parts import Parts


class Kind(models.TextChoices):
    LLM = "llm", "LLM call"
    TOOL = "tool", "Tool"
    AGENT = "agent", "Agent"
    CHAIN = "chain", "Chain"
    RETRIEVER = "retriever", "Retriever"
    EMBEDDING = "embedding", "Embedding"
    OTHER = "other", "Other"


class Status(models.TextChoices):
    OK = "ok", "OK"
    ERROR = "error", "Error"


class Audience(models.TextChoices):
    """Who reads the answer. Machine-facing calls are converted first."""

    MACHINE = "machine", "Machine"
    HUMAN = "human", "Human"


class Outcome(models.TextChoices):
    UNKNOWN = "unknown", "Unknown"
    SUCCESS = "success", "Succeeded"
    FAILURE = "failure", "Failed"


class Source(models.TextChoices):
    UPLOAD = "upload", "Upload"
    COMMAND = "command", "Command"
    API = "api", "API"
    GATEWAY = "gateway", "Gateway"
    OTLP = "otlp", "OTLP"
    LANGFUSE = "langfuse", "Langfuse SDK"
    LANGSMITH = "langsmith", "LangSmith SDK"


class Session(Timestamped):
    """The calls of one conversation or run, by the emitter's session id."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="sessions")
    external_id = models.CharField(max_length=200)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.UNKNOWN)
    started_at = models.DateTimeField(default=timezone.now)
    user = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "external_id"], name="one_session_per_external_id")
        ]
        indexes = [models.Index(fields=["agent", "-started_at", "-id"], name="session_list")]

    def get_absolute_url(self) -> str:
        return self.agent.address("traces:session", self.pk)


class Emitter(Timestamped):
    """A program that sends spans, as its spans describe it; the ingest doctor judges one at a time.

    Counts of what was delivered; everything else the doctor computes from the spans themselves.
    """

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="emitters")
    source = models.CharField(max_length=10, choices=Source.choices)
    format = models.CharField(max_length=40, help_text="the convention that its spans follow")
    name = models.CharField(max_length=120, blank=True, help_text="instrumentation and version")
    accepted = models.PositiveBigIntegerField(default=0)
    completed = models.PositiveBigIntegerField(default=0)
    duplicate = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "source", "format", "name"], name="one_emitter_per_name")
        ]

    def get_absolute_url(self) -> str:
        return f"{self.agent.address('sources:list')}#emitter-{self.pk}"


class SpanQuerySet(models.QuerySet["Span"]):
    def calls(self) -> SpanQuerySet:
        """`llm` spans: the unit of conversion."""
        return self.filter(kind=Kind.LLM)

    def of_trace(self, agent: Agent, trace_id: str) -> SpanQuerySet:
        """The agent's spans of one trace."""
        return self.of_agent_by_key(agent).filter(workspace=agent.workspace_id, trace_id=trace_id)

    def of_agent_by_key(self, agent: Agent) -> SpanQuerySet:
        """The agent's, for a query whose other conditions name a few rows.

        + 0, since SQLite prefers an index of the agent to any other and walks through all spans of it.
        """
        return self.alias(owner=F("agent_id") + 0).filter(owner=agent.pk)


class Span(Timestamped):
    """One step of a run. `llm` spans are calls; their messages live in contents, ordered by `message_ids`.

    `new_from` is the position of the first message that the session had not shown before this call: what
    stands before it is repeated from the session's earlier calls.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="spans")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="spans")
    session = models.ForeignKey(Session, null=True, on_delete=models.CASCADE, related_name="spans")
    trace_id = models.CharField(max_length=100)
    span_id = models.CharField(max_length=100)
    parent_id = models.CharField(max_length=100, blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.LLM)
    source = models.CharField(max_length=10, choices=Source.choices, default=Source.UPLOAD)
    emitter = models.ForeignKey(
        Emitter, null=True, on_delete=models.SET_NULL, related_name="spans", db_index=False
    )
    format = models.CharField(max_length=40, blank=True)
    environment = models.CharField(max_length=60, blank=True)
    user = models.CharField(max_length=200, blank=True, help_text="the emitter's id of the person, redacted")
    name = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    latency_ms = models.FloatField(null=True)
    ttft_ms = models.FloatField(null=True)
    provider = models.CharField(max_length=60, blank=True)
    model = models.CharField(max_length=120, blank=True)
    # Which model of the hub answered, and why its route's specialist did not: the gateway's own word.
    served_by = models.CharField(max_length=120, blank=True)
    fallback = models.CharField(max_length=200, blank=True)
    simulated = models.BooleanField(default=False, help_text="answered by a simulated teacher")
    status = models.CharField(max_length=5, choices=Status.choices, default=Status.OK)
    error = models.CharField(max_length=500, blank=True)
    finish_reason = models.CharField(max_length=30, blank=True)
    audience = models.CharField(max_length=8, choices=Audience.choices, default=Audience.HUMAN)
    # What the answer does: "tool:NAME", "json:key,key" or "respond".
    action = models.CharField(max_length=200, blank=True)
    previous = models.CharField(max_length=120, blank=True, help_text='"user", "tool:NAME" or "start"')
    # What a router can know before the answer: static prompt, tool names and `previous`, hashed.
    routing_key = models.CharField(max_length=32, blank=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    cached_tokens = models.PositiveIntegerField(null=True, help_text="part of the input")
    cache_write_tokens = models.PositiveIntegerField(null=True, help_text="part of the input")
    reasoning_tokens = models.PositiveIntegerField(null=True, help_text="part of the output")
    cost = models.FloatField(null=True, help_text="USD")
    cost_computed = models.BooleanField(default=False, help_text="from the price book, not from the emitter")
    tools = models.ForeignKey(Content, null=True, on_delete=models.PROTECT, related_name="+")
    output = models.ForeignKey(Content, null=True, on_delete=models.PROTECT, related_name="+")
    message_ids = StructField(list[int], default=list)
    new_from = models.PositiveSmallIntegerField(default=0)
    parameters = models.JSONField(default=dict)
    attributes = models.JSONField(default=dict)
    # Attributes that are too long for this row, redacted like every content.
    details = models.ForeignKey(Content, null=True, on_delete=models.PROTECT, related_name="+")
    issues = StructField(list[str], default=list, help_text="what was odd, by the names of formats.Issue")
    dropped_attributes = models.PositiveIntegerField(default=0, help_text="cut off by the emitter's limits")
    # Only parts of the span have come so far (log events, a create without its update).
    partial = models.BooleanField(default=False)
    revised_at = models.DateTimeField(null=True, help_text="when its emitter last said something new of it")
    # Keyed hashes of what was delivered of it, 8 bytes each: a redelivery is recognised without a look at it.
    delivered = models.BinaryField(default=bytes, blank=True, editable=False)
    parts = StructField[Parts | None](Parts, null=True, editable=False)
    input_preview = models.CharField(max_length=200, blank=True)
    output_preview = models.CharField(max_length=200, blank=True)

    objects = SpanQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "trace_id", "span_id"], name="one_span_per_trace_and_id"
            )
        ]
        indexes = [
            models.Index(fields=["agent", "-started_at", "-id"], name="span_list"),
            models.Index(fields=["agent", "model", "-started_at", "-id"], name="span_by_model"),
            models.Index(fields=["agent", "action", "-started_at", "-id"], name="span_by_action"),
            models.Index(fields=["agent", "status", "-started_at", "-id"], name="span_by_status"),
            models.Index(fields=["session", "started_at", "id"], name="span_of_session"),
            models.Index(fields=["emitter", "-id"], name="span_of_emitter"),
        ]

    def get_absolute_url(self) -> str:
        return self.agent.address("traces:call", self.pk)

    @property
    def label(self) -> str:
        """What lists call it: a call by what it did, any other span by its name."""
        return (self.action or "call") if self.kind == Kind.LLM else (self.name or self.kind)


class Introduction(models.Model):
    """The call that first showed a message in its session; a search hit leads here."""

    span = models.ForeignKey(Span, on_delete=models.CASCADE, related_name="introductions")
    content = models.ForeignKey(Content, on_delete=models.CASCADE, related_name="introductions")
    position = models.PositiveSmallIntegerField()

    class Meta:
        indexes = [models.Index(fields=["content", "span"], name="introduction_of_content")]
