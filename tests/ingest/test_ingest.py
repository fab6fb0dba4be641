from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from apps.contents.models import Content
from apps.events.models import Event
from apps.ingest import services as ingest_module
from apps.ingest.events import TracesIngested
from apps.ingest.services import ingest
from apps.privacy.models import Finding
from apps.traces.models import Audience, Introduction, Outcome, Session, Source, Span, Status
from apps.traces.selectors import messages_of, messages_of_many
from slmhub import formats
from slmhub.formats.records import SpanKind
from tests.redaction.other_recognisers import Broken, use
from tests.traces.calls import PROMPT, TOOLS, asks_tool, row, says, session_rows, taken_in, user
from tests.world import World


class TestIngest:
    def test_it_stores_calls_with_what_lists_need(self, world: World) -> None:
        summary = taken_in(world.agent, session_rows())
        assert summary.as_dict() == {"read": 3, "accepted": 3, "completed": 0, "duplicate": 0, "rejected": 0}
        first, second, _ = Span.objects.order_by("started_at")
        assert (first.action, first.previous, first.audience) == (
            "tool:lookup_order",
            "user",
            Audience.MACHINE,
        )
        assert (second.action, second.previous, second.audience) == (
            "respond",
            "tool:lookup_order",
            Audience.HUMAN,
        )
        assert first.model == "gpt-test"
        assert (first.input_tokens, first.output_tokens, first.latency_ms) == (10, 3, 100.0)
        assert first.input_preview == "Where is order A-1043? Write to [EMAIL_1]."
        assert first.routing_key
        assert first.routing_key != second.routing_key

    def test_a_second_delivery_changes_nothing(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        before = (
            Span.objects.count(),
            Content.objects.count(),
            Introduction.objects.count(),
            Finding.objects.count(),
        )
        summary = taken_in(world.agent, session_rows())
        assert summary.as_dict() == {"read": 3, "accepted": 0, "completed": 0, "duplicate": 3, "rejected": 0}
        after = (
            Span.objects.count(),
            Content.objects.count(),
            Introduction.objects.count(),
            Finding.objects.count(),
        )
        assert after == before

    def test_a_call_twice_in_one_delivery_is_stored_once(self, world: World) -> None:
        summary = taken_in(world.agent, [*session_rows(), *session_rows()])
        assert (summary.accepted, summary.duplicate) == (3, 3)

    def test_ids_that_hold_personal_data_are_hidden_and_still_recognised(self, world: World) -> None:
        rows = [
            row(
                "mail-of-bob@acme.org",
                [user("hi")],
                says("hello"),
                session_id="bob@acme.org",
                user="bob@acme.org",
            )
        ]
        taken_in(world.agent, rows)
        assert taken_in(world.agent, rows).duplicate == 1
        span = Span.objects.select_related("session").get()
        assert "bob@" not in span.span_id + span.trace_id
        assert span.session is not None
        assert span.session.external_id == "[EMAIL_2]"
        assert span.session.user == "[EMAIL_2]"

    def test_only_ids_of_opentelemetrys_shape_may_read_as_a_card_number(self, world: World) -> None:
        card = "2232220027093541"
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        for trace_id in (trace, "mine"):
            given = formats.Record(
                kind=SpanKind.LLM, name="chat", format="genai", trace_id=trace_id, span_id=card,
                parent_id=card[::-1], user=card,
            )  # fmt: skip
            ingest(agent=world.agent, records=[given], source=Source.OTLP)

        theirs, mine = Span.objects.order_by("pk")
        assert (theirs.trace_id, theirs.span_id, theirs.parent_id) == (trace, card, card[::-1])
        assert (mine.trace_id, mine.span_id) == ("mine", "[CREDIT_CARD_1]")
        assert theirs.user == mine.user == "[CREDIT_CARD_1]"

    def test_it_knows_what_is_new_in_each_call(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        calls = list(Span.objects.order_by("started_at"))
        # The answer of a call was shown by it, so the next call's copy of it is repeated.
        assert [call.new_from for call in calls] == [0, 3, 5]
        introduced = (
            Introduction.objects.filter(span=calls[1]).order_by("position").values_list("position", flat=True)
        )
        assert list(introduced) == [3, 4]

    def test_calls_that_arrive_newest_first_are_put_in_order(self, world: World) -> None:
        taken_in(world.agent, session_rows()[::-1])
        assert [call.new_from for call in Span.objects.order_by("started_at")] == [0, 3, 5]

    def test_a_later_delivery_knows_what_the_session_has_shown(self, world: World) -> None:
        rows = session_rows()
        taken_in(world.agent, rows[:1])
        taken_in(world.agent, rows[1:])
        assert [call.new_from for call in Span.objects.order_by("started_at")] == [0, 3, 5]

    def test_calls_without_a_session_introduce_a_text_once(self, world: World) -> None:
        rows = [row(str(n), [PROMPT, user(f"question {n}")], says(f"answer {n}")) for n in range(3)]
        taken_in(world.agent, rows[:2])
        taken_in(world.agent, rows[2:])
        prompt = Content.objects.get(role="system")
        assert prompt.introductions.count() == 1
        assert {call.new_from for call in Span.objects.all()} == {0}

    def test_it_reads_the_outcome_of_a_session(self, world: World) -> None:
        good, bad = session_rows("good"), session_rows("bad")
        good[2]["metadata"], bad[0]["metadata"] = {"reward": 1}, {"outcome": "failure"}
        taken_in(world.agent, [*good, *bad, *session_rows("open")])
        outcomes = dict(Session.objects.values_list("external_id", "outcome"))
        assert outcomes == {"good": Outcome.SUCCESS, "bad": Outcome.FAILURE, "open": Outcome.UNKNOWN}

    def test_simulated_answers_are_marked(self, world: World) -> None:
        rows = [
            row("1", [user("hi")], says("a"), metadata={"simulated": True}),
            row("2", [user("hi")], says("b")),
        ]
        taken_in(world.agent, rows)
        assert Span.objects.get(span_id="1").simulated
        assert not Span.objects.get(span_id="2").simulated

    def test_errors_are_kept_and_redacted(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("hi")], None, error={"message": "no access for bob@acme.org"})])
        span = Span.objects.get()
        assert (span.status, span.error) == (Status.ERROR, "no access for [EMAIL_1]")

    @pytest.mark.parametrize(
        "clock", ["1970-01-01T00:00:00Z", "2100-05-05T00:00:00Z", "2001-01-01T00:00:00Z", 99]
    )
    def test_a_wrong_clock_is_noted_and_stays_in_a_sane_range(self, world: World, clock: Any) -> None:
        taken_in(world.agent, [row("1", [user("hi")], says("a"), timestamp=clock)])
        span = Span.objects.get()
        assert 2015 <= span.started_at.year <= timezone.now().year + 1
        assert span.issues

    def test_it_publishes_one_event_an_hour_with_counts_only(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ingest_module, "BATCH", 4)
        taken_in(world.agent, [*session_rows("s1"), *session_rows("s2")])
        events = Event.objects.filter(type=TracesIngested.type)
        assert [event.data for event in events] == [{"accepted": 6, "source": "api"}]


