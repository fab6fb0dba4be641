"""Checksums and plausibility: what makes a look-alike a value. A span in, the value's span out."""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from hashlib import sha256

import phonenumbers

Span = tuple[int, int]

_CARD_BRANDS = re.compile(r"4|5\d|2[2-7]|3\d|6|1800|2131")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_CONSTANTS = (1, 0x2BC830A3)
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_ITIN_GROUPS = frozenset([*range(50, 66), *range(70, 89), *range(90, 93), *range(94, 100)])
_PHONE_REGIONS = ("US", "GB", "DE", "FR", "AU", "IN", "IL", "IT", "ES", "BR", "NL", "SE")
_DATE = re.compile(r"(?:19|20)\d\d[-/. ]?(?:0[1-9]|1[0-2])[-/. ]?(?:0[1-9]|[12]\d|3[01])(?!\d)")
_PLACEHOLDER = re.compile(r"(?i)x{4,}|\*{3,}|\.{3}|your[-_]|example|placeholder|changeme|^\$|^%\(")

# ISO 13616: length of an IBAN per country.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH CR HR LI LV", 22: "BG BH DE GB GE IE ME RS", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA",
        30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip


def email(text: str, span: Span) -> Span | None:
    """An alphabetic top-level domain is in the pattern; what is left to refuse are package versions."""
    start, end = span
    while start < end and text[start] in ".-'":
        start += 1
    domain = text[start:end].replace("%40", "@").rpartition("@")[2]
    return None if text[start] in "@%" or re.match(r"\d+\.\d", domain) else (start, end)


def credit_card(text: str, span: Span) -> Span | None:
    """A known brand's first digits and the Luhn checksum."""
    digits = _digits(text, span)
    if _inside_number(text, span) or not _CARD_BRANDS.match(digits) or len(set(digits)) < 2:
        return None
    return span if luhn(digits) else None


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def iban(text: str, span: Span) -> Span | None:
    """The country's length, then ISO 7064 mod 97; a word that the pattern took along is left out."""
    start, end = span
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    places = [place for place in range(start, end) if text[place].isalnum()]
    if length is None or len(places) < length:
        return None
    end = places[length - 1] + 1
    if end < len(text) and text[end].isalnum():
        return None
    code = "".join(text[place] for place in places[:length])
    number = "".join(str(int(character, 36)) for character in code[4:] + code[:4])
    return (start, end) if int(number) % 97 == 1 else None


def us_ssn(text: str, span: Span) -> Span | None:
    """No area 000, 666 or 9xx (unless it is an ITIN), no group 00, no serial 0000, one kind of separator."""
    value = text[span[0] : span[1]]
    digits = _digits(text, span)
    area, group, serial = int(digits[:3]), int(digits[3:5]), int(digits[5:])
    if len({character for character in value if not character.isdigit()}) > 1 or _inside_number(text, span):
        return None
    known = area not in (0, 666) and (area < 900 or group in _ITIN_GROUPS)
    return span if known and group and serial else None


def phone_international(text: str, span: Span) -> Span | None:
    """A number with a country code, of a length that is possible there."""
    value = re.sub(r"^00", "+", text[span[0] : span[1]])
    return span if _parsed(value, None, strict=False) else None


def phone_national(text: str, span: Span) -> Span | None:
    """Written with separators, and a valid number of one of the regions."""
    value = text[span[0] : span[1]]
    if _DATE.match(value) or _beside_digit(text, span):
        return None
    return span if any(_parsed(value, region, strict=True) for region in _PHONE_REGIONS) else None


def phone_grouped(text: str, span: Span) -> Span | None:
    """3-3-4 digits: the grouping itself is the evidence, reserved 555 numbers included."""
    return None if _beside_digit(text, span) else span


def phone_announced(text: str, span: Span) -> Span | None:
    """7 to 15 digits beside a word for telephone, and not a date."""
    digits = _digits(text, span)
    value = text[span[0] : span[1]]
    return span if 7 <= len(digits) <= 15 and not _DATE.match(value) else None


def ip_address(text: str, span: Span) -> Span | None:
    """An address of some machine; loopback and unspecified ones are nobody's."""
    value = text[span[0] : span[1]]
    versioned = text[max(0, span[0] - 8) : span[0]].lower().endswith(("version ", "=="))
    if versioned or _glued(text, span, "." if "." in value else ":"):
        return None
    if ":" in value and (len(value) < 6 or not any(map(str.isdigit, value))):
        return None
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    return None if address.is_loopback or address.is_unspecified else span


def crypto_address(text: str, span: Span) -> Span | None:
    """Bitcoin: base58check or bech32 checksum."""
    value = text[span[0] : span[1]]
    valid = _bech32_valid(value) if value.startswith("bc1") else _base58check_valid(value)
    return span if valid else None


def anything(text: str, span: Span) -> Span | None:
    return span


def secret_value(text: str, span: Span) -> Span | None:
    """What stands after `api_key=`: letters and digits mixed, or at least not a word; no placeholder."""
    value = text[span[0] : span[1]].rstrip(".!?:")
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    if not mixed or _PLACEHOLDER.search(value) or entropy(value) < 2.5:
        return None
    return span[0], span[0] + len(value)


def password(text: str, span: Span) -> Span | None:
    """What stands after `password:`: anything that is no plain word and no placeholder."""
    value = text[span[0] : span[1]].removesuffix(".")
    if len(value) < 4 or value.replace("_", "").isalpha() or _PLACEHOLDER.search(value):
        return None
    return span[0], span[0] + len(value)


def entropy(value: str) -> float:
    """Shannon entropy of the characters, in bits each."""
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)


def _digits(text: str, span: Span) -> str:
    return "".join(character for character in text[span[0] : span[1]] if character.isdigit())


def _inside_number(text: str, span: Span) -> bool:
    return _glued(text, span, ".") or _glued(text, span, "-")


def _beside_digit(text: str, span: Span) -> bool:
    before, after = text[max(0, span[0] - 2) : span[0]], text[span[1] : span[1] + 2]
    return bool(re.match(r"\d[.-]$", before) or re.match(r"[.-]\d", after))


def _glued(text: str, span: Span, joint: str) -> bool:
    """Whether the span goes on beyond its end or start: a joint with a letter or digit behind it."""
    before, after = text[max(0, span[0] - 2) : span[0]], text[span[1] : span[1] + 2]
    return (len(before) == 2 and before[1] == joint and before[0].isalnum()) or (
        len(after) == 2 and after[0] == joint and after[1].isalnum()
    )


def _parsed(value: str, region: str | None, *, strict: bool) -> bool:
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number) if strict else phonenumbers.is_possible_number(number))


def _base58check_valid(value: str) -> bool:
    number = 0
    for character in value:
        digit = _BASE58.find(character)
        if digit < 0:
            return False
        number = number * 58 + digit
    raw = number.to_bytes(64, "big")[-25:]
    return number < 2**200 and sha256(sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def _bech32_valid(value: str) -> bool:
    """BIP 173 and BIP 350."""
    prefix, _, data = value.lower().rpartition("1")
    if not set(data) <= set(_BECH32) or len(data) < 6:
        return False
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    return _polymod(expanded + [_BECH32.index(c) for c in data]) in _BECH32_CONSTANTS


def _polymod(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATOR):
            check ^= generator if (top >> bit) & 1 else 0
    return check
