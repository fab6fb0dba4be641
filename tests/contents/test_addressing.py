from __future__ import annotations

import pytest

from apps.accounts.keys import keyring
from apps.contents.addressing import OriginalNotStoredError, open_original
from apps.contents.models import Content, ContentKind
from tests.traces.calls import TOOLS, row, says, session_rows, taken_in, user
from tests.world import World


class TestContents:
    def test_each_message_and_tool_set_is_stored_once(self, world: World) -> None:
        taken_in(world.agent, [*session_rows("s1"), *session_rows("s2")])
        # system, question, call, result, two answers, thanks
        assert Content.objects.filter(kind=ContentKind.MESSAGE).count() == 7
        assert Content.objects.filter(kind=ContentKind.TOOLS).count() == 1

    def test_the_order_of_keys_does_not_matter(self, world: World) -> None:
        turned = {"content": "hello", "role": "user"}
        taken_in(world.agent, [row("1", [user("hello")], says("a")), row("2", [turned], says("b"))])
        assert Content.objects.filter(text="hello").count() == 1

    def test_the_original_opens_with_the_workspace_key(self, world: World) -> None:
        taken_in(world.agent, session_rows(mail="ann.lee@acme.org"))
        content = Content.objects.get(role="user", text__contains="Where is")
        assert "ann.lee@acme.org" not in content.text
        assert open_original(keyring(world.workspace.pk), content)["content"].endswith("ann.lee@acme.org.")
        tools = Content.objects.get(kind=ContentKind.TOOLS)
        assert open_original(keyring(world.workspace.pk), tools) == TOOLS

    def test_the_same_text_has_another_address_in_another_workspace(self, world: World) -> None:
        ours, theirs = keyring(world.workspace.pk), keyring(world.elsewhere.pk)
        assert ours.digest(b"hello") != theirs.digest(b"hello")

    def test_an_original_that_was_never_stored_says_so(self, world: World) -> None:
        taken_in(world.agent, session_rows())
        content = Content.objects.filter(role="user").first()
        assert content is not None
        content.original = b""
        with pytest.raises(OriginalNotStoredError, match="not stored"):
            open_original(keyring(world.workspace.pk), content)
