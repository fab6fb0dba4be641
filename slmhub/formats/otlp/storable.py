"""Records whose values every database and every JSON writer takes."""

from __future__ import annotations

import msgspec
import orjson

from slmhub.formats.merge import add_issue
from slmhub.formats.records import Issue, Record
from slmhub.formats.storable import may_hold_nul, storable_json

_DEEPEST = 64


def storable(record: Record) -> Record:
    """The same record where its values can be stored; else a copy in which those that cannot are replaced.

    NUL, which no database stores, becomes U+FFFD and is noted; what is nested too deeply becomes a remark.
    """
    values = msgspec.structs.astuple(record)
    try:
        # As the writer will: what this refuses could not be stored.
        written = orjson.dumps([value for value in values if isinstance(value, str | list | dict)])
    except orjson.JSONEncodeError:
        return _replaced(record)
    if not may_hold_nul(written):
        return record
    clean = _replaced(record)
    if clean != record:
        add_issue(clean, Issue.NUL_REPLACED)
    return clean


def _replaced(record: Record) -> Record:
    values = msgspec.structs.asdict(record)
    # Not the kind: an enum's text is no enum.
    kept = {
        name: storable_json(value, deepest=_DEEPEST)
        for name, value in values.items()
        if type(value) in (str, list, dict)
    }
    return msgspec.structs.replace(record, **kept)
