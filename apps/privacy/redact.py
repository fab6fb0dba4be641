"""Originals in, redacted contents and findings out; nothing that leaves this module is in clear."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
from slmhub.redaction import Entity, PayloadFinding, Surrogate

log = logging.getLogger(__name__)


class UnredactableError(Exception):
    """The payload could not be searched for sensitive data, so it must not be stored."""


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

    def scan(self, payload: Any, *, kind: ContentKind = ContentKind.MESSAGE) -> Scanned:
        """Raises UnredactableError."""
        try:
            findings = redaction.scan(payload)
        except redaction.TooDeepError as error:
            raise UnredactableError("the payload is nested too deeply to be redacted") from error
        except Exception as error:
            log.exception("redaction failed")
            raise UnredactableError(f"the payload could not be redacted ({type(error).__name__})") from error
        if kind == ContentKind.TOOLS:
            # A tool set is the developers' own text; its example addresses are no customer's.
            findings = [found for found in findings if found.entity == Entity.SECRET]
        return Scanned(payload, findings)

    def learn(self, scans: Iterable[Scanned]) -> None:
        """Numbers the values of these scans; afterwards `redacted` and `draft` need no query."""
        self.vault.learn(Value(found.entity, found.value) for scan in scans for found in scan.findings)

    def redacted(self, scan: Scanned) -> Any:
        return (
            redaction.apply(scan.payload, scan.findings, self.vault.text) if scan.findings else scan.payload
        )

    def redact(self, payload: Any) -> Any:
        """One payload at once. Raises UnredactableError."""
        scan = self.scan(payload)
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
        )
        return Draft(content, with_safe_paths(scan.findings, self.vault.text))

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
        )


def role_of(kind: ContentKind, body: Any) -> str:
    return str(body.get("role", ""))[:16] if kind == ContentKind.MESSAGE else ""


def with_safe_paths(findings: Sequence[PayloadFinding], surrogate: Surrogate) -> list[PayloadFinding]:
    """The findings with their paths as they read in the redacted body: a key may be sensitive itself."""
    keys = [found for found in findings if found.path.endswith("^")]
    if not keys:
        return list(findings)
    names = _safe_keys(keys, surrogate)
    return [replace(found, path=_safe_path(found.path, names)) for found in findings]


def _safe_keys(keys: Sequence[PayloadFinding], surrogate: Surrogate) -> dict[str, str]:
    """Path of a member → its key with all findings replaced, escaped."""
    names = {}
    for path in {found.path for found in keys}:
        member = path[:-1]
        key = _unescaped(member.rpartition("/")[2])
        here = [found for found in keys if found.path == path]
        spans = [redaction.Finding(f.start, f.end, f.entity, f.score, f.detector) for f in here]
        names[member] = _escaped(redaction.replace(key, spans, surrogate))
    return names


def _safe_path(path: str, names: dict[str, str]) -> str:
    raw, safe = "", ""
    for index, segment in enumerate(path.split("/")):
        name = segment.rstrip("#^")
        raw += f"/{segment}" if index else segment
        member = raw[: len(raw) - (len(segment) - len(name))]
        safe += ("/" if index else "") + names.get(member, name) + segment[len(name) :]
    return safe


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1").replace("#", "~2").replace("^", "~3")


def _unescaped(key: str) -> str:
    return key.replace("~3", "^").replace("~2", "#").replace("~1", "/").replace("~0", "~")
