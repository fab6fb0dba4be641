"""Redacts an original once more by its stored findings. Nothing is searched for: no recogniser is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.core.errors import ConflictError
from apps.privacy.models import Finding
from apps.privacy.older_paths import paths_in_original
from apps.privacy.surrogates import Value, Vault
from slmhub import redaction
from slmhub.redaction import PayloadFinding


class ValueMovedError(ConflictError):
    """What stands at a finding's path is not what its surrogate stands for: nobody knows what to hide."""


def hidden_again(original: Any, hidden: Sequence[Finding], vault: Vault) -> Any:
    """The original with these findings of it replaced by the surrogates that they have.

    `hidden` are all findings of the content that stay hidden: what is left out is shown. Raises
    ValueMovedError.
    """
    surrogates: dict[tuple[str, str], str] = {}
    found = []
    for finding in hidden:
        for path in _paths(original, finding, hidden, vault):
            value = redaction.text_at(original, path)[finding.start : finding.end]
            surrogates[finding.entity, value] = finding.surrogate.text
            found.append(
                PayloadFinding(
                    path, finding.start, finding.end, finding.entity, finding.score, finding.detector, value
                )
            )
    return redaction.apply(original, found, lambda entity, value: surrogates[entity, value])


def _paths(original: Any, finding: Finding, hidden: Sequence[Finding], vault: Vault) -> list[str]:
    """Where the value stands: at the finding's path, proved by its keyed digest in the vault."""
    is_older = not finding.recogniser
    paths = paths_in_original(original, finding, hidden, vault) if is_older else [finding.path]
    standing = [path for path in paths if _stands_at(original, path, finding, vault)]
    if not standing:
        raise ValueMovedError(
            "A hidden value was not found in the original, so that this text cannot be made anew.",
            hint=f"Nothing has changed. It is the value of finding {finding.pk}, {finding.surrogate.text}.",
        )
    return standing


def _stands_at(original: Any, path: str, finding: Finding, vault: Vault) -> bool:
    try:
        text = redaction.text_at(original, path)
    except KeyError:
        return False
    value = Value(finding.entity, text[finding.start : finding.end])
    return vault.digest(value) == bytes(finding.surrogate.digest)
