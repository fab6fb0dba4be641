from __future__ import annotations

import pytest

from apps.contents.models import Content
from apps.contents.search import matching
from tests.traces.calls import asks_tool, row, says, session_rows, taken_in, user
from tests.world import World


def found(world: World, query: str) -> list[str]:
    texts = Content.objects.filter(pk__in=matching(world.workspace, query)).order_by("pk")
    return [content.text for content in texts]


class TestMatching:
    def test_it_finds_messages_that_hold_all_words(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        assert found(world, "thanks lot") == ["Thanks a lot"]

    def test_it_finds_the_beginning_of_the_last_word(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        assert found(world, "welc") == ["You are welcome."]

    def test_words_joined_by_a_sign_must_stand_side_by_side(self, world: World) -> None:
        rows = [
            row("1", [user("order A-1043")], says("a")),
            row("2", [user("1043 bottles of type A")], says("b")),
        ]
        taken_in(world.agent, rows)
        assert found(world, "A-1043") == ["order A-1043"]

    def test_it_finds_tool_calls_by_name_and_argument(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("go")], asks_tool({"city": "Kassel"}, name="get_weather"))])
        assert len(found(world, "get_weather kassel")) == 1

    def test_it_does_not_look_into_other_workspaces(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        assert matching(world.elsewhere, "thanks") == []

    def test_it_forgets_what_was_deleted_and_follows_what_changes(self, world: World) -> None:
        taken_in(world.agent, [row("1", [user("a purple elephant")], says("ok"))])
        content = Content.objects.get(text="a purple elephant")
        content.text = "a green elephant"
        content.save(update_fields=["text"])
        assert found(world, "purple") == []
        assert found(world, "green") == ["a green elephant"]

    @pytest.mark.parametrize(
        "query",
        [
            '"',
            "'",
            "a' OR '1'='1",
            "NEAR(a b)",
            "a*",
            "text:b",
            "-",
            "",
            " ",
            "((",
            "%s",
            "\0",
            "ö AND",
            "\\",
        ],
    )
    def test_any_text_is_a_query(self, world: World, query: str) -> None:
        taken_in(world.agent, session_rows())
        assert isinstance(matching(world.workspace, query), list)

    def test_a_very_long_query_is_cut(self, world: World) -> None:
        assert matching(world.workspace, "word " * 100_000) == []
