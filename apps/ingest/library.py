"""What the stored contents of a row say, read only when a span is completed."""

from __future__ import annotations

from typing import Any

from apps.contents.addressing import address, canonical, open_original
from apps.contents.models import Content, ContentKind
from apps.contents.services import chunks, store
from apps.contents.text import preview_of
from apps.ingest.pending import fitted
from apps.privacy.redact import Redactor
from slmhub.formats import signature


class ContentReader:
    """A `completion.Library` over the contents of one workspace."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor

    def attributes(self, content_id: int) -> dict[str, Any]:
        body = Content.objects.values_list("body", flat=True).get(pk=content_id)
        return body if isinstance(body, dict) else {}

    def keep_attributes(self, attributes: dict[str, Any]) -> int:
        """Stores attributes that are redacted already; their originals stay with the parts."""
        workspace, plain = self.redactor.workspace, canonical(attributes)
        digest = address(self.redactor.keyring, ContentKind.DETAILS, b"redacted\0" + plain)
        content = Content(
            workspace=workspace, kind=ContentKind.DETAILS, digest=digest, body=attributes, size=len(plain)
        )
        store(workspace=workspace, contents=[content])
        return Content.objects.values_list("pk", flat=True).get(workspace=workspace, digest=digest)

    def preview(self, content_id: int) -> str:
        return preview_of(Content.objects.values_list("text", flat=True).get(pk=content_id))

    def signatures(self, message_ids: list[int], tools_id: int | None) -> tuple[str, str]:
        """(`previous`, `routing_key`) of these messages: one is shown, the other compares originals."""
        wanted = {*message_ids, *([tools_id] if tools_id else [])}
        rows = {
            row.pk: row
            for chunk in chunks(sorted(wanted))
            for row in Content.objects.filter(pk__in=chunk).defer("text")
        }
        messages = [rows[pk] for pk in message_ids]
        tools = self._original(rows[tools_id]) if tools_id else []
        previous = signature.previous_kind([row.body for row in messages])
        key = signature.routing_signature([self._original(row) for row in messages], tools)
        return fitted(previous, 120), key

    def _original(self, content: Content) -> Any:
        return open_original(self.redactor.keyring, content) if content.original else content.body
