"""Redaction beside Presidio's pattern recognisers (no_op NLP): speed, and what is found of labelled values.

Both get the same texts on one thread: an even sample of each corpus, small enough for Presidio.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any

import orjson

from benchmarks.results import MissingDataError, Results, data, skipped
from slmhub.redaction import detect

Row = dict[str, Any]
Spans = list[tuple[int, int, str]]

CORPORA = ("presidio_synth_v2", "presidio_generated_large", "pii_anon_legal", "datafog_corpus")
SAMPLE = 400_000  # characters of each corpus
LONGEST = 5_000
# Labels of the corpora and of Presidio, as our entities.
LABELS = {
    "EMAIL": "EMAIL", "EMAIL_ADDRESS": "EMAIL", "CREDIT_CARD": "CREDIT_CARD", "PHONE": "PHONE",
    "PHONE_NUMBER": "PHONE", "IBAN_CODE": "IBAN", "DE_IBAN": "IBAN", "IP_ADDRESS": "IP_ADDRESS",
    "US_SSN": "US_SSN", "SSN": "US_SSN", "SOCIAL_SECURITY_NUMBER": "US_SSN",
}  # fmt: skip
_TAU_EMAIL = re.compile(r"[\w.]+@(?:example|email|gmail|applelife)\.com\b")
ENTITIES = ("EMAIL", "CREDIT_CARD", "PHONE", "IBAN", "IP_ADDRESS", "US_SSN")


def main() -> None:
    try:
        labelled = [row for name in CORPORA for row in sample(rows_of(f"pii/{name}.jsonl.gz"))]
        negatives = sample(rows_of("pii/hard_negatives.jsonl.gz"))
        tau = sample(tau_messages())
    except MissingDataError as error:
        skipped("redaction", error)
        return
    results = Results("redaction")
    for name, rows in (("labelled", labelled), ("negatives", negatives), ("tau", tau)):
        ours, theirs = by_us([row["text"] for row in rows]), by_presidio([row["text"] for row in rows])
        speed(results, name, rows, {"hub": ours[1], "presidio": theirs[1]})
        for who, spans in (("hub", ours[0]), ("presidio", theirs[0])):
            score(results, f"{name}, {who}", rows, spans)
    results.write()


def rows_of(path: str) -> list[Row]:
    with gzip.open(data(path)) as lines:
        return [orjson.loads(line) for line in lines]


def tau_messages() -> list[Row]:
    """The distinct texts of the corpus. Its e-mail addresses are generated ones and share four domains."""
    calls = rows_of("traces/tau_openai_chat.jsonl.gz")
    texts = (message["content"] for call in calls for message in call["request"]["messages"])
    distinct = dict.fromkeys(text for text in texts if isinstance(text, str))
    return [{"text": text, "spans": [_email(at) for at in _TAU_EMAIL.finditer(text)]} for text in distinct]


def _email(match: re.Match[str]) -> Row:
    return {"label": "EMAIL", "start": match.start(), "end": match.end()}


def sample(rows: list[Row]) -> list[Row]:
    """Every n-th row, about `SAMPLE` characters of them; one over-long row would drown the others."""
    short = [row for row in rows if len(row["text"]) <= LONGEST]
    step = max(1, round(sum(len(row["text"]) for row in short) / SAMPLE))
    return short[::step]


def by_us(texts: list[str]) -> tuple[list[Spans], float]:
    """What `detect` finds in each text, and its CPU seconds."""
    detect("warm@example.com")
    started = time.process_time()
    found = [detect(text) for text in texts]
    spent = time.process_time() - started
    return [[(f.start, f.end, str(f.entity)) for f in one] for one in found], spent


def by_presidio(texts: list[str]) -> tuple[list[Spans], float]:
    """The same of Presidio, in a process of its own: it loads spaCy."""
    command = [sys.executable, "-m", "benchmarks.presidio_peer"]
    said = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True).stdout
    answer = json.loads(said)
    found = [[(start, end, LABELS[kind]) for start, end, kind in one] for one in answer["found"]]
    return found, answer["cpu_s"]


def speed(results: Results, name: str, rows: list[Row], spent: dict[str, float]) -> None:
    characters = sum(len(row["text"]) for row in rows)
    rates = {who: characters / seconds for who, seconds in spent.items()}
    ratio = rates["hub"] / rates["presidio"]
    line = (
        f"{len(rows)} texts, {characters} characters: hub {rates['hub'] / 1e6:.2f} M characters/CPU s, "
        f"presidio {rates['presidio'] / 1e6:.3f} M (x {ratio:.0f})"
    )
    results.add(f"{name}, speed", line, characters=characters, chars_per_cpu_s=rates, ratio=ratio)


def score(results: Results, name: str, rows: list[Row], found: list[Spans]) -> None:
    """Recall: a labelled value is overlapped by a finding of its own kind. Precision: a finding of the six
    kinds overlaps a labelled value of any kind."""
    six = [[span for span in spans if span[2] in ENTITIES] for spans in found]
    if not any(row["spans"] for row in rows):
        touched = sum(map(bool, six)) / len(rows)
        results.add(name, f"{touched:.1%} of the texts have a finding", touched=touched)
        return
    recall = {kind: _recall(kind, rows, six) for kind in ENTITIES}
    hits, wanted = (sum(pair[i] for pair in recall.values()) for i in (0, 1))
    right, claimed = _precision(rows, six)
    per_kind = ", ".join(f"{kind} {hit}/{of}" for kind, (hit, of) in recall.items() if of)
    line = f"recall {hits / wanted:.3f} precision {right / claimed:.3f} of {claimed} findings ({per_kind})"
    results.add(name, line, recall=hits / wanted, precision=right / claimed, found_of=recall)


def _recall(kind: str, rows: list[Row], found: list[Spans]) -> tuple[int, int]:
    hits = [
        any(span[2] == kind for span in _overlapping(gold, spans))
        for row, spans in zip(rows, found, strict=True)
        for gold in row["spans"]
        if LABELS.get(gold["label"]) == kind
    ]
    return sum(hits), len(hits)


def _overlapping(gold: Row, spans: Iterable[tuple[int, int, str]]) -> Spans:
    return [span for span in spans if span[0] < gold["end"] and gold["start"] < span[1]]


def _precision(rows: list[Row], found: list[Spans]) -> tuple[int, int]:
    rights = [
        any(_overlapping(gold, [span]) for gold in row["spans"])
        for row, spans in zip(rows, found, strict=True)
        for span in spans
    ]
    return sum(rights), len(rights)


if __name__ == "__main__":
    main()
