from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slmhub.redaction import (
    Numbering,
    PayloadFinding,
    TooDeepError,
    apply,
    redacted_text_at,
    scan,
    text_at,
    with_names,
)
from slmhub.redaction.paths import without_places
from tests.redaction.data import GOLD, TAU, needs_data, rows_of


def call(arguments: str) -> dict[str, Any]:
    function = {"name": "notify", "arguments": arguments}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "function": function}]}


def arguments_of(message: Any) -> str:
    return str(message["tool_calls"][0]["function"]["arguments"])


def cleaned(payload: Any) -> Any:
    return apply(payload, scan(payload), Numbering())


def test_it_finds_values_inside_the_json_of_a_tool_call() -> None:
    message = call('{"to": {"email": "mia@example.com"}}')
    path = "/tool_calls/0/function/arguments#/to/email"
    assert scan(message) == [PayloadFinding(path, 0, 15, "EMAIL", 1.0, "email", "mia@example.com")]
    assert text_at(message, path) == "mia@example.com"
    assert arguments_of(cleaned(message)) == '{"to": {"email": "[EMAIL_1]"}}'


def test_it_leaves_the_original_untouched_and_gives_one_value_one_surrogate() -> None:
    message = {**call('{"to":"mia@example.com"}'), "content": "Writing to mia@example.com"}
    before = json.dumps(message)
    after = cleaned(message)
    assert json.dumps(message) == before
    assert (after["content"], arguments_of(after)) == ("Writing to [EMAIL_1]", '{"to":"[EMAIL_1]"}')


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"note":"hi\\nmia@example.com"}', '{"note":"hi\\n[EMAIL_1]"}'),
        ('{"note": "\\u00e9 mia@example.com"}', '{"note": "\\u00e9 [EMAIL_1]"}'),
        ('{"note": "é mia@example.com"}', '{"note": "é [EMAIL_1]"}'),
        ('{"mia@example.com": [1, 2.5, null]}', '{"[EMAIL_1]": [1, 2.5, null]}'),
        ('{"card": 4111111111111111}', '{"card": "[CREDIT_CARD_1]"}'),
        ('{"phones": ["5551234567"]}', '{"phones": ["5551234567"]}'),
        ('{"phone": ["5551234567"]}', '{"phone": ["[PHONE_1]"]}'),
        ('{"raw": "{\\"to\\": \\"mia@example.com\\"}"}', '{"raw": "{\\"to\\": \\"[EMAIL_1]\\"}"}'),
        ("{'to': 'mia@example.com'}", "{'to': '[EMAIL_1]'}"),
        ("", ""),
    ],
)
def test_it_keeps_the_writing_of_the_arguments(arguments: str, expected: str) -> None:
    assert arguments_of(cleaned(call(arguments))) == expected


def test_it_reads_tool_results_that_are_json_and_parts() -> None:
    result = {"role": "tool", "content": '{"user":{"email":"mia@example.com"}}'}
    parts = {"role": "user", "content": [{"type": "text", "text": "I am mia@example.com"}]}
    assert [found.path for found in scan([result, parts])] == [
        "/0/content#/user/email",
        "/1/content/0/text",
    ]


def test_it_does_not_look_into_images() -> None:
    url = "data:image/png;base64," + "AKIAIOSFODNN7EXAMPLE/"
    assert scan({"content": [{"type": "image_url", "image_url": {"url": url}}]}) == []


def test_it_escapes_the_marks_of_a_path_in_keys() -> None:
    payload = {"a/b~c#d^": "mia@example.com"}
    (finding,) = scan(payload)
    assert finding.path == "/a~1b~0c~2d~3"
    assert apply(payload, [finding], Numbering()) == {"a/b~c#d^": "[EMAIL_1]"}


def test_a_path_names_a_sensitive_key_by_its_place_and_then_by_what_is_left_of_it() -> None:
    payload = {"people": {"zoe": 1, "mia@example.com": {"mail": "leo@example.com"}}}
    found, numbering = scan(payload), Numbering()
    assert [one.path for one in found] == ["/people/~40^", "/people/~40/mail"]
    after = apply(payload, found, numbering)
    assert after == {"people": {"zoe": 1, "[EMAIL_1]": {"mail": "[EMAIL_2]"}}}
    named = [one.path for one in with_names(payload, found, numbering)]
    assert named == ["/people/[EMAIL_1]~40^", "/people/[EMAIL_1]~40/mail"]
    assert [text_at(payload, path) for path in named] == ["mia@example.com", "leo@example.com"]
    assert [redacted_text_at(after, path) for path in named] == ["[EMAIL_1]", "[EMAIL_2]"]
    assert [without_places(path) for path in named] == ["/people/[EMAIL_1]^", "/people/[EMAIL_1]/mail"]


