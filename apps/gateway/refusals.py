"""A call that ends without an answer; each surface says so in its own words."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer to the caller, not a fault of the gateway
    """The call ends here with this status."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str = "invalid_request_error",
        *,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers
