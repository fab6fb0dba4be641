"""Every kind of event that an app declares, and rows of kinds and shapes that none declares any more."""

from __future__ import annotations

import re
import types
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from django.conf import settings
from django.db import transaction

from apps.events.facts import Fact, Tone, declared
from apps.events.models import Event
from apps.events.sentences import sentence
from apps.events.services import publish
from tests.events.facts import Ticked
from tests.world import World

# Without those that tests declare for themselves.
KINDS = [kind for _, kind in sorted(declared().items()) if kind.__module__.startswith("apps.")]
EXAMPLES: dict[Any, Any] = {int: 7, float: 0.5, str: "Something", bool: True}


def example(kind: type[Fact]) -> Fact:
    """A fact with a value of its type in every field."""
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name]) for name in kind.__struct_fields__})


def _value(hint: Any) -> Any:
    if get_origin(hint) is types.UnionType:
        return _value(get_args(hint)[0])
    return [] if get_origin(hint) is list else EXAMPLES[hint]


def stored(world: World, type: str, data: Any) -> Event:
    """A row as an older version may have left it."""
    with transaction.atomic():
        event = publish(Ticked(), workspace=world.workspace, agent=world.agent, actor=world.curator)
        event.type, event.data = type, data
        event.save()
    return event


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
class TestEveryKind:
    def test_it_has_a_sentence_and_an_address_that_exists(self, world: World, kind: type[Fact]) -> None:
        with transaction.atomic():
            event = publish(example(kind), workspace=world.workspace, agent=world.agent, actor=world.admin)
        event = Event.objects.get(pk=event.pk)
        line = sentence(world.workspace, event)
        assert line.who
        assert line.verb == kind.verb
        assert kind.tone in Tone
        assert bool(line.url) == (kind.page is not None)

    def test_what_is_stored_reads_back_the_same(self, kind: type[Fact]) -> None:
        fact = example(kind)
        assert kind.read(msgspec.json.decode(msgspec.json.encode(fact.data()))) == fact

    def test_it_is_named_by_noun_and_past_verb_as_its_class_is(self, kind: type[Fact]) -> None:
        words = re.findall("[A-Z][a-z]*", kind.__name__)
        assert kind.type == f"{words[0]}.{'_'.join(words[1:])}".lower() or kind.__module__.startswith(
            "tests."
        )
        assert len(kind.type) <= Event._meta.get_field("type").max_length  # type: ignore[operator]

    def test_what_adds_up_are_fields_of_its_own(self, kind: type[Fact]) -> None:
        assert set(kind.adds) <= set(kind.__struct_fields__)
        assert not kind.adds or kind.coalesce

    def test_it_leads_to_no_app_above_its_own(self, kind: type[Fact]) -> None:
        if kind.page is None:
            return
        own = kind.__module__.rpartition(".")[0]
        page = f"apps.{kind.page.route.partition(':')[0]}"
        assert settings.INSTALLED_APPS.index(page) <= settings.INSTALLED_APPS.index(own)


def test_a_type_is_declared_once() -> None:
    with pytest.raises(TypeError, match=r"'test\.ticked' is declared twice"):

        class Again(Fact):
            type = "test.ticked"
            verb = "ticked again"


def test_the_filter_offers_what_the_apps_declare_without_progress(world: World) -> None:
    page = world.client(world.viewer).get(world.workspace_url("events:activity")).content.decode()
    groups = re.findall(r'<option value="(\w+)"', page.split('name="group"')[1].split("</select>")[0])
    assert {"workspace", "task", "rollout", "traces"} <= set(groups)
    assert set(groups) - {"test"} == {kind.type.partition(".")[0] for kind in KINDS if kind.audited}


class TestOldRows:
    @pytest.mark.parametrize("data", [{}, {"name": "An old name"}, {"name": 5}, [], "text", 7])
    def test_a_type_that_nobody_declares_is_shown_neutrally(self, world: World, data: Any) -> None:
        stored(world, "horoscope.cast", data)
        page = world.client(world.viewer).get(world.workspace_url("events:activity")).content.decode()
        assert "left the event “horoscope.cast”" in page
        assert ("An old name" in page) == (data == {"name": "An old name"})

    @pytest.mark.parametrize("data", [{}, {"job": "x", "title": "Old"}, {"job": 7, "title": None}, []])
    def test_another_shape_keeps_its_verb_and_has_no_link(self, world: World, data: Any) -> None:
        line = sentence(world.workspace, stored(world, "job.failed", data))
        assert (line.who, line.verb, line.url) == ("Curator", "failed at", "")
        assert line.what == ("Old" if data == {"job": "x", "title": "Old"} else "")

    def test_what_a_newer_version_added_is_passed_over(self, world: World) -> None:
        line = sentence(world.workspace, stored(world, "task.accepted", {"task": 7, "name": "A", "mood": 1}))
        assert (line.what, line.url) == ("A", world.url("discovery:detail", 7))

    def test_without_its_agent_there_is_no_link(self, world: World) -> None:
        event = stored(world, "task.accepted", {"task": 7, "name": "A"})
        event.agent = None
        assert sentence(world.workspace, event).url == ""


def test_no_app_needs_more_than_its_own_module_for_a_new_kind() -> None:
    """The registry, the pages and the log name no type of any app."""
    named = [
        f"{path.name}: {kind.type}"
        for path in Path(settings.BASE_DIR, "apps/events").glob("*.py")
        for kind in KINDS
        if f'"{kind.type}"' in path.read_text()
    ]
    assert named == []