def test_two_keys_that_would_read_alike_stay_two() -> None:
    payload = {"Mia@example.com": "a", "mia@example.com": "leo@example.com", "[EMAIL_1]": "b"}
    found = scan(payload)
    after = apply(payload, found, one_for_all)
    assert after == {"[X] 2": "[X]", "[X]": "a", "[EMAIL_1]": "b"}
    named = with_names(payload, found, one_for_all)
    assert [one.path for one in named] == ["/[X]~40^", "/[X] 2~42^", "/[X] 2~42"]
    assert [redacted_text_at(after, one.path) for one in named] == ["[X]", "[X] 2", "[X]"]


def one_for_all(_entity: str, _value: str) -> str:
    return "[X]"


def test_it_applies_only_the_chosen_findings() -> None:
    payload = {"content": "mia@example.com and leo@example.com"}
    kept = scan(payload)[1:]
    assert apply(payload, kept, Numbering()) == {"content": "mia@example.com and [EMAIL_1]"}
    assert apply(payload, [], Numbering()) == payload


def test_it_leaves_out_a_finding_whose_value_is_no_longer_there() -> None:
    findings = scan({"content": "mia@example.com"})
    assert apply({"content": "Mia moved away."}, findings, Numbering()) == {"content": "Mia moved away."}
    assert apply({"other": 1}, findings, Numbering()) == {"other": 1}


def test_it_knows_no_text_at_a_path_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        text_at({"content": "x"}, "/nowhere")


def test_it_takes_a_depth_bomb_in_arguments_as_plain_text() -> None:
    for depth in (150, 100_000):
        bomb = '{"a":' * depth + '"mia@example.com"' + "}" * depth
        assert "mia@example.com" not in arguments_of(cleaned(call(bomb)))


def test_it_refuses_a_payload_that_is_nested_too_deep() -> None:
    payload: Any = "mia@example.com"
    for _ in range(200):
        payload = [payload]
    with pytest.raises(TooDeepError, match="deeper than 100 levels"):
        scan(payload)


values = st.sampled_from(
    ["mia@example.com", "4111111111111111", "x", 4111111111111111, "a\nmia@example.com\\"]
)
payloads = st.recursive(
    values | st.none() | st.booleans() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.just("mia@example.com"), inner, max_size=3)
        | st.dictionaries(st.text(max_size=4), inner, max_size=3).map(json.dumps)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(payloads)
def test_it_leaves_no_value_and_valid_json_whatever_the_payload(payload: Any) -> None:
    after = cleaned(payload)
    written = json.dumps(after)
    assert "mia@example.com" not in written
    assert scan(after) == []
    assert sum(map(is_document, strings(after))) == sum(map(is_document, strings(payload)))


@settings(max_examples=300, deadline=None)
@given(payloads)
def test_one_path_leads_through_the_original_and_the_redacted_payload(payload: Any) -> None:
    """Wherever a database has put the keys meanwhile."""
    numbering = Numbering()
    found = scan(payload)
    named = with_names(payload, found, numbering)
    after = apply(payload, named, numbering)
    assert after == apply(payload, found, numbering)
    for one in named:
        assert text_at(turned(payload), one.path)[one.start : one.end] == one.value
        assert numbering(one.entity, one.value) in redacted_text_at(turned(after), one.path)
        assert "mia@example.com" not in one.path


def turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: turned(item) for key, item in reversed(value.items())}
    return [turned(item) for item in value] if isinstance(value, list) else value


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(item)


def is_document(text: str) -> bool:
    return isinstance(outline(text), list)


@needs_data
def test_no_known_email_or_payment_id_of_the_tau_corpus_survives() -> None:
    messages: dict[bytes, Any] = {}
    for row in rows_of(TAU):
        for message in [*row["request"]["messages"], row["response"]["choices"][0]["message"]]:
            messages.setdefault(orjson.dumps(message), message)
    numbering = Numbering()
    after = [apply(message, scan(message), numbering) for message in messages.values()]
    known = known_values()
    original, redacted = b"\n".join(messages).decode(), orjson.dumps(after).decode()
    assert len(known) == 264
    assert sum(value in original for value in known) == 259
    assert [value for value in known if value in redacted] == []
    assert [pair for pair in zip(messages.values(), after, strict=True) if broken(*pair)] == []


def known_values() -> set[str]:
    profiles = [profile for row in rows_of(GOLD) for profile in row["pii_known_values"]]
    return {value for profile in profiles for value in [profile["email"], *profile["payment_ids"]]}


def broken(before: Any, after: Any) -> bool:
    """Whether arguments or a content that were JSON are so no more, or have another structure."""
    pairs = [(before.get("content"), after.get("content"))]
    calls = zip(before.get("tool_calls") or (), after.get("tool_calls") or (), strict=True)
    pairs += [(left["function"]["arguments"], right["function"]["arguments"]) for left, right in calls]
    return any(outline(left) != outline(right) for left, right in pairs)


def outline(text: str | None) -> Any:
    try:
        return shape(json.loads(text or "null"))
    except ValueError:
        return "text"


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    return [shape(item) for item in value] if isinstance(value, list) else type(value)
