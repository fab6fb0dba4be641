from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmhub.redaction import RECOGNISERS, Finding, Numbering, detect, merge, redact, replace
from tests.redaction.data import LABELS, corpus, needs_data

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\nabc=\n-----END RSA PRIVATE KEY-----"


def found(text: str, key: str = "") -> list[tuple[str, str]]:
    return [(finding.entity, text[finding.start : finding.end]) for finding in detect(text, key=key)]


@pytest.mark.parametrize(
    ("text", "entity", "value"),
    [
        ("Write to jane.o'neil+x@mail.example.co.uk.", "EMAIL", "jane.o'neil+x@mail.example.co.uk"),
        ("josé@correo.españa.es?", "EMAIL", "josé@correo.españa.es"),
        ("?to=mia%40example.com&x=1", "EMAIL", "mia%40example.com"),
        ("card 4111 1111 1111 1111 exp", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("amex 3782-822463-10005", "CREDIT_CARD", "3782-822463-10005"),
        ("Maestro card no. 676222165679", "CREDIT_CARD", "676222165679"),
        ("to GB82 WEST 1234 5698 7654 32 TODAY", "IBAN", "GB82 WEST 1234 5698 7654 32"),
        ("to de89370400440532013000.", "IBAN", "de89370400440532013000"),
        ("SSN 219-09-9999", "US_SSN", "219-09-9999"),
        ('"ssn": "219099999"', "US_SSN", "219099999"),
        ("call (555) 123-4567 x89 now", "PHONE", "(555) 123-4567 x89"),
        ("ring +44 20 7946 0958.", "PHONE", "+44 20 7946 0958"),
        ("my number is 020 7946 0958", "PHONE", "020 7946 0958"),
        ("call me at 5551234567", "PHONE", "5551234567"),
        ("from 203.0.113.9:8080", "IP_ADDRESS", "203.0.113.9"),
        ("from fe80::1ff:fe23:4567:890a,", "IP_ADDRESS", "fe80::1ff:fe23:4567:890a"),
        ("btc 1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "CRYPTO", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
        (
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 it is",
            "CRYPTO",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
        ("paid by credit_card_4421486", "PAYMENT_ID", "credit_card_4421486"),
        ("key AKIAIOSFODNN7EXAMPLE", "SECRET", "AKIAIOSFODNN7EXAMPLE"),
        ("ghp_" + "a1B2" * 9, "SECRET", "ghp_" + "a1B2" * 9),
        ("use sk-proj-abcdefghij1234567890XY", "SECRET", "sk-proj-abcdefghij1234567890XY"),
        ("xoxb-123456789012-abcdefghij12", "SECRET", "xoxb-123456789012-abcdefghij12"),
        (f"Cookie: {JWT};", "SECRET", JWT),
        (f"{PEM}\n", "SECRET", PEM),
        ("Authorization: Bearer abc123DEF456ghi789", "SECRET", "abc123DEF456ghi789"),
        ("postgres://hub:s3cr3t!x@db/hub", "SECRET", "s3cr3t!x"),
        ('{"client_secret": "9f8e7d6c5b4a"}', "SECRET", "9f8e7d6c5b4a"),
        ("the password is hunter2!", "SECRET", "hunter2!"),
    ],
)
def test_it_finds_a_value(text: str, entity: str, value: str) -> None:
    assert found(text) == [(entity, value)]


@pytest.mark.parametrize(
    "text",
    [
        "npm i left-pad@1.3.0 @types/node@20.1.2",
        "card 4111 1111 1111 1112",
        "tracking 277771795667, item 9459890810, order #W6247578",
        "at 1731920593000 or 2024-05-15 15:00:00",
        "GB82 WEST 1234 5698 7654 33",
        "000-12-3456, 666-12-3456, 219-00-9999",
        "version 1.2.3.4, 127.0.0.1, 999.1.1.1, std::vector, 12:30:45, ada::cafe",
        "1BoatSLRHtKNngkdXEeobR76b53LETtpyU",
        "commit 9f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c",
        "your password is required; api_key=YOUR_API_KEY; max_tokens: 4096; token: string",
        "[EMAIL_1] [CREDIT_CARD_2] [PAYMENT_ID_3] password: [SECRET_4] call [PHONE_5]",
        "",
    ],
)
def test_it_leaves_look_alikes_alone(text: str) -> None:
    assert found(text) == []


def test_it_takes_the_json_key_as_a_cue() -> None:
    assert found("5551234567") == []
    assert found("5551234567", key="phone_number") == [("PHONE", "5551234567")]
    assert found("hunter2!", key="db_password") == [("SECRET", "hunter2!")]
    assert found("nothing to see", key="mia@example.com") == []


def test_it_merges_what_overlaps_so_that_nothing_of_a_value_survives() -> None:
    left, right = Finding(0, 8, "PHONE", 0.8, "a"), Finding(6, 20, "EMAIL", 1.0, "b")
    same = Finding(6, 20, "SECRET", 0.5, "c")
    assert merge([same, right, left, Finding(30, 31, "IBAN", 1.0, "d")]) == [
        Finding(0, 20, "EMAIL", 1.0, "b"),
        Finding(30, 31, "IBAN", 1.0, "d"),
    ]


def test_it_gives_the_same_value_the_same_number() -> None:
    text = "a@b.com, c@d.com, a@b.com, 203.0.113.9"
    assert redact(text, Numbering()) == "[EMAIL_1], [EMAIL_2], [EMAIL_1], [IP_ADDRESS_1]"


def test_it_sees_values_behind_escaped_line_ends() -> None:
    assert found(r"{'note': 'hi\nmia@example.com\t4111 1111 1111 1111\n'") == [
        ("EMAIL", "mia@example.com"),
        ("CREDIT_CARD", "4111 1111 1111 1111"),
    ]


def test_it_counts_characters_not_bytes() -> None:
    text = "Grüße, 你好 🙂: mia@example.com"
    assert found(text) == [("EMAIL", "mia@example.com")]
    assert found("\ud800 mia@example.com") == [("EMAIL", "mia@example.com")]


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.text(alphabet="ab1 4.-+@:/(_=x\ud800é", max_size=200), st.text(max_size=10))
def test_it_finds_sorted_separate_spans_in_any_text(text: str, key: str) -> None:
    findings = detect(text, key=key)
    edges = [edge for finding in findings for edge in (finding.start, finding.end)]
    assert edges == sorted(edges)
    assert all(0 <= finding.start < finding.end <= len(text) for finding in findings)
    assert replace(text, findings, lambda _, value: value) == text


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["a@b.com", "4111 1111 1111 1111", "203.0.113.9", "paypal_12", "hi", "ü,"])))
def test_it_finds_nothing_more_in_redacted_text(words: list[str]) -> None:
    redacted = redact(" ; ".join(words), Numbering())
    assert detect(redacted) == []


