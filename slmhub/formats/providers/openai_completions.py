"""The old text completions: a prompt in, text out."""

from __future__ import annotations

from slmhub.formats.fields import Json, as_text, first_in, object_in, objects_in, string_in, text_of
from slmhub.formats.parts import assistant, text_part
from slmhub.formats.providers import names
from slmhub.formats.providers.bodies import error_in, several
from slmhub.formats.providers.openai_chat import usage_of
from slmhub.formats.providers.shapes import Answered, Asked
from slmhub.formats.records import Issue

NAME = "openai_completions"
PROVIDER = None

_CARRIED = frozenset({"prompt", "model", "metadata"})
_KEPT = ("id", "object", "created", "model", "system_fingerprint", "error")


def is_request(body: Json) -> bool:
    return "prompt" in body and "model" in body and "messages" not in body and "input" not in body


def is_response(body: Json) -> bool:
    choice = first_in(body.get("choices"))
    return body.get("object") == "text_completion" or ("text" in choice and "message" not in choice)


def is_event(event: Json) -> bool:
    return is_response(event)


def asked(body: Json, issues: set[Issue]) -> Asked:
    """One user message a prompt; a prompt of token numbers is shown as JSON."""
    prompt = body.get("prompt")
    texts = prompt if isinstance(prompt, list) and all(isinstance(text, str) for text in prompt) else [prompt]
    return Asked(
        messages=[{"role": "user", "content": as_text(text)} for text in texts if text is not None],
        parameters={key: value for key, value in body.items() if key not in _CARRIED},
        model=text_of(body.get("model")),
        user=text_of(body.get("user")),
        streamed=bool(body.get("stream")),
        metadata=object_in(body.get("metadata")),
    )


def answered(body: Json, issues: set[Issue]) -> Answered:
    """Raises MalformedError."""
    choice = several(body.get("choices"), issues)
    given = text_of(choice.get("finish_reason"))
    finish = names.finish_of(given)
    return Answered(
        output=assistant([text_part(as_text(choice.get("text") or ""))]) if choice else None,
        usage=usage_of(object_in(body.get("usage"))),
        finish_reason=finish,
        finish_reason_given=given if given != finish else None,
        model=text_of(body.get("model")),
        response_id=text_of(body.get("id")),
        error=error_in(body),
        created=body.get("created"),
    )


def fold_events(events: list[Json]) -> Json:
    whole: Json = {"object": "text_completion"}
    pieces: list[str] = []
    finish = None
    for event in events:
        whole.update({key: event[key] for key in (*_KEPT, "usage") if event.get(key) is not None})
        for choice in objects_in(event.get("choices")):
            if choice.get("index", 0) == 0:
                pieces.append(string_in(choice.get("text")))
                finish = choice.get("finish_reason") or finish
    return {**whole, "choices": [{"index": 0, "text": "".join(pieces), "finish_reason": finish}]}