class TestRejects:
    def test_malformed_lines_are_told_with_line_and_reason_and_the_rest_goes_in(self, world: World) -> None:
        rows = session_rows()
        rows.insert(1, {"some": "thing for bob@acme.org"})
        rejects = io.StringIO()
        summary = taken_in(world.agent, rows, rejects=rejects)
        assert (summary.accepted, summary.rejected) == (3, 1)
        line = orjson.loads(rejects.getvalue())
        assert line["line"] == 2
        assert "unknown shape" in line["reason"]
        assert "bob@acme.org" not in line["excerpt"]
        assert "[EMAIL_" in line["excerpt"]

    def test_what_cannot_be_redacted_is_never_stored(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(monkeypatch, Broken("poison"))
        rejects = io.StringIO()
        rows = [row("1", [user("poison")], says("a")), row("2", [user("fine")], says("b"))]
        summary = taken_in(world.agent, rows, rejects=rejects)
        assert (summary.accepted, summary.rejected) == (1, 1)
        assert "could not be redacted" in rejects.getvalue()
        assert not Content.objects.filter(text__contains="poison").exists()

    def test_too_many_messages_for_one_row_are_refused(self, world: World) -> None:
        summary = taken_in(world.agent, [row("1", [user("hi")] * 32_001, says("a"))])
        assert (summary.accepted, summary.rejected) == (0, 1)

    def test_unstorable_numbers_are_refused_or_left_out(self, world: World) -> None:
        record = formats.parse_row(
            row("1", [user("hi")], says("a"), response={"usage": {"prompt_tokens": 2**40}})
        )
        odd = formats.parse_row(row("2", [{"role": "user", "content": "hi", "n": 1}], says("a")))
        odd.messages[0]["n"] = 2**70
        summary = ingest_module.ingest(agent=world.agent, records=[record, odd], source=Source.API)
        assert (summary.accepted, summary.rejected) == (1, 1)
        assert Span.objects.get().input_tokens is None

    def test_huge_attributes_stand_beside_the_row(self, world: World) -> None:
        long = {"a": "x y " * 100_000, "mail": "bob@acme.org"}
        taken_in(world.agent, [row("1", [user("hi")], says("a"), metadata=long, other="kept")])
        span = Span.objects.get()
        assert span.attributes["other"] == "kept"
        assert len(orjson.dumps(span.attributes)) < 20_000
        assert span.details is not None
        assert span.details.body["metadata"] == {**long, "mail": "[EMAIL_1]"}


class TestOddInput:
    def test_nul_and_half_characters_are_replaced(self, world: World) -> None:
        record = formats.parse_row(row("1", [user("hi")], says("a")))
        record.messages, record.name = [user("a\0b \\u0000")], "n\0\ud800"
        record.trace_id, record.attributes = "t\0", {"k\0": ["v\0\ud800", 2**70, {1: b"x"}]}
        assert ingest_module.ingest(agent=world.agent, records=[record], source=Source.API).accepted == 1
        span = Span.objects.get()
        assert messages_of(span)[0]["content"] == "a\ufffdb \\u0000"
        assert (span.trace_id, span.name) == ("t\ufffd", "n\ufffd?")
        assert span.attributes["k\ufffd"] == ["v\ufffd?", str(2**70), {"1": "b'x'"}]

    def test_huge_ids_are_fitted_and_still_told_apart(self, world: World) -> None:
        records = [formats.parse_row(row("1", [user("hi")], says("a"))) for _ in "ab"]
        for record, end in zip(records, "ab", strict=True):
            record.span_id, record.session = "i" * 10_000 + end, "s" * 9_000 + end
        first = ingest_module.ingest(agent=world.agent, records=records, source=Source.API)
        again = ingest_module.ingest(agent=world.agent, records=records, source=Source.API)
        assert (first.accepted, again.duplicate, Session.objects.count()) == (2, 2, 2)

    def test_ten_thousand_attributes_are_all_kept(self, world: World) -> None:
        record = formats.parse_row(row("1", [user("hi")], says("a")))
        record.attributes = {f"key {n}": f"value {n}" for n in range(10_000)}
        ingest_module.ingest(agent=world.agent, records=[record], source=Source.API)
        span = Span.objects.get()
        assert len(span.attributes) <= 300
        assert span.details is not None
        assert {**span.attributes, **span.details.body} == record.attributes

    def test_attributes_beyond_all_measure_are_cut_with_a_note(self, world: World) -> None:
        record = formats.parse_row(row("1", [user("hi")], says("a")))
        record.attributes = {"long": "word " * 2_000_000, "other": "kept " * 5_000}
        ingest_module.ingest(agent=world.agent, records=[record], source=Source.API)
        details = Span.objects.get().details
        assert details is not None
        assert details.body["other"] == record.attributes["other"]
        assert details.body["long"].endswith("cut: 10,000,010 bytes")

    def test_thirty_two_thousand_messages_are_one_call(self, world: World) -> None:
        assert taken_in(world.agent, [row("1", [user("hi"), says("a")] * 16_000, says("b"))]).accepted == 1
        assert len(Span.objects.get().message_ids) == 32_000

    def test_media_is_stored_once_and_neither_searched_nor_scanned(self, world: World) -> None:
        url = "data:image/png;base64," + "4111111111111111+/AKIAIOSFODNN7EXAMPLE" * 100
        shown = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
        sound = {"type": "input_audio", "input_audio": {"data": "4111111111111111/" * 100, "format": "wav"}}
        heard = {"role": "user", "content": [{"type": "text", "text": "hear"}, sound]}
        rows = [row(str(n), [shown, heard], says("a"), session_id="s") for n in range(3)]
        taken_in(world.agent, rows)
        assert Content.objects.filter(role="user").count() == 2
        assert set(Content.objects.filter(role="user").values_list("text", flat=True)) == {"", "hear"}
        assert Finding.objects.count() == 0

    def test_what_only_pretends_to_be_media_is_searched(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("data:image/png;base64, write to bob@acme.org")], says("a"))])
        assert messages_of(Span.objects.get())[0]["content"].endswith("[EMAIL_1]")

    def test_a_span_that_ends_before_it_starts_is_noted(self, world: World) -> None:
        record = formats.parse_row(row("1", [user("hi")], says("a")))
        assert record.started_at is not None
        record.ended_at = record.started_at - timedelta(seconds=5)
        ingest_module.ingest(agent=world.agent, records=[record], source=Source.API)
        assert Span.objects.get().issues == ["clock_skew"]


