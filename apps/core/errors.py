"""One error base and one shape: `{"error": {"type", "message", "hint"}}`."""

from __future__ import annotations

from typing import Any


class HubError(Exception):
    """Something a person or a program asked for cannot be done; `hint` says what to do next."""

    status = 400

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def sentence(self) -> str:
        """What is wrong and what to do next, where there is one line for both."""
        return f"{self.message} {self.hint}".strip()


class ConflictError(HubError):
    """The row is no longer in the state that the request assumes."""

    status = 409


class BadBodyError(HubError):
    """The body is not what this address takes."""


class BodyTooLargeError(HubError):
    """More than one request may carry."""

    status = 413


class CallerLeftError(HubError):
    """The connection went before the body was complete."""


class TooSlowError(HubError):
    """The body did not come in time."""

    status = 408


def error_body(kind: str, message: str, hint: str = "") -> dict[str, Any]:
    return {"error": {"type": kind, "message": message, **({"hint": hint} if hint else {})}}
