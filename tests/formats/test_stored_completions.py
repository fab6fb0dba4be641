"""Pages and single objects of what OpenAI stored."""

from __future__ import annotations

from slmhub.formats import Issue, Record, Reject, parse_row, parse_rows
from tests.formats.providers.examples import CHAT_ANSWERED, CHAT_ASKED, RESPONSES_ANSWERED, RESPONSES_ASKED


def test_it_reads_a_stored_completion_with_its_messages() -> None:
    record = parse_row({**CHAT_ANSWERED, "messages": CHAT_ASKED["messages"], "metadata": {"k": "v"}})
    assert (record.format, record.span_id, len(record.messages)) == ("stored_completions", "chatcmpl-1", 4)
    assert record.output == {"role": "assistant", "content": "Rain."}
    assert record.attributes["metadata"] == {"k": "v"}
    assert "issues" not in record.attributes


def test_a_completion_without_its_messages_is_a_visible_call_and_says_so() -> None:
    record = parse_row(CHAT_ANSWERED)
    assert (record.messages, record.usage.input) == ([], 100)
    assert record.attributes["issues"] == [Issue.CONTENT_OFF]


def test_it_reads_a_stored_response_with_its_input() -> None:
    record = parse_row({**RESPONSES_ANSWERED, **{key: RESPONSES_ASKED[key] for key in ("input", "tools")}})
    assert [message["role"] for message in record.messages] == ["user", "assistant", "tool"]
    assert len(record.tools) == 2


def test_it_reads_a_page_and_refuses_its_bad_items_alone() -> None:
    page = {
        "object": "list",
        "data": [CHAT_ANSWERED, {"object": "chat.completion", "choices": []}, 5, RESPONSES_ANSWERED],
        "has_more": False,
    }
    found = parse_rows(page)
    assert [type(item) for item in found] == [Record, Reject, Reject, Record]
    assert all(item.reason for item in found if isinstance(item, Reject))
