"""An agent's calls as the lines that `python -m slmhub.ml.clustering` reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import xxhash

from apps.accounts.models import Agent
from apps.contents.models import Content
from apps.core.keyset import in_chunks
from apps.traces.models import Span, SpanQuerySet, Status
from slmhub.formats import signature
from slmhub.ml.clustering.cells import cell_key, toolset_digest

CHUNK = 300
PROMPT_ROLES = frozenset({"system", "developer"})


def recurring_calls(agent: Agent) -> SpanQuerySet:
    """Calls that were answered: what can recur. Failed calls say nothing about what they would have done."""
    answered = Span.objects.calls().filter(agent=agent, status=Status.OK, output__isnull=False)
    return answered.exclude(action__in=["", signature.NOTHING])


def write_lines(agent: Agent, path: Path, on_progress: Callable[[int], None]) -> int:
    """One line a call: id, cell, masked ask and answer, audience. Returns how many."""
    cells, written = Cells(), 0
    with path.open("wb") as file:
        for chunk in _chunks(recurring_calls(agent)):
            contents = _contents_of(chunk)
            file.writelines(orjson.dumps(cells.line(call, contents)) + b"\n" for call in chunk)
            written += len(chunk)
            on_progress(written)
    return written


def _chunks(calls: SpanQuerySet) -> Iterator[list[Span]]:
    fields = ("pk", "message_ids", "tools_id", "output_id", "previous", "action", "audience")
    return in_chunks(calls.only(*fields), CHUNK)


def _contents_of(calls: Iterable[Span]) -> dict[int, Content]:
    """The prompts, last asks, tool sets and answers of the calls; other messages are not read."""
    calls = list(calls)
    roles = dict(
        Content.objects.filter(pk__in={pk for call in calls for pk in call.message_ids}).values_list(
            "pk", "role"
        )
    )
    wanted = {pk for pk, role in roles.items() if role in PROMPT_ROLES}
    for call in calls:
        asks = (pk for pk in reversed(call.message_ids) if roles.get(pk) == signature.USER)
        wanted.update(pk for pk in (next(asks, None), call.tools_id, call.output_id) if pk)
    return Content.objects.only("role", "body").in_bulk(wanted)


@dataclass
class Cells:
    """Remembers the digests of prompts and tool sets, which recur on every call."""

    templates: dict[tuple[int, ...], str] = field(default_factory=dict)
    toolsets: dict[int | None, str] = field(default_factory=dict)

    def line(self, call: Span, contents: dict[int, Content]) -> dict[str, Any]:
        output = contents[call.output_id].body if call.output_id in contents else None
        asks = [pk for pk in call.message_ids if pk in contents and contents[pk].role == signature.USER]
        ask = signature.text_of(contents[asks[-1]].body.get("content")) if asks else ""
        cell = cell_key(
            template=self._template(call, contents),
            toolset=self._toolset(call, contents),
            previous=call.previous,
            action=call.action,
            keys=signature.argument_keys(output),
        )
        answer = signature.mask(signature.text_of((output or {}).get("content")))
        return {
            "id": call.pk,
            "cell": cell,
            "ask": signature.mask(ask),
            "answer": answer,
            "audience": call.audience,
        }

    def _template(self, call: Span, contents: dict[int, Content]) -> str:
        prompts = tuple(pk for pk in call.message_ids if pk in contents and contents[pk].role in PROMPT_ROLES)
        if prompts not in self.templates:
            masked = signature.template_of(contents[pk].body for pk in prompts)
            self.templates[prompts] = xxhash.xxh3_64_hexdigest(masked.encode())
        return self.templates[prompts]

    def _toolset(self, call: Span, contents: dict[int, Content]) -> str:
        if call.tools_id not in self.toolsets:
            body = contents[call.tools_id].body if call.tools_id in contents else []
            self.toolsets[call.tools_id] = toolset_digest(body)
        return self.toolsets[call.tools_id]
