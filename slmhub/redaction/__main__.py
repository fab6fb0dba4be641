"""`python -m slmhub.redaction < LINES`: `{"text"}` in, `{"text","findings","redacted"}` out, in input order.

Surrogates are numbered over the whole run. A line without a text gives `{"error"}` in its place and makes
the exit status 1.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson

from slmhub.redaction.findings import Numbering, replace
from slmhub.redaction.recognisers.registry import detect


def main() -> int:
    numbering, failed = Numbering(), False
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if line.strip():
            answer = _answer(line, number, numbering)
            failed = failed or "error" in answer
            sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()
    return int(failed)


def _answer(line: bytes, number: int, numbering: Numbering) -> dict[str, Any]:
    try:
        text = orjson.loads(line)["text"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        return {"error": f'line {number} is not a JSON object with a string "text"'}
    findings = detect(text)
    return {"text": text, "findings": findings, "redacted": replace(text, findings, numbering)}


if __name__ == "__main__":
    raise SystemExit(main())
