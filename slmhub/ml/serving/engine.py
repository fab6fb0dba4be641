"""One worker thread that decodes what waits for the same model together."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from slmhub.ml.generation import FinishReason, Generation, generate
from slmhub.ml.prompt_formats import PromptFormat
from slmhub.ml.prompt_formats.messages import Message, PromptFormatError, Tool
from slmhub.ml.serving.catalogue import ServedModel
from slmhub.ml.serving.loading import LoadedModel, LoadedModels

log = logging.getLogger(__name__)
UNFINISHED = "\ufffd"  # what a byte-level decoder shows for a character whose bytes are not all there


class OverloadedError(Exception):
    """Too many requests wait already."""


class ContextExceededError(Exception):
    """The prompt leaves no room for an answer."""


@dataclass(frozen=True)
class Asked:
    """What one request wants of a model."""

    messages: Sequence[Message]
    tools: Sequence[Tool]
    max_tokens: int | None
    temperature: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    streams: bool = False


@dataclass(frozen=True)
class Delta:
    """Words of the answer that are certain and new; what may turn out to be a tool call is none yet."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The whole answer, as an assistant message."""

    message: dict[str, Any]
    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    confidence: float
    mean_confidence: float
    sha256: str


Event = Delta | Finished | Exception


@dataclass(eq=False)
class Ticket:
    """A request in the engine; `events` ends with Finished or an exception."""

    served: ServedModel
    asked: Asked
    loop: asyncio.AbstractEventLoop
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    row: Generation | None = None
    cancelled: bool = False
    sent: int = 0

    def cancel(self) -> None:
        self.cancelled = True
        if self.row is not None:
            self.row.cancelled = True

    def put(self, event: Event) -> None:
        try:
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)
        except RuntimeError:  # the server is shutting down and its loop is closed
            self.cancelled = True


class Engine:
    """Accepts requests from an event loop; batches are first come, first served by model."""

    def __init__(self, models: LoadedModels, *, batch: int = 64, most_waiting: int = 1024) -> None:
        self._models = models
        self._batch = batch
        self._most_waiting = most_waiting
        self._waiting: deque[Ticket] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="decoding", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            for ticket in self._waiting:
                ticket.cancel()
            self._changed.notify()
        self._thread.join(timeout=5)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def loaded_names(self) -> list[str]:
        return self._models.names()

    def submit(self, served: ServedModel, asked: Asked) -> Ticket:
        """Raises OverloadedError."""
        ticket = Ticket(served, asked, asyncio.get_running_loop())
        with self._changed:
            if len(self._waiting) >= self._most_waiting:
                raise OverloadedError
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def _work(self) -> None:
        while tickets := self._next_batch():
            try:
                self._serve(tickets)
            except Exception as error:
                # Whatever goes wrong with one batch must not end the thread that all models share.
                log.exception("decoding failed for %s", tickets[0].served.name)
                for ticket in tickets:
                    ticket.put(error)

    def _next_batch(self) -> list[Ticket]:
        """Waits; the oldest request and those for the same model. Empty when closed."""
        with self._changed:
            while True:
                if self._closed:
                    return []
                self._waiting = deque(ticket for ticket in self._waiting if not ticket.cancelled)
                if self._waiting:
                    break
                self._changed.wait()
            served = self._waiting[0].served
            chosen = [ticket for ticket in self._waiting if ticket.served == served][: self._batch]
            taken = set(map(id, chosen))
            self._waiting = deque(ticket for ticket in self._waiting if id(ticket) not in taken)
            return chosen

    def _serve(self, tickets: Sequence[Ticket]) -> None:
        loaded = self._models.get(tickets[0].served)
        admitted = [ticket for ticket in tickets if _admit(ticket, loaded)]
        rows = [ticket.row for ticket in admitted if ticket.row is not None]
        if rows:
            end, pad = loaded.prompt_format.end, loaded.prompt_format.pad
            generate(loaded.model, rows, end=end, pad=pad, on_step=_reporter(admitted, loaded))


def _admit(ticket: Ticket, loaded: LoadedModel) -> bool:
    """Renders and encodes the prompt; answers with an error where it cannot be shown or does not fit."""
    asked, prompt_format = ticket.asked, loaded.prompt_format
    try:
        prompt = prompt_format.encode_prompt(prompt_format.render_prompt(asked.messages, asked.tools))
    except PromptFormatError as error:
        ticket.put(error)
        return False
    room = loaded.context - len(prompt)
    if room < 1:
        message = f"The prompt has {len(prompt)} tokens; the context of the model is {loaded.context}."
        ticket.put(ContextExceededError(message))
        return False
    limit = room if asked.max_tokens is None else min(room, asked.max_tokens)
    ended = _stops(prompt_format, asked.stop) if asked.stop else None
    ticket.row = Generation(prompt, limit, asked.temperature, asked.seed, ended, cancelled=ticket.cancelled)
    return True


def _stops(prompt_format: PromptFormat, stop: tuple[str, ...]) -> Callable[[Generation], bool]:
    longest = max(map(len, stop))

    def ended(row: Generation) -> bool:
        # A token holds a byte at least, a character four at most.
        tail = prompt_format.decode(row.ids[-4 * longest - 8 :])
        return any(one in tail for one in stop)

    return ended


def _reporter(tickets: Sequence[Ticket], loaded: LoadedModel) -> Callable[[], None]:
    """Sends what is new after each step: text of streams, and answers that are whole."""
    open_tickets = list(tickets)

    def report() -> None:
        for ticket in list(open_tickets):
            row = ticket.row
            if row is None or (row.finish is None and not ticket.asked.streams):
                continue
            if row.finish is not None:
                open_tickets.remove(ticket)
                ticket.put(_finished(ticket, row, row.finish, loaded))
            else:
                _send_delta(ticket, row, loaded.prompt_format)

    return report


def _send_delta(ticket: Ticket, row: Generation, prompt_format: PromptFormat) -> None:
    """Holds back unfinished characters and whatever may turn out to begin a stop string or a tool call."""
    text = prompt_format.decode(row.ids).rstrip(UNFINISHED)
    held = max((len(stop) - 1 for stop in ticket.asked.stop), default=0)
    certain = len(text) - held
    if ticket.asked.tools:
        certain = min(certain, prompt_format.words_so_far(text))
    if certain > ticket.sent:
        ticket.put(Delta(text[ticket.sent : certain]))
        ticket.sent = certain


def _finished(ticket: Ticket, row: Generation, reason: FinishReason, loaded: LoadedModel) -> Finished:
    text = text_before_stop(loaded.prompt_format.decode(row.ids), ticket.asked.stop)
    return Finished(
        message=loaded.prompt_format.parse_answer(text, ticket.asked.tools),
        reason=reason,
        prompt_tokens=len(row.prompt),
        completion_tokens=len(row.ids),
        confidence=row.confidence,
        mean_confidence=row.mean_confidence,
        sha256=loaded.sha256,
    )


def text_before_stop(text: str, stop: tuple[str, ...]) -> str:
    """`text` up to the first stop string in it."""
    ends = [at for at in (text.find(one) for one in stop) if at >= 0]
    return text[: min(ends)] if ends else text
