"""Any wire format to records: one module a format, `reader` picks by the keys present."""

from __future__ import annotations

from slmhub.formats.files.containers import Limits
from slmhub.formats.peek import Peek, peek
from slmhub.formats.reader import parse_row, parse_rows, read
from slmhub.formats.records import Issue, MalformedError, Message, Record, Reject, SpanKind, Usage
from slmhub.formats.registry import AUTO, FORMATS, UnknownFormatError, detect

__all__ = [
    "AUTO",
    "FORMATS",
    "Issue",
    "Limits",
    "MalformedError",
    "Message",
    "Peek",
    "Record",
    "Reject",
    "SpanKind",
    "UnknownFormatError",
    "Usage",
    "detect",
    "parse_row",
    "parse_rows",
    "peek",
    "read",
]
