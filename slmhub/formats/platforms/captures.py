"""Requests as a collector or proxy captured them: path, headers and a body of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.otlp import json_exports as otlp_json
from slmhub.formats.platforms import langfuse_ingestion, langsmith_runs
from slmhub.formats.records import MalformedError, Record, Reject

NAME = "captures"
EXPECTED = "path and otlp_json, json or body of a captured request"

_BODIES = ("otlp_json", "json", "body")
_READERS = (otlp_json, langfuse_ingestion, langsmith_runs)
# LangSmith's SDK posts one run to /runs and patches it under /runs/<id>.
_ONE_RUN = re.compile(r"/runs(?:/(?P<id>[0-9a-fA-F-]{32,36}))?/?(?:\?.*)?$")


def matches(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("path"), str) and any(key in row for key in _BODIES)


def records(row: dict[str, Any]) -> Iterator[Record | Reject]:
    """Raises MalformedError when the body is of no request that this product takes."""
    body = next(row[key] for key in _BODIES if key in row)
    if isinstance(body, str):
        try:
            body = decode(body)
        except NotJsonError as error:
            raise MalformedError(f"the captured body {error}") from error
    one_run = _ONE_RUN.search(row["path"])
    if one_run and isinstance(body, dict) and "post" not in body and "patch" not in body:
        run_id = one_run["id"]
        body = {"patch": [{"id": run_id, **body}]} if run_id else {"post": [body]}
    for reader in _READERS:
        if reader.matches(body):
            yield from reader.records(body)
            return
    raise MalformedError(f"the body sent to {row['path'][:100]} is no export of spans that is known here")
