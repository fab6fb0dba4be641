"""A span that comes in parts: each part says something, in any order, and the row ends up the same.

The rule, field by field: what is absent is filled; between a span and mere parts of it the span's own value
stands; else the later revision's; else the one that came first. So that the order of arrival does not matter,
`Span.parts` keeps the rank of each value whose rank is not that of most.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from operator import itemgetter
from typing import Any, Protocol

from apps.ingest.details import bounded, split
from apps.ingest.pending import FINGERPRINT_BYTES, MOST_MESSAGES, UnstorableError
from apps.ingest.spans import MODEL_KINDS, USAGE, place_usage, settle, stated_kind, usage_of
from apps.traces.models import Kind, Span
from apps.traces.parts import Parts, Rank
from slmhub.formats.records import Issue

MOST_FINGERPRINTS = 64
_PLAIN = (
    "parent_id", "environment", "user", "name", "provider", "model", "error", "finish_reason", "ttft_ms",
    "format", "emitter_id",
)  # fmt: skip
_SEEN = (
    *_PLAIN, "kind", "session_id", "started_at", "latency_ms", "tools_id", "output_id", "details_id",
    "message_ids", "parameters", "attributes", "issues", "dropped_attributes", "partial", "simulated",
    "served_by", "fallback",
    "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "cost",
)  # fmt: skip
_SHOWS = ("kind", "session_id", "started_at", "message_ids", "output_id")
_ABSENT: tuple[Any, ...] = (None, "", [], {})

GUESS: Rank = (-1, 0)


class Library(Protocol):
    """What the contents of a row say."""

    def attributes(self, content_id: int) -> dict[str, Any]: ...
    def keep_attributes(self, attributes: dict[str, Any]) -> int: ...
    def preview(self, content_id: int) -> str: ...
    def signatures(self, message_ids: list[int], tools_id: int | None) -> tuple[str, str]: ...


class Precedence:
    """Which of two values stands, and how it came to stand."""

    def __init__(self, row: Span, part: Span) -> None:
        held = row.parts or Parts()
        self.base: Rank = held.base or rank_of(row)
        self.own: dict[str, Rank] = dict(held.ranks)
        if held.guessed and "started_at" not in self.own:
            self.own["started_at"] = GUESS
        self.given = rank_of(part)

    def of(self, name: str) -> Rank:
        return self.own.get(name, self.base)

    def stands(self, name: str, held: Any, given: Any, rank: Rank | None = None) -> Any:
        """The value that stands; remembers its rank."""
        rank = rank or self.given
        if given in _ABSENT:
            return held
        if held in _ABSENT:
            self.own[name] = rank
            return given
        if held == given:
            self.own[name] = max(self.of(name), rank)
            return held
        if rank <= self.of(name):
            return held
        self.own[name] = rank
        return given

    def write(self, parts: Parts, names: set[str]) -> None:
        """Only what differs from most is kept."""
        every = {name: self.of(name) for name in names}
        base = Counter(every.values()).most_common(1)[0][0] if every else self.base
        parts.base, parts.ranks = base, {name: rank for name, rank in every.items() if rank != base}


def rank_of(span: Span) -> Rank:
    revised = int(span.revised_at.timestamp() * 1_000_000) if span.revised_at else 0
    return int(not span.partial), revised


def completed(row: Span, part: Span, library: Library) -> frozenset[str]:
    """Completes `row` by what `part` says, both spans of one id; the names of what changed.

    Raises UnstorableError; then the row is as it was.
    """
    before = {name: getattr(row, name) for name in _SEEN}
    if row.cost_computed:
        # What the price book says comes and goes with prices and tokens; the emitter said nothing.
        before["cost"] = None
    _Completion(row, part, library).run()
    row.delivered = (bytes(row.delivered) + bytes(part.delivered))[-MOST_FINGERPRINTS * FINGERPRINT_BYTES :]
    return frozenset(name for name, value in before.items() if getattr(row, name) != value)


def shows_otherwise(changes: frozenset[str]) -> bool:
    """Whether the session reads differently now."""
    return not changes.isdisjoint(_SHOWS)


def has_delivered(row_delivered: bytes, fingerprint: bytes) -> bool:
    return any(
        row_delivered[at : at + FINGERPRINT_BYTES] == fingerprint
        for at in range(0, len(row_delivered), FINGERPRINT_BYTES)
    )


class _Completion:
    """One part on its way into a row; the steps stand in `run`."""

    def __init__(self, row: Span, part: Span, library: Library) -> None:
        self.row, self.part, self.library = row, part, library
        self.ranks = Precedence(row, part)
        self.held = row.parts or Parts()
        self.given = part.parts or Parts()
        self.parts = Parts(inherits=self.held.inherits)
        self.interleaved = self._interleaved()

    def run(self) -> None:
        row, part = self.row, self.part
        usage, kind = self._usage(), self._kind()
        for name in _PLAIN:
            setattr(row, name, self.ranks.stands(name, getattr(row, name), getattr(part, name)))
        self._session()
        self._clock()
        sources = self._messages(), self._tools()
        self._signatures(*sources)
        self._output()
        self._attributes()
        row.kind = kind
        row.issues = self._issues()
        row.dropped_attributes = max(row.dropped_attributes, part.dropped_attributes)
        self._served()
        place_usage(row, usage)
        settle(row)
        row.partial = row.partial and part.partial
        row.revised_at = max((at for at in (row.revised_at, part.revised_at) if at), default=None)
        self.ranks.write(self.parts, self._names(usage))
        row.parts = self.parts

    def _names(self, usage: dict[str, Any]) -> set[str]:
        row = self.row
        present = {name for name in (*_PLAIN, "latency_ms", "tools_id", "output_id") if getattr(row, name)}
        keys = {f"attributes/{key}" for key in row.attributes} | {
            f"parameters/{key}" for key in row.parameters
        }
        usages = {f"usage/{name}" for name in usage}
        own = {name for name in self.ranks.own if name.startswith("attributes/")}
        return present | keys | usages | own | {"kind", "started_at", "ended_at", "messages", "session_id"}

    def _kind(self) -> str:
        held, given = (_known(stated_kind(span)) for span in (self.row, self.part))
        stated = self.ranks.stands("kind", held, given) or Kind.OTHER.value
        wraps = bool(self.held.kind or self.given.kind)
        if wraps and stated in MODEL_KINDS:
            self.parts.kind = stated
            return Kind.CHAIN.value
        return str(stated)

    def _usage(self) -> dict[str, Any]:
        held, given = usage_of(self.row), usage_of(self.part)
        both = {**held, **given}
        return {name: self.ranks.stands(f"usage/{name}", held.get(name), given.get(name)) for name in both}

    def _session(self) -> None:
        row, part = self.row, self.part
        stated = None if self.held.inherits else row.session_id
        chosen = self.ranks.stands("session_id", stated, part.session_id)
        if chosen is not None:
            self.parts.inherits = False
            row.session_id = chosen

    def _clock(self) -> None:
        row, part, ranks = self.row, self.part, self.ranks
        guess = GUESS if self.given.guessed else None
        if guess and ranks.of("started_at") == GUESS:
            row.started_at = min(row.started_at, part.started_at)
        else:
            row.started_at = ranks.stands("started_at", row.started_at, part.started_at, guess)
        is_guess = ranks.of("started_at") == GUESS
        ended = ranks.stands("ended_at", self.held.ended_at, self.given.ended_at)
        held = None if self.held.timed else row.latency_ms
        row.latency_ms = ranks.stands("latency_ms", held, part.latency_ms)
        if row.latency_ms is None and ended and not is_guess:
            passed = datetime.fromisoformat(ended) - row.started_at
            row.latency_ms = max(0.0, passed.total_seconds() * 1000)
            self.parts.timed = True
        self.parts.guessed, self.parts.ended_at = is_guess, ended

    def _messages(self) -> Span | None:
        """Which of the two the messages come from; None when they come from both."""
        row, part = self.row, self.part
        ids: list[int]
        times: list[int]
        if self.interleaved:
            ids, times = [pk for _, pk in self.interleaved], [time for time, _ in self.interleaved]
        else:
            ids = self.ranks.stands("messages", row.message_ids, part.message_ids)
            times = (self.held if ids == row.message_ids else self.given).times
        self.parts.times = times
        if ids and ids != row.message_ids:
            own = next((span for span in (row, part) if span.message_ids[-1:] == ids[-1:]), None)
            row.input_preview = own.input_preview if own else self.library.preview(ids[-1])
        self._message_ids = ids
        return next((span for span in (row, part) if span.message_ids == ids), None)

    def _interleaved(self) -> list[tuple[int, int]]:
        """Messages of both in the order of their times, each once. Raises UnstorableError."""
        held, given = self.held.times, self.given.times
        if not held or not given:
            return []
        both = dict.fromkeys([*_timed(held, self.row), *_timed(given, self.part)])
        if len(both) > MOST_MESSAGES:
            raise UnstorableError(f"{len(both):,} messages in one call; at most {MOST_MESSAGES:,} fit")
        return sorted(both, key=itemgetter(0))

    def _tools(self) -> Span | None:
        """Which of the two the tools come from; None for either."""
        held, given = self.row.tools_id, self.part.tools_id
        self._tools_id = self.ranks.stands("tools_id", held, given)
        return None if held == given else self.row if self._tools_id == held else self.part

    def _signatures(self, messages: Span | None, tools: Span | None) -> None:
        row = self.row
        changed = (self._message_ids, self._tools_id) != (row.message_ids, row.tools_id)
        row.message_ids, row.tools_id = self._message_ids, self._tools_id
        if not changed:
            return
        if messages is self.part and tools in (None, self.part):
            row.previous, row.routing_key = self.part.previous, self.part.routing_key
        else:
            row.previous, row.routing_key = self.library.signatures(row.message_ids, row.tools_id)

    def _output(self) -> None:
        row, part = self.row, self.part
        chosen = self.ranks.stands("output_id", row.output_id, part.output_id)
        if chosen != row.output_id:
            row.output_id, row.action, row.output_preview = chosen, part.action, part.output_preview

    def _attributes(self) -> None:
        row, part = self.row, self.part
        row.parameters = self._united("parameters", row.parameters, part.parameters)
        held, given = self._all_attributes(row), self._all_attributes(part)
        tags = {tag for one in (held, given) for tag in _tags(one)}
        merged = self._united("attributes", held, given)
        if tags and _tags(held) and _tags(given):
            merged["tags"] = sorted(tags)
        short, long = split(merged)
        reported = {**_reported(part), **_reported(row)}
        row.attributes = {**short, USAGE: reported} if reported else short
        if long:
            same = next((span for span in (row, part) if self._long(span) == long), None)
            row.details_id = same.details_id if same else self.library.keep_attributes(bounded(long))

    def _all_attributes(self, span: Span) -> dict[str, Any]:
        return {**{key: value for key, value in span.attributes.items() if key != USAGE}, **self._long(span)}

    def _long(self, span: Span) -> dict[str, Any]:
        return self.library.attributes(span.details_id) if span.details_id else {}

    def _united(self, what: str, held: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """Keys of both in the order of their names, so that their order says nothing of that of arrival."""
        keys = held if held.keys() >= given.keys() else sorted({*held, *given})
        return {key: self.ranks.stands(f"{what}/{key}", held.get(key), given.get(key)) for key in keys}

    def _served(self) -> None:
        """What the gateway says of its own answer stands, whatever others say of the same call."""
        row, part = self.row, self.part
        if row.served_by:
            return
        if part.served_by:
            row.served_by, row.fallback, row.simulated = part.served_by, part.fallback, part.simulated
        else:
            row.simulated = row.simulated or part.simulated

    def _issues(self) -> list[str]:
        issues = {*self.row.issues, *self.part.issues} - {Issue.WRAPS_MODEL_CALL.value}
        return sorted({*issues, Issue.WRAPS_MODEL_CALL.value} if self.parts.kind else issues)


def _known(kind: str) -> str | None:
    return None if kind == Kind.OTHER else kind


def _timed(times: list[int], span: Span) -> list[tuple[int, int]]:
    return list(zip(times, span.message_ids, strict=False))


def _reported(span: Span) -> dict[str, Any]:
    reported = span.attributes.get(USAGE)
    return reported if isinstance(reported, dict) else {}


def _tags(attributes: dict[str, Any]) -> list[str]:
    tags = attributes.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
