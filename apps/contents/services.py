"""Storing contents: each once per workspace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar

from apps.accounts.models import Workspace
from apps.contents.models import Content
from apps.core.bulk import insert

CHUNK = 500
Item = TypeVar("Item")


def one_writer(workspace: Workspace) -> None:
    """Until the transaction ends, no other writer of this workspace's contents goes on.

    SQLite has one writer anyway (its transactions begin immediate), so there this asks for nothing.
    """
    Workspace.objects.select_for_update(no_key=True).only("pk").get(pk=workspace.pk)


def stored(workspace: Workspace, digests: Sequence[bytes]) -> dict[bytes, int]:
    """Ids of the contents that exist already."""
    rows = (
        Content.objects.filter(workspace=workspace, digest__in=chunk).values_list("digest", "pk")
        for chunk in chunks(digests)
    )
    return {bytes(digest): pk for found in rows for digest, pk in found}


def store(*, workspace: Workspace, contents: Sequence[Content]) -> list[Content]:
    """Inserts what is not there yet and returns just that, with ids. Call `one_writer` first."""
    known = stored(workspace, [bytes(content.digest) for content in contents])
    fresh = [content for content in contents if bytes(content.digest) not in known]
    insert(fresh)
    return fresh


def chunks(items: Sequence[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
