"""How messages, tools and answers become a model's text: each way a module, found by its name.

Training, evaluation and serving all go through here, so that a model is asked exactly as it was taught. The
name of the format stands in the dataset version, in the SPEC and in the manifest. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from slmhub.ml.prompt_formats.compact import Compact, StaticPrompt
from slmhub.ml.prompt_formats.messages import Message, PromptFormatError, Tool
from slmhub.ml.prompt_formats.native import Native

COMPACT, NATIVE = "compact", "native"


class PromptFormat(Protocol):
    """One base asked in one format. Texts are rendered and parsed; tokens are what the model sees."""

    end: int
    pad: int

    def render_prompt(self, messages: Sequence[Message], tools: Sequence[Tool] | None) -> str:
        """The text that the model reads. Raises PromptFormatError where it cannot show the call."""

    def render_answer(self, message: Message) -> str:
        """The text that the model is to write for an assistant message. Raises PromptFormatError."""

    def parse_answer(self, text: str, tools: Sequence[Tool] | None) -> dict[str, Any]:
        """The assistant message in what the model wrote."""

    def words_so_far(self, text: str) -> int:
        """How many characters of an unfinished answer are words, whatever follows, and no call."""

    def encode_prompt(self, text: str) -> list[int]: ...

    def encode_answer(self, text: str) -> list[int]:
        """With the end mark."""

    def decode(self, ids: list[int]) -> str: ...


# A format is made for a base's tokenizer and for what the specialist's prompts leave out.
FORMATS: dict[str, Callable[[Any, StaticPrompt], PromptFormat]] = {COMPACT: Compact, NATIVE: Native}


def open_format(name: str, tokenizer: Any, static: StaticPrompt) -> PromptFormat:
    """Raises PromptFormatError where the base cannot be asked in this format."""
    if name not in FORMATS:
        raise PromptFormatError(f"Prompt format {name!r} is not known; known: {', '.join(FORMATS)}.")
    return FORMATS[name](tokenizer, static)
