"""Decisions on findings and reading originals."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from apps.accounts.keys import keyring
from apps.accounts.models import User, Workspace
from apps.contents.addressing import open_original
from apps.contents.models import Content, ContentKind
from apps.contents.services import one_writer
from apps.contents.text import text_of
from apps.core.errors import ConflictError, HubError
from apps.events.services import publish
from apps.privacy.events import FindingDecided, OriginalRevealed
from apps.privacy.models import Decision, Finding
from apps.privacy.rendering import hidden_again
from apps.privacy.surrogates import Vault

MOST_AT_ONCE = 500
_IDS_IN_EVENT = 50


class TooManyFindingsError(HubError):
    """More findings were chosen than one decision may cover."""


class FieldNameError(ConflictError):
    """The value is the name of a field; shown, it would move the places of what stands below it."""


@transaction.atomic
def decide(*, findings: Iterable[Finding], decision: Decision, actor: User) -> int:
    """Confirms, rejects or reopens findings of one workspace; returns how many changed.

    A rejected finding's value is shown again everywhere, from the original; taking that back hides it again.
    Raises OriginalNotStoredError, FieldNameError, TooManyFindingsError, ValueMovedError; then nothing has
    changed.
    """
    chosen = list(findings)
    if not chosen:
        return 0
    if len(chosen) > MOST_AT_ONCE:
        raise TooManyFindingsError(f"At most {MOST_AT_ONCE} findings can be decided at once.")
    workspace = chosen[0].workspace
    one_writer(workspace)
    rows = Finding.objects.filter(workspace=workspace, pk__in=[finding.pk for finding in chosen])
    changing = list(rows.exclude(decision=decision))
    _refuse_field_names(changing, decision)
    Finding.objects.filter(pk__in=[finding.pk for finding in changing]).update(
        decision=decision,
        decided_by=None if decision == Decision.PENDING else actor,
        decided_at=None if decision == Decision.PENDING else timezone.now(),
    )
    _render(workspace, _shown_or_hidden(changing, decision))
    if changing:
        ids = [finding.pk for finding in changing]
        fact = FindingDecided(decision=decision.value, findings=len(ids), ids=ids[:_IDS_IN_EVENT])
        publish(fact, workspace=workspace, actor=actor)
    return len(changing)


@transaction.atomic
def reveal(*, finding: Finding, actor: User) -> str:
    """The value itself. Each reveal is an event of its own."""
    surrogate = finding.surrogate
    value = keyring(finding.workspace_id).unseal(bytes(surrogate.sealed), bound_to=bytes(surrogate.digest))
    fact = OriginalRevealed(finding=finding.pk, surrogate=surrogate.text, content=finding.content_id)
    publish(fact, workspace=finding.workspace, actor=actor)
    return value.decode(errors="replace")


def _refuse_field_names(findings: Iterable[Finding], decision: Decision) -> None:
    if decision == Decision.REJECTED and any(finding.is_field_name for finding in findings):
        raise FieldNameError(
            "A finding that is the name of a field stays hidden.",
            hint="Confirm it, or leave it out of the selection.",
        )


def _shown_or_hidden(findings: Iterable[Finding], decision: Decision) -> set[int]:
    """Contents whose text changes: a value appears or disappears."""
    shows = decision == Decision.REJECTED
    return {finding.content_id for finding in findings if (finding.decision == Decision.REJECTED) != shows}


def _render(workspace: Workspace, content_ids: set[int]) -> None:
    """Makes body and text of these contents anew: from their originals and what is to stay hidden in them."""
    if not content_ids:
        return
    vault = Vault(workspace, keyring(workspace.pk))
    hidden: dict[int, list[Finding]] = {pk: [] for pk in content_ids}
    standing = Finding.objects.filter(content__in=content_ids).exclude(decision=Decision.REJECTED)
    for finding in standing.select_related("surrogate"):
        hidden[finding.content_id].append(finding)
    for content in Content.objects.filter(workspace=workspace, pk__in=content_ids):
        original = open_original(vault.keyring, content)
        content.body = hidden_again(original, hidden[content.pk], vault)
        content.text = text_of(ContentKind(content.kind), content.body)
        content.save(update_fields=["body", "text"])
