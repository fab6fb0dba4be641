"""Contents and parts of Google's as chat messages."""

from __future__ import annotations

from typing import Any

from slmhub.formats import parts
from slmhub.formats.fields import Json, as_text, either, objects_in, string_in, text_of
from slmhub.formats.parts import Part
from slmhub.formats.providers.bodies import CallNames
from slmhub.formats.records import Issue, MalformedError, Message

_CALL = ("functionCall", "function_call")
_RESULT = ("functionResponse", "function_response")
_INLINE = ("inlineData", "inline_data")
_FILE = ("fileData", "file_data")
_SIGNATURE = ("thoughtSignature", "thought_signature")
_OWN = {
    "executableCode": "executable_code",
    "executable_code": "executable_code",
    "codeExecutionResult": "code_execution_result",
    "code_execution_result": "code_execution_result",
}


def messages_of(contents: list[Any], issues: set[Issue]) -> list[Message]:
    """Raises MalformedError. Parts that stand alone in the list make one message of the user's."""
    messages: list[Message] = []
    results = CallNames()
    for index, content in enumerate(_grouped(contents)):
        if not isinstance(content, dict):
            raise MalformedError(f"request.contents[{index}] is no object")
        if content.get("role") in ("model", "assistant"):
            messages.append(model_message(content, issues))
            results = CallNames()
            continue
        said: list[Part] = []
        answers: list[Message] = []
        for part in objects_in(content.get("parts")):
            result = either(part, *_RESULT)
            if isinstance(result, dict):
                name = text_of(result.get("name"))
                identity = results.id_of(result.get("id"), name)
                answers.append(parts.tool_result(identity, result.get("response"), name))
            else:
                said.append(part_of(part))
        messages += answers
        if said or not answers:
            role = "system" if content.get("role") == "system" else "user"
            messages.append({"role": role, "content": parts.content_of(said) or ""})
    return messages


def _grouped(contents: list[Any]) -> list[Any]:
    """Contents as they are; a text or a part that stands alone in the list in a content of its own."""
    grouped: list[Any] = []
    for item in contents:
        if isinstance(item, str):
            grouped.append({"role": "user", "parts": [{"text": item}]})
        elif isinstance(item, dict) and "parts" not in item:
            grouped.append({"role": string_in(item.get("role")) or "user", "parts": [item]})
        else:
            grouped.append(item)
    return grouped


def model_message(content: Json, issues: set[Issue]) -> Message:
    names = CallNames()
    said: list[Part] = []
    calls: list[Json] = []
    for part in objects_in(content.get("parts")):
        call = either(part, *_CALL)
        if isinstance(call, dict):
            identity = names.id_of(call.get("id"), call.get("name"))
            calls.append(_signed(parts.tool_call(identity, call.get("name"), call.get("args"), issues), part))
        elif part.get("text") != "" or len(part) > 1:
            said.append(part_of(part))
    return parts.assistant([part for part in said if part != parts.text_part("")], calls)


def part_of(part: Json) -> Part:
    """A content part; what is of no known sort is kept as it is, under a type of its own."""
    if isinstance(part.get("text"), str):
        made = parts.reasoning_part if part.get("thought") is True else parts.text_part
        return _signed(made(part["text"]), part)
    inline, file = either(part, *_INLINE), either(part, *_FILE)
    if isinstance(inline, dict):
        mime, data = _mime(inline), as_text(inline.get("data") or "")
        if mime.startswith("image/"):
            return parts.image_part(parts.data_url(mime, data))
        if mime.startswith("audio/"):
            return parts.audio_part(data, mime.removeprefix("audio/"))
        name = text_of(either(inline, "displayName", "display_name"))
        return parts.file_part(filename=name, file_data=parts.data_url(mime, data))
    if isinstance(file, dict):
        mime, url = _mime(file), either(file, "fileUri", "file_uri")
        if mime.startswith("image/") and isinstance(url, str):
            return parts.image_part(url)
        return parts.file_part(url=url, mime_type=mime or None)
    if isinstance(part.get("type"), str):
        return part
    own = next((name for key, name in _OWN.items() if key in part), "google")
    return {"type": own, **part}


def joined(said: list[Part]) -> list[Part]:
    """Pieces of one text, as a stream brings them, put together."""
    whole: list[Part] = []
    texts: list[str] = []
    for part in said:
        last = whole[-1] if whole and _is_text(whole[-1]) and _is_text(part) else None
        if last is not None and part.get("thought") == last.get("thought"):
            texts.append(part["text"])
            last |= {key: value for key, value in part.items() if key != "text"}
            continue
        _close(whole, texts)
        whole.append(dict(part))
        texts = [part["text"]] if _is_text(part) else []
    _close(whole, texts)
    return whole


def _close(whole: list[Part], texts: list[str]) -> None:
    if whole and texts:
        whole[-1]["text"] = "".join(texts)


def _is_text(part: Part) -> bool:
    return isinstance(part.get("text"), str)


def _signed(made: Json, part: Json) -> Json:
    signature = either(part, *_SIGNATURE)
    return {**made, "thought_signature": signature} if signature else made


def _mime(data: Json) -> str:
    return string_in(either(data, "mimeType", "mime_type"))
