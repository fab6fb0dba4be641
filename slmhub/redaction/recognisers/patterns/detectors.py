"""The detectors: a linear-time pattern that proposes, a check that decides.

Patterns follow Presidio's predefined recognisers (MIT) and detect-secrets (Apache-2.0), rewritten for RE2:
importing Presidio itself would load spaCy and torch, 420 MB and seven seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from slmhub.redaction.findings import Entity
from slmhub.redaction.recognisers.patterns import checks
from slmhub.redaction.recognisers.patterns.checks import Span


class Detector(NamedTuple):
    """`pattern` is RE2 syntax; its group 1, if it has one, is the value."""

    name: str
    entity: Entity
    pattern: str
    check: Callable[[str, Span], Span | None]
    score: float


_KEY_WORDS = (
    r"api[_-]?key|access[_-]?key(?:[_-]?id)?|secret(?:[_-]?(?:access[_-]?)?key)?|client[_-]?secret"
    r"|(?:auth|access|refresh|session|id|bearer)?[_-]?token|private[_-]?key|credentials?"
)
_ASSIGNED = r"[\"']?\s{0,3}(?::=|=>|[:=]|\bis\b)\s{0,3}[\"']?"
_VALUE = r"[^\s\"',;<>{}\[\]()\\]"
_PHONE_WORDS = (
    r"(?:phone|telephone|tel|mobile|cell(?:phone)?|fax|whatsapp|sms|call|dial|text|reach"
    r"|desk|pager|hotline|answering)"
    r"(?:[_-]?(?:number|no))?"
)
_PHONE_GAP = r"\W{0,6}(?:(?:number|no|num|is|was|you|me|us|him|her|them|at|on)\W{1,3}){0,3}"

DETECTORS: tuple[Detector, ...] = (
    Detector(
        "email", Entity.EMAIL,
        r"[\pL\pN._%+'-]+(?:@|%40)(?:[\pL\pN](?:[\pL\pN-]*[\pL\pN])?\.)+\pL{2,24}", checks.email, 1.0,
    ),
    Detector(
        "credit_card", Entity.CREDIT_CARD,
        r"\b(?:\d{4}[ -]\d{4}[ -]\d{4}[ -]\d{1,7}|\d{4}[ -]\d{6}[ -]\d{4,5}|\d{13,19})\b",
        checks.credit_card, 1.0,
    ),
    Detector(
        "credit_card_announced", Entity.CREDIT_CARD,
        r"(?i)\b(?:credit|debit|card|maestro|visa|mastercard)\b[^\d\n]{0,40}\b(\d{12})\b",
        checks.credit_card, 0.9,
    ),
    Detector(
        "iban", Entity.IBAN,
        r"\b(?:[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?"
        r"|(?i:[A-Z]{2}\d{2}[A-Z0-9]{11,30}))\b",
        checks.iban, 1.0,
    ),
    Detector("us_ssn", Entity.US_SSN, r"\b\d{3}[- .]\d{2}[- .]\d{4}\b", checks.us_ssn, 0.85),
    Detector(
        "us_ssn_announced", Entity.US_SSN,
        r"(?i)\b(?:ssn|itin|social[ _-]?security(?:[ _-]?(?:number|no))?|tax[ _-]?id)"
        r"\W{1,6}(?:is\W{1,3})?(\d{9})\b",
        checks.us_ssn, 0.95,
    ),
    Detector(
        "phone_international", Entity.PHONE,
        r"(?:\+|\b00)[1-9][\d ().-]{6,20}\d(?: ?(?:x|ext\.?) ?\d{1,6})?\b", checks.phone_international, 0.9,
    ),
    Detector(
        "phone_grouped", Entity.PHONE,
        r"(?:(?:\b001[ .-]|\b1[ .-])?(?:\(\d{3}\) ?|\b\d{3}[ .-])\d{3}[ .-]\d{4})"
        r"(?: ?(?:x|ext\.?) ?\d{1,6})?\b",
        checks.phone_grouped, 0.8,
    ),
    Detector(
        "phone_national", Entity.PHONE,
        r"(?:\(0\d{1,4}\) ?|\b0\d{1,4}[ /-])\d{2,4}(?:[ -]?\d{2,4}){1,3}\b", checks.phone_national, 0.7,
    ),
    Detector(
        "phone_announced", Entity.PHONE,
        rf"(?i)\b{_PHONE_WORDS}{_PHONE_GAP}(\+?\(?\d[\d ().\-/]{{5,18}}\d)\b", checks.phone_announced, 0.8,
    ),
    Detector(
        "phone_labelled", Entity.PHONE,
        r"(?i)(\+?\(?\b\d[\d ().\-/]{5,18}\d)[ -]{1,2}\(?(?:office|fax|mobile|cell)\b",
        checks.phone_announced, 0.7,
    ),
    Detector("ip_v4", Entity.IP_ADDRESS, r"\b(?:\d{1,3}\.){3}\d{1,3}\b", checks.ip_address, 0.9),
    Detector(
        "ip_v6", Entity.IP_ADDRESS,
        r"(?:\b[0-9A-Fa-f]{1,4}:|::)(?:[0-9A-Fa-f]{0,4}:){0,6}[0-9A-Fa-f]{1,4}\b", checks.ip_address, 0.9,
    ),
    Detector(
        "bitcoin", Entity.CRYPTO, r"\b(?:bc1[a-z0-9]{25,87}|[13][1-9A-HJ-NP-Za-km-z]{25,34})\b",
        checks.crypto_address, 1.0,
    ),
    Detector("ethereum", Entity.CRYPTO, r"\b0x[0-9a-fA-F]{40}\b", checks.anything, 0.9),
    Detector(
        "payment_id", Entity.PAYMENT_ID,
        r"\b(?:credit_card|debit_card|gift_card|certificate|paypal|bank_account)_\d+\b",
        checks.anything, 0.95,
    ),
    Detector(
        "private_key", Entity.SECRET,
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]+-----END [A-Z0-9 ]{0,40}-----)?",
        checks.anything, 1.0,
    ),
    Detector(
        "aws_key", Entity.SECRET, r"\b(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}\b", checks.anything, 1.0
    ),
    Detector(
        "github_token", Entity.SECRET,
        r"\b(?:gh[pousr]_[A-Za-z0-9_]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b",
        checks.anything, 1.0,
    ),
    Detector(
        "gitlab_token", Entity.SECRET, r"\b(?:glpat|gldt|glft|glsoat|glrt)-[A-Za-z0-9_-]{20,50}",
        checks.anything, 1.0,
    ),
    Detector(
        "slack_token", Entity.SECRET,
        r"(?i)\bxox[abposr]-(?:\d+-)*[a-z0-9-]{10,}|https://hooks\.slack\.com/services/T\w+/B\w+/\w+",
        checks.anything, 1.0,
    ),
    Detector(
        "model_provider_key", Entity.SECRET,
        r"\b(?:sk-(?:[A-Za-z0-9]+-)*[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,}|AIza[0-9A-Za-z_-]{35}|gsk_[A-Za-z0-9]{40,})",
        checks.secret_value, 1.0,
    ),
    Detector(
        "vendor_key", Entity.SECRET,
        r"\b(?:[rs]k_live_[0-9a-zA-Z]{24,}|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}|npm_[A-Za-z0-9]{36}"
        r"|pypi-AgE[A-Za-z0-9_-]{50,}|\d{8,10}:[A-Za-z0-9_-]{35}|(?:AC|SK)[a-f0-9]{32}|[0-9a-f]{32}-us\d{1,2})\b",
        checks.anything, 1.0,
    ),
    Detector(
        "jwt", Entity.SECRET, r"\beyJ[A-Za-z0-9_=-]{8,}\.[A-Za-z0-9_=-]{8,}(?:\.[A-Za-z0-9_.+/=-]*)?",
        checks.anything, 1.0,
    ),
    Detector(
        "authorization", Entity.SECRET, r"(?i)\b(?:bearer|basic)\s{1,3}([A-Za-z0-9._~+/=-]{16,})",
        checks.secret_value, 0.9,
    ),
    Detector(
        "url_password", Entity.SECRET, r"://[^\s/:@\"']{1,64}:([^\s/@\"']{1,128})@", checks.anything, 0.95
    ),
    Detector(
        "assigned_secret", Entity.SECRET, rf"(?i)(?:{_KEY_WORDS}){_ASSIGNED}({_VALUE}{{8,512}})",
        checks.secret_value, 0.8,
    ),
    Detector(
        "assigned_password", Entity.SECRET,
        rf"(?i)(?:passw(?:or)?d|passphrase|passcode|pwd){_ASSIGNED}({_VALUE}{{4,128}})", checks.password, 0.8,
    ),
)  # fmt: skip