class TestMessagesOf:
    def test_it_gives_redacted_openai_shapes(self, world: World) -> None:
        taken_in(world.agent, session_rows(mail="ann.lee@acme.org"))
        spans = list(Span.objects.order_by("started_at"))
        content = messages_of_many(spans)[spans[1].pk]
        assert [message["role"] for message in content.messages] == ["system", "user", "assistant", "tool"]
        arguments = content.messages[2]["tool_calls"][0]["function"]["arguments"]
        assert orjson.loads(arguments) == {"order": "A-1043", "mail": "[EMAIL_1]"}
        assert orjson.loads(content.messages[3]["content"])["mail"] == "[EMAIL_1]"
        assert content.tools == TOOLS
        assert content.output == {"role": "assistant", "content": "It was sent."}
        assert messages_of(spans[1]) == content.messages

    def test_it_needs_few_queries(self, world: World, django_assert_max_num_queries: Any) -> None:
        taken_in(world.agent, [*session_rows("a"), *session_rows("b"), *session_rows("c")])
        spans = list(Span.objects.all())
        with django_assert_max_num_queries(1):
            assert len(messages_of_many(spans)) == 9

    def test_a_call_with_tool_arguments_that_are_not_json_is_kept(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("hi")], asks_tool("{'order': 'A'}"))])
        span = Span.objects.get()
        assert span.issues == ["arguments_not_json"]
        output = messages_of_many([span])[span.pk].output
        assert output is not None
        assert output["tool_calls"][0]["function"]["arguments"] == "{'order': 'A'}"