@pytest.mark.parametrize(
    "hostile",
    ["a" * 400_000, "1 2" * 150_000, "a@" * 200_000, "password:" * 50_000, "1." * 200_000, "a.b-" * 99_999],
)
def test_it_takes_linear_time_on_hostile_text(hostile: str) -> None:
    started = time.process_time()
    detect(hostile)
    assert time.process_time() - started < 2


def test_its_detectors_have_one_name_each() -> None:
    names = [target.detector for target in RECOGNISERS.targets]
    assert len(set(names)) == len(names)


def test_it_imports_no_model_library() -> None:
    heavy = "('spacy', 'torch', 'numpy', 'transformers', 'presidio_analyzer', 'django')"
    program = f"import sys, slmhub.redaction, slmhub.formats; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_its_command_answers_in_input_order_with_numbers_over_the_run() -> None:
    lines = [{"text": "a@b.com"}, {"no": 1}, {"text": "c@d.com a@b.com"}]
    ran = subprocess.run(
        [sys.executable, "-m", "slmhub.redaction"],
        input="\n".join(map(json.dumps, lines)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    first, second, third = map(json.loads, ran.stdout.splitlines())
    assert first == {
        "text": "a@b.com",
        "findings": [{"start": 0, "end": 7, "entity": "EMAIL", "score": 1.0, "detector": "email"}],
        "redacted": "[EMAIL_1]",
    }
    assert second == {"error": 'line 2 is not a JSON object with a string "text"'}
    assert third["redacted"] == "[EMAIL_2] [EMAIL_1]"
    assert ran.returncode == 1


@needs_data
@pytest.mark.parametrize(
    ("name", "least_recall", "least_precision"),
    [
        ("presidio_synth_v2", 0.98, 0.99),
        ("presidio_generated_large", 0.98, 0.99),
        ("pii_anon_legal", 0.99, 0.99),
        ("datafog_corpus", 0.92, 0.95),
    ],
)
def test_it_finds_the_pattern_entities_of_labelled_text(
    name: str, least_recall: float, least_precision: float
) -> None:
    wanted = hit = right = claimed = 0
    for row in corpus(name):
        findings = detect(row["text"])
        gold = [span for span in row["spans"] if span["label"] in LABELS]
        wanted += len(gold)
        hit += sum(any(f.start < s["end"] and s["start"] < f.end for f in findings) for s in gold)
        claimed += len(findings)
        right += sum(any(f.start < s["end"] and s["start"] < f.end for s in row["spans"]) for f in findings)
    assert hit / wanted >= least_recall
    assert right / claimed >= least_precision


@needs_data
def test_it_touches_hardly_any_hard_negative() -> None:
    rows = corpus("hard_negatives")
    assert sum(bool(detect(row["text"])) for row in rows) / len(rows) <= 0.01


@needs_data
def test_it_finds_whatever_presidio_s_checked_recognisers_find() -> None:
    program = """
import json, sys
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer, EmailRecognizer, IbanRecognizer, IpRecognizer, UsSsnRecognizer)
known = [CreditCardRecognizer(), EmailRecognizer(), IbanRecognizer(), IpRecognizer(), UsSsnRecognizer()]
for text in json.load(sys.stdin):
    found = [r for k in known for r in k.analyze(text, k.supported_entities, None) if r.score >= 0.5]
    print(json.dumps([[r.start, r.end, r.entity_type] for r in found]))
"""
    texts = [row["text"] for row in corpus("presidio_synth_v2")]
    ran = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(texts), capture_output=True, text=True, check=True
    )
    theirs = [json.loads(line) for line in ran.stdout.splitlines()]
    missed = [
        (kind, text[start:end])
        for text, spans in zip(texts, theirs, strict=True)
        for start, end, kind in spans
        if not any(f.start < end and start < f.end for f in detect(text))
    ]
    assert sum(map(len, theirs)) > 200
    assert missed == []
