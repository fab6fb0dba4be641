from __future__ import annotations

from typing import Any

import orjson
import pytest

from apps.contents.addressing import OriginalNotStoredError
from apps.contents.models import Content
from apps.contents.search import matching
from apps.events.models import Event
from apps.privacy import services
from apps.privacy.events import FindingDecided, OriginalRevealed
from apps.privacy.models import Decision, Finding, Surrogate
from apps.privacy.selectors import in_context
from tests.traces.calls import asks_tool, row, says, session_rows, taken_in, tool_says, user
from tests.world import World


def finding_of(text: str) -> Finding:
    return Finding.objects.select_related("surrogate", "content", "workspace").get(
        content__text__contains=text
    )


class TestSurrogates:
    def test_the_same_value_has_the_same_surrogate_everywhere(self, world: World) -> None:
        messages = [
            user("I am bob@acme.org"),
            asks_tool({"mail": "Bob@Acme.org"}),
            tool_says({"to": "bob@acme.org"}),
        ]
        taken_in(world.agent, [row("1", messages, says("Sent to bob@acme.org, not to eve@acme.org"))])
        texts = set(Content.objects.exclude(text="lookup_order").values_list("text", flat=True))
        assert texts == {
            "I am [EMAIL_1]",
            'lookup_order({"mail":"[EMAIL_1]"})',
            '{"to":"[EMAIL_1]"}',
            "Sent to [EMAIL_1], not to [EMAIL_2]",
        }
        assert Surrogate.objects.count() == 2

    def test_numbers_go_on_over_deliveries(self, world: World) -> None:
        for number, name in enumerate(["a", "b", "a", "c"]):
            taken_in(world.agent, [row(str(number), [user(f"{number} {name}@acme.org")], says("ok"))])
        texts = sorted(Content.objects.filter(role="user").values_list("text", flat=True))
        assert texts == ["0 [EMAIL_1]", "1 [EMAIL_2]", "2 [EMAIL_1]", "3 [EMAIL_3]"]

    def test_json_stays_json(self, world: World) -> None:
        result = {"payment": {"credit_card_4421486": {"last_four": "1"}}, "note": 'say "hi" to bob@acme.org'}
        taken_in(world.agent, [row("1", [tool_says(result)], says("ok"))])
        body = Content.objects.get(role="tool").body
        decoded = orjson.loads(body["content"])
        assert decoded == {"payment": {"[PAYMENT_ID_1]": {"last_four": "1"}}, "note": 'say "hi" to [EMAIL_1]'}

    def test_a_sensitive_key_does_not_stand_in_a_path(self, world: World) -> None:
        result = {"people": {"bob@acme.org": {"mail": "eve@acme.org"}}}
        taken_in(world.agent, [row("1", [tool_says(result)], says("ok"))])
        paths = sorted(Finding.objects.values_list("path", flat=True))
        assert paths == ["/content#/people/[EMAIL_1]~40/mail", "/content#/people/[EMAIL_1]~40^"]
        html = world.client(world.viewer).get(world.workspace_url("privacy:findings")).content.decode()
        assert "/content#/people/[EMAIL_1]/mail" in html


