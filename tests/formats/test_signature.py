from __future__ import annotations

from typing import Any

import pytest

from slmhub.formats import parse_row, signature
from slmhub.formats.signature import Audience
from slmhub.redaction import Numbering, redact
from tests.formats.worlds import LOOKUP, chat_row

SYSTEM = {"role": "system", "content": "Help customers."}
ASK = {"role": "user", "content": "Where is my order?"}
CALL = {"role": "assistant", "content": None, "tool_calls": [LOOKUP]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "{}"}
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("get_order", "refund")]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to mia@example.com now.", "Write to <*> now."),
        ("See https://shop.test/a?b=1, please", "See <*>, please"),
        ("Order #W1234567 of 2024-05-15 15:00:00 EST", "Order <*> of <*> EST"),
        ("[EMAIL_3] paid with [CREDIT_CARD_12].", "<*> paid with <*>."),
        ('{"id": "ab12", "n": 5}', '{"id": "<*>", "n": <*>}'),
        ("call +1 (555) 123-4567 or wait", "call <*> or wait"),
        ("No values here, at all.", "No values here, at all."),
    ],
)
def test_it_takes_the_values_out_of_a_text(text: str, masked: str) -> None:
    assert signature.mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "You speak with mia.li3818@example.com (card 4111 1111 1111 1111, phone +1 555-123-4567).",
        "Pay by credit_card_4421486; SSN 219-09-9999; host 10.2.3.4.",
        "IBAN GB82WEST12345698765432, see https://a.test/x?mail=mia@example.com.",
        "Key: api_key=sk-abcdefghij1234567890XY",
    ],
)
def test_it_masks_original_and_redacted_text_alike(text: str) -> None:
    redacted = redact(text, Numbering())
    assert redacted != text
    assert signature.mask(redacted) == signature.mask(text)


def test_it_stays_fast_on_unbroken_text() -> None:
    assert signature.mask("a" * 2_000_000) == "<*>"


@pytest.mark.parametrize(
    ("messages", "kind"),
    [
        ([], "start"),
        ([SYSTEM], "start"),
        ([SYSTEM, ASK], "user"),
        ([SYSTEM, ASK, CALL, RESULT], "tool:get_order"),
        ([ASK, {"role": "tool", "name": "refund", "content": ""}], "tool:refund"),
    ],
)
def test_it_knows_what_a_call_answers(messages: list[dict[str, Any]], kind: str) -> None:
    assert signature.previous_kind(messages) == kind


@pytest.mark.parametrize(
    ("output", "action", "keys"),
    [
        (CALL, "tool:get_order", ("order_id",)),
        ({"content": "Shipped yesterday."}, "respond", ()),
        ({"content": ' {"b": 1, "a": {"c": 2}}'}, "json:a,b", ("a", "b")),
        ({"content": "{not json}"}, "respond", ()),
        (None, "none", ()),
    ],
)
def test_it_names_what_an_answer_does(output: Any, action: str, keys: tuple[str, ...]) -> None:
    assert signature.action_of(output) == action
    assert signature.argument_keys(output) == keys


def test_it_tells_machine_facing_answers_from_talk() -> None:
    call = signature.action_of(parse_row(chat_row()).output)
    talk = signature.action_of({"role": "assistant", "content": "Hello"})
    assert signature.audience(call, {}) is Audience.MACHINE
    assert signature.audience(talk, {}) is Audience.HUMAN
    assert signature.audience(talk, {"response_format": {"type": "json_schema"}}) is Audience.MACHINE
    assert signature.audience(talk, {"response_format": {"type": "text"}}) is Audience.HUMAN


def test_its_routing_signature_ignores_values_and_the_order_of_tools() -> None:
    dated = [
        {"role": "system", "content": f"Help customers. Today is {day}."}
        for day in ("2024-05-15", "[DATE_1]")
    ]
    left = signature.routing_signature([dated[0], ASK], TOOLS)
    right = signature.routing_signature([dated[1], {"role": "user", "content": "Hi"}], TOOLS[::-1])
    assert left == right
    assert len(left) == 32


def test_its_routing_signature_is_known_for_all_time() -> None:
    assert signature.routing_signature([SYSTEM, ASK], TOOLS) == "a123348dcd1e7fffecbeae7a5d4c82da"


@pytest.mark.parametrize(
    "other",
    [
        ([SYSTEM, ASK, CALL, RESULT], TOOLS),
        ([SYSTEM, ASK], TOOLS[:1]),
        ([{**SYSTEM, "content": "Sell."}, ASK], TOOLS),
    ],
)
def test_its_routing_signature_tells_template_tools_and_step_apart(other: Any) -> None:
    assert signature.routing_signature(*other) != signature.routing_signature([SYSTEM, ASK], TOOLS)


def test_it_finds_the_first_and_the_last_ask_in_parts_too() -> None:
    parts = {
        "role": "user",
        "content": [{"type": "text", "text": "And"}, {"type": "image_url"}, {"text": "this?"}],
    }
    assert signature.first_ask([SYSTEM, ASK, CALL, parts]) == "Where is my order?"
    assert signature.last_ask([SYSTEM, ASK, CALL, parts]) == "And\nthis?"
    assert signature.last_ask([SYSTEM]) == ""
