"""Mappings drawn by hand for JSON shapes that no format knows: suggested, saved per agent, used again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from apps.accounts.models import Agent, User
from apps.core.errors import HubError
from apps.uploads import services as uploads
from apps.uploads.models import Mapping, Upload
from slmhub.formats import AUTO, MalformedError, mapped
from slmhub.formats.files.containers import BrokenStreamError, Limits, members_of
from slmhub.formats.files.documents import rows_of
from slmhub.formats.reader import decoded
from slmhub.formats.registry import claiming

BY_HAND = "by_hand"
FIELDS = (*mapped.PATHS, "role_key", "content_key")
_ROWS = 20


class BadMappingError(HubError):
    """The mapping cannot be used."""

    status = 422


@dataclass
class Drawn:
    """A mapping for one file; `examples` are the paths of its first rows. With a problem it is not used."""

    rules: mapped.Mapping
    examples: dict[str, str]
    fingerprint: str
    is_saved: bool = False
    problem: str = ""


def drawn(upload: Upload, stream: BinaryIO, *, wanted: str, given: dict[str, str]) -> Drawn | None:
    """The mapping that this file needs, or None: some format claims its rows, or it has none."""
    return _drawn(upload, _first_rows(stream), wanted=wanted, given=given)


def _drawn(upload: Upload, rows: list[Any], *, wanted: str, given: dict[str, str]) -> Drawn | None:
    # Who chooses "auto" over a mapping that is shown wants none.
    unknown = wanted == AUTO and not given and not any(claiming(row) for row in rows)
    by_hand = wanted == BY_HAND or unknown
    objects = [row for row in rows if isinstance(row, dict)]
    if not objects or not by_hand:
        return None
    fingerprint = mapped.fingerprint(objects[0])
    saved = Mapping.objects.filter(agent=upload.agent, fingerprint=fingerprint).first()
    rules = _rules(given, saved) or mapped.suggest(objects[0])
    problem = _problem(rules)
    return Drawn(rules, dict(mapped.paths_of(objects)), fingerprint, saved is not None and not given, problem)


def _rules(given: dict[str, str], saved: Mapping | None) -> mapped.Mapping | None:
    if given:
        keys = {name: path for name, path in given.items() if path or name in mapped.PATHS}
        return mapped.Mapping(**keys)  # type: ignore[arg-type]
    return saved.rules if saved else None


def _problem(rules: mapped.Mapping) -> str:
    try:
        mapped.check(rules)
    except mapped.PathError as error:
        return str(error)
    return ""


def choice(
    upload: Upload, *, wanted: str = AUTO, given: dict[str, str] | None = None, actor: User | None = None
) -> uploads.Choice:
    """How the file is imported; a mapping is kept for the next file of its shape. Raises BadMappingError."""
    with uploads.opened(upload) as stream:
        rows = _first_rows(stream)
    found = _drawn(upload, rows, wanted=wanted, given=given or {})
    if found is None or not (given or found.is_saved):
        # A guess that nobody has looked at is not used.
        named = AUTO if wanted == BY_HAND else wanted
        return uploads.Choice(upload, named, detected=_detected(rows))
    if found.problem:
        raise BadMappingError(f"{upload.filename}: {found.problem}.")
    return uploads.Choice(upload, AUTO, _saved(upload.agent, found, actor))


def _saved(agent: Agent, found: Drawn, actor: User | None) -> Mapping:
    values = {"rules": found.rules, "made_by": actor}
    return Mapping.objects.update_or_create(agent=agent, fingerprint=found.fingerprint, defaults=values)[0]


def _first_rows(stream: BinaryIO) -> list[Any]:
    return list(islice(_rows(stream), _ROWS))


def _detected(rows: list[Any]) -> str:
    return next((known.name for row in rows if (known := claiming(row))), "")


def _rows(stream: BinaryIO) -> Iterator[Any]:
    try:
        for member in members_of(stream, Limits()):
            for row in rows_of(member.blocks, Limits()).rows:
                if not row.fault and (value := _decoded(row.data)) is not None:
                    yield value
    except BrokenStreamError:
        return


def _decoded(data: bytes) -> Any:
    try:
        return decoded(data)[0]
    except MalformedError:
        return None
