"""Events in words: who did what to what, with a link where there is a page for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from apps.accounts.models import Workspace
from apps.events.facts import Fact, Tone, declared
from apps.events.models import Event

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


def sentences(workspace: Workspace, events: Iterable[Event]) -> list[Sentence]:
    """Events should come with `actor` and `agent` selected."""
    return [sentence(workspace, event) for event in events]


def sentence(workspace: Workspace, event: Event) -> Sentence:
    actor = str(event.actor) if event.actor else HUB
    agent = str(event.agent) if event.agent else ""
    fact = _fact(event)
    if fact is None:
        return _neutral(event, actor, agent)
    what = fact.what()
    about_agent = agent if agent != what else ""
    return Sentence(
        event=event,
        who=fact.who() or actor,
        verb=fact.verb,
        what=what[:LONGEST],
        url=fact.page.address(fact, workspace, event.agent) if fact.page else "",
        detail=" · ".join(filter(None, (about_agent, fact.detail())))[:LONGEST],
        tone=fact.tone,
    )


def _fact(event: Event) -> Fact | None:
    """None for a type that no app declares any more, or that was stored in another shape."""
    kind = declared().get(event.type)
    if kind is None:
        return None
    try:
        return kind.read(event.data)
    except msgspec.ValidationError:
        return None


def _neutral(event: Event, actor: str, agent: str) -> Sentence:
    """Says of an old row what can be said of any: by whom, which type, and a name where it holds one."""
    kind = declared().get(event.type)
    verb = kind.verb if kind else f"left the event “{event.type}”"
    data = event.data if isinstance(event.data, dict) else {}
    names = (data.get(key) for key in ("name", "title", "person", "email", "filename"))
    what = next((name for name in names if isinstance(name, str) and name), "")
    return Sentence(event, actor, verb, what[:LONGEST], url="", detail=agent[:LONGEST], tone=Tone.PLAIN)
