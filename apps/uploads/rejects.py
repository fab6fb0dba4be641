"""The rejected lines of an upload, as they were stored: redacted, with line number and reason."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from apps.uploads.models import Upload

SHOWN = 20


def first(upload: Upload) -> list[dict[str, Any]]:
    """The first `{line, reason, excerpt}`."""
    if not upload.rejects_path:
        return []
    with suppress(FileNotFoundError), Path(upload.rejects_path).open("rb") as file:
        return [orjson.loads(line) for line in islice(file, SHOWN)]
    return []
