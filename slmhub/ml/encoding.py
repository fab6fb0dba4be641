"""Prompts and completions to token ids, by the model's chat template; special tokens in a text stay text."""

from __future__ import annotations

from typing import Any

PLACEHOLDER = "\u241f"


class ChatEncoder:
    """Wraps a prompt as the one user turn of the tokenizer's chat template."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.end: int = tokenizer.eos_token_id
        self.pad: int = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        self._head, self._tail = (self._ids(part) for part in self._frame())

    def prompt(self, text: str) -> list[int]:
        return [*self._head, *self._plain_ids(text), *self._tail]

    def completion(self, text: str) -> list[int]:
        return [*self._plain_ids(text), self.end]

    def text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _frame(self) -> tuple[str, str]:
        """What the template puts before and after the user's text."""
        if not self._tokenizer.chat_template:
            return "", "\n"
        turn = [{"role": "user", "content": PLACEHOLDER}]
        text = self._tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        before, _, after = text.partition(PLACEHOLDER)
        return before, after

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _plain_ids(self, text: str) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return list(encoded["input_ids"])
