"""A shape that no format knows, mapped by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.traces.models import Span
from apps.uploads.models import Mapping, Upload
from tests.uploads.upload_files import jsonl, page, send, start, strange_rows
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> Path:
    settings.HUB_HOME = tmp_path
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


def drawn(**fields: str) -> dict[str, str]:
    """What the form sends: every field, those given filled."""
    prefix = f"file{Upload.objects.latest('pk').pk}"
    shown = {f"{prefix}-messages": "", f"{prefix}-format": "by_hand"}
    return shown | {f"{prefix}-{name}": path for name, path in fields.items()}


STRANGE = {
    "messages": "talk.turns",
    "role_key": "who",
    "content_key": "says",
    "output": "bot.said",
    "model": "bot.engine",
    "session": "meta.thread",
    "id": "ref",
}


class TestMapping:
    def test_an_unknown_shape_shows_its_paths_with_examples(self, world: World) -> None:
        send(world, ("odd.jsonl", strange_rows()))
        shown = page(world)
        assert "Not known" in shown
        for text in ("talk.turns[*].says", "Where is parcel 0?", "bot.engine", "house-7b"):
            assert text in shown

    def test_the_first_call_follows_the_fields_at_once(self, world: World) -> None:
        send(world, ("odd.jsonl", strange_rows()))
        shown = page(world, **drawn(**STRANGE))
        answer = shown.index('data-role="assistant"')
        assert shown.index('data-role="user"') < answer
        assert "Parcel 0 is on its way." in shown[answer:]
        assert "session t0" in shown
        assert not Mapping.objects.exists()

    def test_a_mapping_is_imported_kept_and_used_again(self, world: World) -> None:
        send(world, ("odd.jsonl", strange_rows()))
        start(world, **drawn(**STRANGE))
        assert world.run_jobs() == ["succeeded"]
        assert Span.objects.count() == 3
        span = Span.objects.order_by("pk").first()
        assert span is not None
        assert (span.model, span.output_preview) == ("house-7b", "Parcel 0 is on its way.")
        assert span.session is not None
        assert span.session.external_id == "t0"
        send(world, ("more.jsonl", strange_rows(5)))
        assert "as the last time" in page(world)
        start(world)
        assert world.run_jobs() == ["succeeded"]
        assert Span.objects.count() == 5
        assert Mapping.objects.get().made_by == world.curator

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"output": "bot.said"}, "say where the messages or the prompt stand"),
            ({"prompt": "ref"}, "say where the answer stands"),
            ({"prompt": "ref", "output": "bot[said"}, "is no path"),
        ],
    )
    def test_a_mapping_that_cannot_work_says_why(
        self, world: World, fields: dict[str, str], said: str
    ) -> None:
        send(world, ("odd.jsonl", strange_rows()))
        assert said in page(world, **drawn(**fields)).replace("Say", "say")
        start(world, **drawn(**fields))
        assert world.run_jobs() == []
        assert not Mapping.objects.exists()

    def test_examples_are_redacted(self, world: World) -> None:
        send(world, ("odd.jsonl", jsonl([{"q": "mail ann.lee@acme.org", "a": "done"}])))
        shown = page(world)
        assert "ann.lee@acme.org" not in shown

    def test_a_mapping_belongs_to_one_agent(self, world: World) -> None:
        from apps.team.services import create_agent

        send(world, ("odd.jsonl", strange_rows()))
        start(world, **drawn(**STRANGE))
        other = create_agent(workspace=world.workspace, name="Other", actor=world.admin)
        world.agent = other
        send(world, ("odd.jsonl", strange_rows()))
        assert "as the last time" not in page(world)
