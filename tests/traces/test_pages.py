from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.http import HttpResponseBase

from apps.privacy.models import Finding
from apps.traces.models import Session, Span
from tests.traces.calls import PROMPT, row, says, session_rows, taken_in, tool_says, user
from tests.world import World, collapsed

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def page(world: World, name: str, *arguments: Any, **query: str) -> str:
    response: Any = world.client(world.viewer).get(world.url(name, *arguments), query)
    assert response.status_code == 200
    return collapsed(response.content)


class TestList:
    def test_it_lists_the_newest_first_with_figures(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        html = page(world, "traces:list")
        assert html.index("Thanks a lot") < html.index("Where is order A-1043?")
        assert "tool:lookup_order" in html
        assert "100 ms" in html

    def test_an_empty_list_teaches_the_next_step(self, world: World) -> None:
        html = page(world, "traces:list")
        assert "manage.py import_traces calls.jsonl.gz --workspace acme --agent support-desk" in html

    @pytest.mark.parametrize(
        ("query", "shown"),
        [
            ({"model": "gpt-test"}, 4), ({"model": "other"}, 0), ({"action": "tool:lookup_order"}, 1),
            ({"status": "error"}, 1), ({"audience": "machine"}, 1), ({"session": "s1"}, 3),
            ({"source": "api"}, 4),
            ({"source": "gateway"}, 0), ({"q": "order"}, 1), ({"q": "thanks lot"}, 1), ({"q": '")(*'}, 0),
            ({"period": "1h"}, 0), ({"status": "nonsense"}, 4),
        ],
    )  # fmt: skip
    def test_it_filters(self, world: World, query: dict[str, str], shown: int) -> None:
        taken_in(
            world.agent,
            [*session_rows("s1"), row("x", [user("nothing to do with it")], None, error="timeout")],
        )
        assert page(world, "traces:list", **query).count("row-link") == shown

    def test_a_hit_names_the_call_that_introduced_the_text(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        html = page(world, "traces:list", q="1043")
        first = Span.objects.order_by("started_at")[0]
        assert html.count("row-link") == 1  # later calls only repeat it
        assert world.url("traces:call", first.pk) in html
        assert "<mark>1043</mark>" in html

    def test_pages_follow_each_other(self, world: World) -> None:
        rows = [
            row(str(n), [user(f"q {n}")], says("a"), timestamp=f"2026-01-05T10:{n:02}:00Z") for n in range(55)
        ]
        taken_in(world.agent, rows)
        client: Any = world.client(world.viewer)
        first = client.get(world.url("traces:list"))
        assert len(first.context["page"].rows) == 50
        second = client.get(world.url("traces:list"), {"cursor": first.context["page"].older})
        assert [span.span_id for span in second.context["page"].rows] == ["4", "3", "2", "1", "0"]

    def test_a_damaged_cursor_is_refused_in_words(self, world: World) -> None:
        response = world.client(world.viewer).get(world.url("traces:list"), {"cursor": "nonsense"})
        assert response.status_code == 400
        assert b"page link is damaged" in response.content

    def test_it_needs_few_queries_however_many_rows(
        self, world: World, django_assert_max_num_queries: Any
    ) -> None:
        taken_in(
            world.agent,
            [row(str(n), [user(f"q {n}")], says(f"a {n}"), session_id=f"s{n}") for n in range(60)],
        )
        client = world.client(world.viewer)
        with django_assert_max_num_queries(18):
            client.get(world.url("traces:list"))
        with django_assert_max_num_queries(20):
            client.get(world.url("traces:list"), {"q": "q"})

    def test_strangers_get_404(self, world: World) -> None:
        assert world.client(world.stranger).get(world.url("traces:list")).status_code == 404


class TestCall:
    def test_it_sets_what_is_new_apart_from_what_is_repeated(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        html = page(world, "traces:call", Span.objects.order_by("started_at")[1].pk)
        assert "3 messages repeated from earlier calls" in html
        repeated, new = html.split("msg is-new", 1)
        assert "Where is order A-1043?" in repeated
        assert "It was sent." in new
        assert "Call 2 of 3" in html

    def test_it_marks_findings_and_offers_decisions(self, world: World) -> None:
        taken_in(world.agent, session_rows(mail="ann.lee@acme.org"))
        span = Span.objects.order_by("started_at")[0]
        found = Finding.objects.filter(content__role="user").get()
        response: Any = world.client(world.curator).get(world.url("traces:call", span.pk))
        html = response.content.decode()
        assert f'href="#finding-{found.pk}"' in html
        assert f'id="finding-{found.pk}"' in html
        assert world.workspace_url("privacy:decide", found.pk) in html
        assert "ann.lee" not in html

    def test_html_in_a_trace_is_text(self, world: World) -> None:
        messages = [{"role": SCRIPT, "content": SCRIPT}, tool_says({"x": SCRIPT})]
        fields: dict[str, Any] = {
            "session_id": SCRIPT,
            "metadata": {"a": SCRIPT},
            "request": {"model": SCRIPT},
        }
        taken_in(world.agent, [row("1", messages, says(SCRIPT), **fields)])
        span = Span.objects.get()
        pages = [
            page(world, "traces:list"), page(world, "traces:list", q="alert"),
            page(world, "traces:call", span.pk),
            page(world, "traces:session", span.session_id), page(world, "traces:list", q=SCRIPT),
        ]  # fmt: skip
        for html in pages:
            assert "<script>alert" not in html
            assert "<img src=x" not in html
        assert "&lt;script&gt;alert(1)" in pages[2]

    def test_a_surrogate_that_somebody_wrote_is_no_finding(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("I am [EMAIL_1]")], says("ok"))])
        assert "mark class" not in page(world, "traces:call", Span.objects.get().pk)

    def test_huge_texts_are_cut_and_can_be_opened(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("start " + "word " * 5_000 + "the end")], says("ok"))])
        pk = Span.objects.get().pk
        assert "Show all" in page(world, "traces:call", pk)
        assert "Show all" not in page(world, "traces:call", pk, full="1")

    def test_an_image_is_named_not_shown(self, world: World) -> None:
        parts = [
            {"type": "text", "text": "see"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9000}},
        ]
        taken_in(world.agent, [row("1", [{"role": "user", "content": parts}], says("ok"))])
        html = page(world, "traces:call", Span.objects.get().pk)
        assert "9,022 characters, not shown" in html

    def test_its_json_can_be_uploaded_again(self, world: World) -> None:
        taken_in(world.agent, session_rows(mail="ann.lee@acme.org"))
        span = Span.objects.order_by("started_at")[1]
        response: Any = world.client(world.viewer).get(world.url("traces:call", span.pk), {"format": "json"})
        copied = orjson.loads(response.content)
        assert b"ann.lee" not in response.content
        assert copied["request"]["messages"][0] == PROMPT
        assert taken_in(world.agent, [copied]).duplicate == 1

    def test_a_call_of_another_agent_is_not_found(self, world: World) -> None:
        from apps.team.services import create_agent

        other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
        taken_in(other, [row("1", [user("hi")], says("ok"))])
        client = world.client(world.viewer)
        assert client.get(world.url("traces:call", Span.objects.get().pk)).status_code == 404

    def test_it_needs_few_queries(self, world: World, django_assert_max_num_queries: Any) -> None:
        messages = [user(f"message {n} of p{n}@acme.org") for n in range(80)]
        taken_in(world.agent, [row("1", messages, says("ok"), session_id="s")])
        client = world.client(world.viewer)
        url = world.url("traces:call", Span.objects.get().pk)
        with django_assert_max_num_queries(15):
            client.get(url)


class TestSession:
    def test_it_shows_the_calls_in_order_with_outcome_and_tokens(self, world: World) -> None:
        rows = session_rows()
        rows[2]["metadata"] = {"outcome": "success"}
        taken_in(world.agent, rows)
        html = page(world, "traces:session", Session.objects.get().pk)
        assert html.index("Where is order") < html.index("Thanks a lot")
        assert "Succeeded" in html
        assert ">30<" in html

    def test_strangers_get_404(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        response: HttpResponseBase = world.client(world.stranger).get(
            world.url("traces:session", Session.objects.get().pk)
        )
        assert response.status_code == 404
