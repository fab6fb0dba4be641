"""The pages Sources and Connect an agent, and the doctor for programs."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import ApiKey, User
from apps.accounts.rights import Scope
from apps.sources.snippets import snippets
from apps.spool.record import Header, PayloadKind, SpoolRecord, framed, seal_record
from apps.team.services import create_api_key
from apps.traces.models import Emitter, Source
from tests.sources.test_doctor import emitter, span
from tests.world import World, collapsed

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"hub_[\w-]{43}")


def test_an_empty_page_says_how_to_begin(world: World) -> None:
    page = world.client(world.viewer).get(world.url("sources:list")).content.decode()
    assert "Nobody sends anything yet" in page
    assert world.url("sources:connect") in page


def test_the_page_names_finding_and_setting_and_shows_text_as_text(world: World) -> None:
    span(emitter(world, name="<script>alert(1)</script>"), 1, session=None)
    page = world.client(world.viewer).get(world.url("sources:list")).content.decode()
    assert "using_session" in page
    assert "<script>alert" not in page


def test_a_key_is_made_for_the_agent_and_stands_in_every_snippet(world: World) -> None:
    response = world.client(world.admin).post(world.url("sources:make_key"))
    page = response.content.decode()
    key = ApiKey.objects.get()
    assert key.agent == world.agent
    assert set(key.scopes) == {Scope.INGEST, Scope.INFER}
    secrets = SECRET.findall(page)
    assert len(set(secrets)) == 1
    assert len(secrets) >= len(snippets(base="x", agent="y", key="z"))
    assert "no-store" in response["Cache-Control"]
    assert not SECRET.search(world.client(world.admin).get(world.url("sources:connect")).content.decode())


def test_who_may_not_make_keys_is_told_whom_to_ask(world: World) -> None:
    client = world.client(world.engineer)
    assert "Ask an admin" in client.get(world.url("sources:connect")).content.decode()
    assert client.post(world.url("sources:make_key")).status_code == 403
    assert not ApiKey.objects.exists()


def test_it_waits_until_something_streams_in(world: World) -> None:
    client = world.client(world.viewer)
    since = timezone.now()
    url = world.url("sources:connect")
    assert "for the first span" in client.get(url, {"since": since.isoformat()}).content.decode()
    emitter(world, source=Source.UPLOAD, last_at=since + timedelta(seconds=1))
    assert "for the first span" in client.get(url, {"since": since.isoformat()}).content.decode()
    Emitter.objects.all().update(source=Source.OTLP)
    assert "The first spans are here" in client.get(url, {"since": since.isoformat()}).content.decode()


@pytest.mark.parametrize("since", ["", "yesterday", "2026-99-99", "2026-01-01T00:00:00"])
def test_a_damaged_since_counts_as_now(world: World, since: str) -> None:
    assert world.client(world.viewer).get(world.url("sources:connect"), {"since": since}).status_code == 200


def test_a_program_asks_the_doctor(world: World) -> None:
    span(emitter(world), 1, dropped_attributes=3)
    secret = create_api_key(
        workspace=world.workspace, agent=world.agent, name="k", scopes=[Scope.READ], actor=world.admin
    )[1]
    (told,) = Client().get("/api/v1/sources", headers={"authorization": f"Bearer {secret}"}).json()
    assert (told["convention"], told["status"], told["judged_calls"]) == ("openinference", "bad", 1)
    assert told["complaints"][0]["setting"] == "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT=10000"
    assert told["shares"]["usage"] == 1


class TestHowFarTheIntakeIsBehind:
    """The spool is the whole hub's."""

    @pytest.fixture(autouse=True)
    def spool(self, tmp_path: Path, settings: Any) -> Path:
        settings.SPOOL_DIR = tmp_path
        return tmp_path

    def page(self, world: World, user: User) -> str:
        return collapsed(world.client(user).get(world.url("sources:list")).content)

    def waiting(self, world: World, spool: Path, *, since_s: float, name: str = "web.1.000001.spool") -> None:
        header = Header(kind=PayloadKind.ROW, source=Source.API, agent=world.agent.pk)
        record = framed(seal_record(SpoolRecord(header, b"a secret")), time.time() - since_s)
        (spool / name).write_bytes(record)

    def test_nothing_is_said_while_nothing_waits_for_long(self, world: World, spool: Path) -> None:
        assert "The intake" not in self.page(world, world.admin)
        self.waiting(world, spool, since_s=1)
        assert "The intake" not in self.page(world, world.admin)

    def test_who_manages_hears_how_long_and_how_much(self, world: World, spool: Path) -> None:
        self.waiting(world, spool, since_s=90)
        page = self.page(world, world.admin)
        assert "The intake is 1 min 30 s behind." in page
        assert "bytes" in page
        assert "a secret" not in page

    def test_what_was_set_aside_and_what_is_damaged_come_with_what_to_do(
        self, world: World, spool: Path
    ) -> None:
        self.waiting(world, spool, since_s=1, name="web.1.000001.refused")
        (spool / "web.1.000002.1.damaged").touch()
        page = self.page(world, world.admin)
        assert "1 body could not be stored." in page
        assert "--retry-refused" in page
        assert "1 spool file cannot be opened." in page
        assert "HUB_MASTER_KEY" in page

    def test_nobody_else_hears_of_it(self, world: World, spool: Path) -> None:
        self.waiting(world, spool, since_s=90)
        for user in (world.viewer, world.curator, world.engineer, world.approver):
            assert "The intake" not in self.page(world, user)
