"""Originals in, redacted contents and findings out; nothing that leaves this module is in clear."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from django.db import transaction

from apps.accounts.keys import keyring as keyring_of
from apps.accounts.models import Workspace
from apps.contents.addressing import Original, seal_original
from apps.contents.models import Content, ContentKind
from apps.contents.services import one_writer, store
from apps.contents.text import text_of
from apps.core.bulk import insert
from apps.privacy.models import Finding
from apps.privacy.surrogates import Value, Vault
from slmhub import redaction
from slmhub.redaction import RECOGNISERS, Entity, PayloadFinding

Key = TypeVar("Key", bound=Hashable)

log = logging.getLogger(__name__)


class UnredactableError(Exception):
    """The payload could not be searched for sensitive data, so it must not be stored."""


class Payload(NamedTuple):
    """What is to be searched; the kind says what counts as sensitive in it."""

    value: Any
    kind: ContentKind = ContentKind.MESSAGE


@dataclass(frozen=True)
class Scanned:
    """A payload and what was found in it; not redacted yet."""

    payload: Any
    findings: list[PayloadFinding]


@dataclass(frozen=True)
class Draft:
    """A content ready to be stored, with what was found in its original."""

    content: Content
    findings: list[PayloadFinding]


class Redactor:
    """Redacts for one workspace. Scan everything, learn the values at once, then redact without a query."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.keyring = keyring_of(workspace.pk)
        self.vault = Vault(workspace, self.keyring)

    def scan_all(
        self, payloads: Mapping[Key, Payload]
    ) -> tuple[dict[Key, Scanned], dict[Key, UnredactableError]]:
        """What was found in each payload, and why the others could not be searched."""
        refused: dict[Key, UnredactableError] = {}
        try:
            all_at_once = redaction.scan_all(payload.value for payload in payloads.values())
            found = dict(zip(payloads, all_at_once, strict=True))
        except Exception:
            # One of them is to blame: alone, each answers for itself.
            found = {}
            for key, payload in payloads.items():
                try:
                    found[key] = _found_in(payload.value)
                except UnredactableError as error:
                    refused[key] = error
        scans = {key: _scanned(payloads[key], findings) for key, findings in found.items()}
        return scans, refused

    def learn(self, scans: Iterable[Scanned]) -> None:
        """Numbers the values of these scans; afterwards `redacted` and `draft` need no query."""
        self.vault.learn(Value(found.entity, found.value) for scan in scans for found in scan.findings)

    def redacted(self, scan: Scanned) -> Any:
        return (
            redaction.apply(scan.payload, scan.findings, self.vault.text) if scan.findings else scan.payload
        )

    def redact(self, payload: Any) -> Any:
        """One payload at once. Raises UnredactableError."""
        scan = Scanned(payload, _found_in(payload))
        self.learn([scan])
        return self.redacted(scan)

    def draft(self, original: Original, scan: Scanned) -> Draft:
        body = self.redacted(scan)
        content = Content(
            workspace_id=self.workspace.pk,
            kind=original.kind,
            digest=original.digest,
            role=role_of(original.kind, body),
            body=body,
            text=text_of(original.kind, body),
            original=seal_original(self.keyring, original),
            size=len(original.plain),
            recognisers=RECOGNISERS.version,
        )
        return Draft(content, redaction.with_names(scan.payload, scan.findings, self.vault.text))

    @transaction.atomic
    def store(self, drafts: Sequence[Draft]) -> list[Content]:
        """Inserts the contents that nobody has stored meanwhile, with their findings; returns just those."""
        one_writer(self.workspace)
        created = store(workspace=self.workspace, contents=[draft.content for draft in drafts])
        fresh = {content.digest: content for content in created}
        rows = [
            self._finding(fresh[draft.content.digest], found)
            for draft in drafts
            if draft.content.digest in fresh
            for found in draft.findings
        ]
        insert(rows)
        return created

    def _finding(self, content: Content, found: PayloadFinding) -> Finding:
        return Finding(
            workspace_id=self.workspace.pk,
            content_id=content.pk,
            surrogate_id=self.vault.of(Value(found.entity, found.value)).pk,
            path=found.path,
            start=found.start,
            end=found.end,
            entity=found.entity,
            detector=found.detector,
            score=found.score,
            recogniser=RECOGNISERS.found_by(found.detector),
        )


def role_of(kind: ContentKind, body: Any) -> str:
    return str(body.get("role", ""))[:16] if kind == ContentKind.MESSAGE else ""


def _found_in(payload: Any) -> list[PayloadFinding]:
    try:
        return redaction.scan(payload)
    except redaction.TooDeepError as error:
        raise UnredactableError("the payload is nested too deeply to be redacted") from error
    except Exception as error:
        log.exception("redaction failed")
        raise UnredactableError(f"the payload could not be redacted ({type(error).__name__})") from error


def _scanned(payload: Payload, findings: list[PayloadFinding]) -> Scanned:
    if payload.kind == ContentKind.TOOLS:
        # A tool set is the developers' own text; its example addresses are no customer's.
        findings = [found for found in findings if found.entity == Entity.SECRET]
    return Scanned(payload.value, findings)
