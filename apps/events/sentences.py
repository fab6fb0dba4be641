"""Events in words: who did what to what, with a link where the event has an id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.accounts.models import Workspace
from apps.events.models import Event, EventType

HUB = "The hub"
LONGEST = 200


@dataclass(frozen=True)
class Sentence:
    """`who` `verb` `what`; plain text throughout, the template escapes it."""

    event: Event
    who: str
    verb: str
    what: str
    url: str
    detail: str
    tone: str


@dataclass(frozen=True)
class Subject:
    """What the events of one group are about: the id's key in `data` and the page that shows it."""

    key: str
    route: str
    of_agent: bool = True


SUBJECTS: dict[str, Subject] = {
    "job": Subject("job", "jobs:detail", of_agent=False),
    "upload": Subject("upload", "uploads:detail"),
    "task": Subject("task", "discovery:detail"),
    "dataset": Subject("dataset", "datasets:detail"),
    "training": Subject("run", "training:detail"),
    "evaluation": Subject("evaluation", "evaluation:detail"),
    "rollout": Subject("rollout", "rollouts:detail"),
}
# Groups whose events lead to a list, since they name no single row.
LISTS: dict[str, tuple[str, bool]] = {
    "traces": ("traces:list", True),
    "finding": ("privacy:findings", False),
    "discovery": ("discovery:list", True),
    "teacher": ("registry:list", True),
    "agent": ("insights:home", True),
    "member": ("team:people", False),
    "price": ("prices:list", False),
}

VERBS: dict[str, str] = {
    EventType.WORKSPACE_CREATED: "created the workspace",
    EventType.AGENT_CREATED: "added the agent",
    EventType.MEMBER_INVITED: "invited",
    EventType.MEMBER_JOINED: "let in",
    EventType.MEMBER_ROLE_CHANGED: "changed the role of",
    EventType.MEMBER_REMOVED: "removed",
    EventType.INVITATION_WITHDRAWN: "withdrew the invitation of",
    EventType.KEY_CREATED: "made the API key",
    EventType.KEY_REVOKED: "revoked the API key",
    EventType.JOB_QUEUED: "asked for",
    EventType.JOB_STARTED: "started",
    EventType.JOB_FINISHED: "finished",
    EventType.JOB_FAILED: "failed at",
    EventType.JOB_CANCELLED: "stopped",
    EventType.JOB_RETRIED: "queued again",
    EventType.UPLOAD_RECEIVED: "uploaded",
    EventType.TRACES_INGESTED: "stored",
    EventType.ORIGINAL_REVEALED: "read the original behind",
    EventType.FINDING_DECIDED: "decided",
    EventType.DISCOVERY_FINISHED: "found",
    EventType.TASK_RENAMED: "renamed the task",
    EventType.TASK_ACCEPTED: "accepted the task",
    EventType.TASK_IGNORED: "ignored the task",
    EventType.TASK_REOPENED: "reopened the task",
    EventType.TASK_MERGED: "merged the task",
    EventType.TASK_UNMERGED: "undid the merge of",
    EventType.DATASET_FROZEN: "froze the dataset",
    EventType.TRAINING_STARTED: "started training for",
    EventType.TRAINING_FINISHED: "finished training for",
    EventType.TRAINING_FAILED: "failed to train for",
    EventType.TRAINING_CANCELLED: "stopped training for",
    EventType.EVALUATION_STARTED: "started to evaluate",
    EventType.EVALUATION_FINISHED: "evaluated",
    EventType.EVALUATION_FAILED: "failed to evaluate",
    EventType.ROLLOUT_REQUESTED: "asked to roll out",
    EventType.ROLLOUT_APPROVED: "approved the rollout of",
    EventType.ROLLOUT_REJECTED: "rejected the rollout of",
    EventType.ROLLOUT_WITHDRAWN: "withdrew the request to roll out",
    EventType.ROLLOUT_ROLLED_BACK: "rolled back",
    EventType.PRICE_SET: "set the price of",
    EventType.PRICE_REMOVED: "removed the price of",
    EventType.TEACHER_CHANGED: "changed the teacher to",
}
BAD = {
    EventType.JOB_FAILED,
    EventType.TRAINING_FAILED,
    EventType.EVALUATION_FAILED,
    EventType.ROLLOUT_REJECTED,
}
WARN = {
    EventType.ROLLOUT_ROLLED_BACK,
    EventType.ORIGINAL_REVEALED,
    EventType.KEY_REVOKED,
    EventType.MEMBER_REMOVED,
}
OK = {
    EventType.ROLLOUT_APPROVED,
    EventType.TASK_ACCEPTED,
    EventType.TRAINING_FINISHED,
    EventType.EVALUATION_FINISHED,
}


def sentences(workspace: Workspace, events: Iterable[Event]) -> list[Sentence]:
    """Events should come with `actor` and `agent` selected."""
    return [sentence(workspace, event) for event in events]


def sentence(workspace: Workspace, event: Event) -> Sentence:
    return Sentence(
        event=event,
        who=_who(event),
        verb=_verb(event),
        what=_what(event)[:LONGEST],
        url=_url(workspace, event),
        detail=_detail(event)[:LONGEST],
        tone=_tone(event),
    )


def group_of(event: Event) -> str:
    return event.type.partition(".")[0]


def _who(event: Event) -> str:
    if event.type == EventType.MEMBER_JOINED and event.data.get("person"):
        return str(event.data["person"])
    return str(event.actor) if event.actor else HUB


def _verb(event: Event) -> str:
    if event.type == EventType.MEMBER_JOINED:
        return "joined"
    return VERBS.get(event.type, event.get_type_display().lower())


def _what(event: Event) -> str:
    data = event.data
    if event.type == EventType.TRACES_INGESTED:
        return f"{_count(data.get('accepted'))} calls"
    if event.type == EventType.DISCOVERY_FINISHED:
        return f"{_count(data.get('tasks'))} tasks in {_count(data.get('calls'))} calls"
    if event.type == EventType.FINDING_DECIDED:
        return f"{_count(data.get('findings', 1))} findings"
    if event.type == EventType.MEMBER_JOINED:
        return str(event.workspace)
    words = (data.get(key) for key in ("name", "title", "person", "email", "filename", "surrogate"))
    return next((str(word) for word in words if word), "")


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "some"


def _detail(event: Event) -> str:
    """What else is worth a line: the agent, a role, a verdict, a note."""
    data = event.data
    parts = [str(event.agent) if event.agent and group_of(event) != "agent" else ""]
    parts += [
        str(data[key]) for key in ("role", "decision", "verdict", "error", "note", "reason") if data.get(key)
    ]
    return " · ".join(part for part in parts if part)


def _url(workspace: Workspace, event: Event) -> str:
    group = group_of(event)
    subject = SUBJECTS.get(group)
    if subject is not None:
        identity = event.data.get(subject.key)
        found = isinstance(identity, int)
        return _address(workspace, event, subject.route, subject.of_agent, [identity]) if found else ""
    if group in LISTS:
        route, of_agent = LISTS[group]
        return _address(workspace, event, route, of_agent, [])
    return ""


def _address(workspace: Workspace, event: Event, route: str, of_agent: bool, rest: list[Any]) -> str:
    if not of_agent:
        return reverse(route, args=[workspace.slug, *rest])
    return reverse(route, args=[workspace.slug, event.agent.slug, *rest]) if event.agent else ""


def _tone(event: Event) -> str:
    tones = ((BAD, "bad"), (WARN, "warn"), (OK, "ok"))
    return next((tone for types, tone in tones if event.type in types), "")
