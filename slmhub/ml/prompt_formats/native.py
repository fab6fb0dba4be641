"""The base's own chat template and tool format, as its makers trained it and as vLLM would show it.

Nothing is left out of a prompt, so any OpenAI-compatible server that applies the template can serve such a
specialist. Text in a message that spells a special token becomes that token, as it does in those servers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from slmhub.ml.prompt_formats.compact import NOTHING_STATIC, StaticPrompt
from slmhub.ml.prompt_formats.messages import (
    Message,
    PromptFormatError,
    Tool,
    content_text,
    encodable,
    json_or_none,
    openai_call,
    tool_function,
    tool_name,
)

PLACEHOLDER = "\u241f"
QUESTION = [{"role": "user", "content": PLACEHOLDER}]
CALL_MARK = "<tool_call>"
MARKED_CALL = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
PROBE = {"type": "function", "function": {"name": "probe_tool", "description": "", "parameters": {}}}


class Native:
    """A base's chat template, in both directions. Raises PromptFormatError where the base has none."""

    def __init__(self, tokenizer: Any, static: StaticPrompt = NOTHING_STATIC) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise PromptFormatError(
                "This base model has no chat template: it cannot be asked in the native format. "
                "Choose its instruct version, or the compact format."
            )
        if static != NOTHING_STATIC:
            raise PromptFormatError("The native format leaves nothing out of a prompt.")
        self._tokenizer = tokenizer
        self._asked = self._apply(QUESTION, add_generation_prompt=True)
        self.end = self._end_of_turn()
        self.pad: int = self.end if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self._shows_tools = "probe_tool" in self._apply(QUESTION, tools=[PROBE])

    def render_prompt(self, messages: Sequence[Message], tools: Sequence[Tool] | None) -> str:
        if tools and not self._shows_tools:
            raise PromptFormatError("The chat template of this base model does not show tools.")
        offered = [{"type": "function", "function": dict(tool_function(tool))} for tool in tools or ()]
        shown = [_for_template(message) for message in messages]
        return self._apply(shown, tools=offered or None, add_generation_prompt=True)

    def render_answer(self, message: Message) -> str:
        """What the template writes after the point where it asks for an answer, up to the end mark."""
        answer = _for_template({**message, "role": "assistant"})
        whole = self._apply([*QUESTION, answer])
        if not whole.startswith(self._asked):
            raise PromptFormatError("The chat template of this base model does not begin answers as it asks.")
        mark = self._tokenizer.convert_ids_to_tokens(self.end)
        text, found, _ = whole.removeprefix(self._asked).rpartition(mark)
        text = text if found else whole.removeprefix(self._asked)
        if any(call["function"]["name"] not in text for call in answer.get("tool_calls", ())):
            raise PromptFormatError("The chat template of this base model does not show tool calls.")
        return text

    def parse_answer(self, text: str, tools: Sequence[Tool] | None) -> dict[str, Any]:
        """Calls stand between marks (Hermes, Qwen, SmolLM) or are the whole answer as JSON (Llama)."""
        names = {tool_name(tool) for tool in tools or ()}
        words, mark, _ = text.partition(CALL_MARK)
        written = MARKED_CALL.findall(text) if mark else [text]
        values = [json_or_none(one) for one in written if one[:1] == "{"]
        calls = [_call(value) for value in values if isinstance(value, Mapping)]
        if not calls or len(calls) < len(written) or not all(name in names for name, _ in calls):
            return {"role": "assistant", "content": text}
        tool_calls = [openai_call(name, arguments) for name, arguments in calls]
        return {
            "role": "assistant",
            "content": (words.rstrip() or None) if mark else None,
            "tool_calls": tool_calls,
        }

    def words_so_far(self, text: str) -> int:
        if text.lstrip()[:1] in ("", "{"):
            return 0
        words, mark, _ = text.partition(CALL_MARK)
        if not mark:
            # The text may end within a mark that is not whole yet.
            begun = next(size for size in range(len(CALL_MARK), -1, -1) if text.endswith(CALL_MARK[:size]))
            words = text[: len(text) - begun]
        return len(words.rstrip())

    def encode_prompt(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def encode_answer(self, text: str) -> list[int]:
        return [*self.encode_prompt(text), self.end]

    def decode(self, ids: list[int]) -> str:
        # Marks of tool calls are special tokens in some vocabularies; the end mark is never among the ids.
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _apply(self, messages: Sequence[Message], **options: Any) -> str:
        try:
            return encodable(self._tokenizer.apply_chat_template(messages, tokenize=False, **options))
        except Exception as error:
            # Templates are programs of the base's makers: they refuse roles and orders in ways of their own.
            raise PromptFormatError(f"The chat template of this base model refuses: {error}") from error

    def _end_of_turn(self) -> int:
        """The token that the template puts after an answer, which need not be the tokenizer's own end."""
        turn = self._apply([*QUESTION, {"role": "assistant", "content": "\u2420"}])
        after = self.encode_prompt(turn.rpartition("\u2420")[2].strip())
        special: set[int] = set(self._tokenizer.all_special_ids)
        return after[0] if after and after[0] in special else int(self._tokenizer.eos_token_id)


def _for_template(message: Message) -> dict[str, Any]:
    """Templates expect text for content and values, not a JSON string, for arguments."""
    shown: dict[str, Any] = {**message, "content": content_text(message.get("content"))}
    calls = message.get("tool_calls") or ()
    shown.pop("tool_calls", None)
    if calls:
        shown["tool_calls"] = [{**call, "function": _call_for_template(call)} for call in calls]
    return shown


def _call_for_template(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments") or "{}"
    value = json_or_none(arguments) if isinstance(arguments, str) else arguments
    return {"name": str(function.get("name", "")), "arguments": value if value is not None else arguments}


def _call(value: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | str]:
    arguments = value.get("arguments", value.get("parameters", {}))
    return str(value.get("name", "")), arguments if isinstance(arguments, Mapping | str) else {}