class TestDecide:
    def test_rejecting_shows_the_value_again_everywhere(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("Mail bob@acme.org and eve@acme.org")], says("ok"))])
        found = Finding.objects.get(surrogate__number=1)
        assert services.decide(findings=[found], decision=Decision.REJECTED, actor=world.curator) == 1
        content = Content.objects.get(role="user")
        assert content.text == "Mail bob@acme.org and [EMAIL_2]"
        assert content.body["content"] == content.text
        assert matching(world.workspace, "bob@acme.org") == [content.pk]
        assert matching(world.workspace, "EMAIL_1") == []

    def test_undoing_hides_it_again(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("Mail bob@acme.org")], says("ok"))])
        found = Finding.objects.get()
        services.decide(findings=[found], decision=Decision.REJECTED, actor=world.curator)
        services.decide(findings=[found], decision=Decision.PENDING, actor=world.curator)
        assert Content.objects.get(role="user").text == "Mail [EMAIL_1]"
        found.refresh_from_db()
        assert (found.decision, found.decided_by, found.decided_at) == (Decision.PENDING, None, None)

    def test_a_value_below_a_sensitive_key_can_be_shown(self, world: World) -> None:
        taken_in(world.agent, [row("1", [tool_says({"bob@acme.org": "eve@acme.org"})], says("ok"))])
        value = Finding.objects.exclude(path__endswith="^").get()
        services.decide(findings=[value], decision=Decision.REJECTED, actor=world.curator)
        assert orjson.loads(Content.objects.get(role="tool").body["content"]) == {"[EMAIL_1]": "eve@acme.org"}

    def test_a_sensitive_key_stays_hidden(self, world: World) -> None:
        taken_in(world.agent, [row("1", [tool_says({"bob@acme.org": "x"})], says("ok"))])
        with pytest.raises(services.FieldNameError):
            services.decide(findings=Finding.objects.all(), decision=Decision.REJECTED, actor=world.curator)
        assert Finding.objects.get().decision == Decision.PENDING

    def test_without_the_original_nothing_changes(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        Content.objects.update(original=b"")
        found = Finding.objects.first()
        assert found is not None
        with pytest.raises(OriginalNotStoredError):
            services.decide(findings=[found], decision=Decision.REJECTED, actor=world.curator)
        found.refresh_from_db()
        assert found.decision == Decision.PENDING

    def test_deciding_twice_is_one_change_and_one_event(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        chosen = list(Finding.objects.all())
        assert services.decide(findings=chosen, decision=Decision.ACCEPTED, actor=world.curator) == len(
            chosen
        )
        assert services.decide(findings=chosen, decision=Decision.ACCEPTED, actor=world.curator) == 0
        event = Event.objects.get(type=FindingDecided.type)
        assert event.actor == world.curator
        assert event.data["findings"] == len(chosen)


class TestContext:
    def test_each_finding_stands_between_the_text_around_it(self, world: World) -> None:
        taken_in(
            world.agent, [row("1", [user("From a@acme.org to b@acme.org, again a@acme.org.")], says("ok"))]
        )
        found = list(Finding.objects.order_by("start").select_related("surrogate", "content"))
        services.decide(findings=[found[1]], decision=Decision.REJECTED, actor=world.curator)
        found = list(Finding.objects.order_by("start").select_related("surrogate", "content"))
        assert [(c.before, c.shown, c.after) for c in in_context(found)] == [
            ("From ", "[EMAIL_1]", " to b@acme.org, again [EMAIL_1]."),
            ("From [EMAIL_1] to ", "b@acme.org", ", again [EMAIL_1]."),
            ("From [EMAIL_1] to b@acme.org, again ", "[EMAIL_1]", "."),
        ]


class TestPages:
    def test_the_page_lists_findings_in_context_but_never_their_values(self, world: World) -> None:
        taken_in(world.agent, session_rows(mail="ann.lee@acme.org"))
        page = world.client(world.viewer).get(world.workspace_url("privacy:findings")).content.decode()
        assert "[EMAIL_1]" in page
        assert "Where is order A-1043?" in page
        assert "ann.lee" not in page
        assert "Reveal" not in page
        assert 'value="accepted" data-key' not in page

    def test_it_filters_by_kind_decision_and_detector(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("bob@acme.org, card credit_card_1234567")], says("ok"))])
        url = world.workspace_url("privacy:findings")
        client = world.client(world.curator)
        assert "[PAYMENT_ID_1]</mark>" not in client.get(url, {"entity": "EMAIL"}).content.decode()
        assert "No finding matches" in client.get(url, {"decision": "rejected"}).content.decode()
        assert "[PAYMENT_ID_1]</mark>" in client.get(url, {"detector": "payment_id"}).content.decode()

    def test_a_curator_decides_by_button_and_comes_back(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("bob@acme.org")], says("ok"))])
        found = Finding.objects.get()
        back = world.workspace_url("privacy:findings") + "?entity=EMAIL"
        url = world.workspace_url("privacy:decide", found.pk)
        response = world.client(world.curator).post(url, {"decision": "rejected", "next": back})
        assert response.headers["Location"] == back
        found.refresh_from_db()
        assert found.decision == Decision.REJECTED

    def test_it_goes_back_to_its_own_pages_only(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        url = world.workspace_url("privacy:decide_many")
        response = world.client(world.curator).post(
            url, {"decision": "accepted", "next": "https://evil.example/"}
        )
        assert response.headers["Location"] == world.workspace_url("privacy:findings")

    def test_ticked_findings_are_decided_together(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        ids = list(Finding.objects.values_list("pk", flat=True))
        world.client(world.curator).post(
            world.workspace_url("privacy:decide_many"), {"id": ids, "decision": "accepted"}
        )
        assert set(Finding.objects.values_list("decision", flat=True)) == {Decision.ACCEPTED}

    def test_a_missing_original_is_said_clearly(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        Content.objects.update(original=b"")
        found = Finding.objects.first()
        assert found is not None
        url = world.workspace_url("privacy:decide", found.pk)
        page = world.client(world.curator).post(url, {"decision": "rejected"}, follow=True).content.decode()
        assert "The original of this text is not stored" in page

    def test_reading_a_value_is_recorded(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("bob@acme.org")], says("ok"))])
        found = Finding.objects.get()
        response = world.client(world.curator).post(world.workspace_url("privacy:reveal", found.pk))
        assert "bob@acme.org" in response.content.decode()
        assert response.headers["Cache-Control"] == "no-store"
        event = Event.objects.get(type=OriginalRevealed.type)
        assert (event.actor, event.data["finding"]) == (world.curator, found.pk)
        assert "bob" not in str(event.data)

    @pytest.mark.parametrize(
        ("who", "name", "status"),
        [
            ("viewer", "decide", 403), ("approver", "decide", 403), ("stranger", "decide", 404),
            ("viewer", "reveal", 403), ("engineer", "reveal", 403), ("stranger", "reveal", 404),
        ],
    )  # fmt: skip
    def test_others_may_not(self, world: World, who: str, name: str, status: int) -> None:
        taken_in(world.agent, [row("1", [user("bob@acme.org")], says("ok"))])
        found = Finding.objects.get()
        url = world.workspace_url(f"privacy:{name}", found.pk)
        person = {"viewer": world.viewer, "approver": world.approver, "engineer": world.engineer}.get(
            who, world.stranger
        )
        assert world.client(person).post(url, {"decision": "accepted"}).status_code == status
        assert not Event.objects.filter(type=OriginalRevealed.type).exists()

    def test_a_list_of_many_needs_few_queries(self, world: World, django_assert_max_num_queries: Any) -> None:
        rows = [row(str(n), [user(f"mail p{n}@acme.org")], says(f"ok {n}")) for n in range(60)]
        taken_in(world.agent, rows)
        client = world.client(world.curator)
        with django_assert_max_num_queries(16):
            assert client.get(world.workspace_url("privacy:findings")).status_code == 200
