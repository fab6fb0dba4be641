from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.core.encryption import SealBrokenError
from apps.events.models import Event
from apps.registry import selectors
from apps.registry.connection import try_teacher
from apps.registry.events import TeacherChanged
from apps.registry.models import Teacher
from apps.registry.services import BadAddressError, KeyNeededError, set_teacher
from tests.world import World

pytestmark = pytest.mark.django_db

FORM = {"name": "LLM", "base_url": "https://llm.example.com/v1", "key": "sk-secret"}


class Upstream(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == "Bearer good"
        if self.path == "/moved/models":
            self.send_response(302)
            self.send_header("Location", "/v1/models")
        else:
            self.send_response(200 if allowed else 401)
        self.end_headers()
        self.wfile.write(b'{"data": [{"id": "big-model"}]}' if allowed else b"{}")

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_it_keeps_the_key_sealed(world: World) -> None:
    teacher = set_teacher(
        agent=world.agent,
        name="LLM",
        base_url="https://llm.example.com/v1/",
        key="sk-secret",
        actor=world.admin,
    )
    teacher.refresh_from_db()
    assert b"sk-secret" not in bytes(teacher.sealed_key)
    assert selectors.teacher_key(teacher) == "sk-secret"
    assert teacher.base_url == "https://llm.example.com/v1"
    event = Event.objects.filter(type=TeacherChanged.type).get()
    assert "sk-secret" not in str(event.data)


def test_it_cannot_move_a_key_to_another_teacher(world: World) -> None:
    teacher = set_teacher(
        agent=world.agent, name="LLM", base_url="https://llm.example.com/v1", key="sk-secret"
    )
    thief = Teacher.objects.create(
        workspace=world.workspace,
        name="thief",
        base_url="https://evil.example.com",
        sealed_key=teacher.sealed_key,
    )
    with pytest.raises(SealBrokenError):
        selectors.teacher_key(thief)


def test_it_keeps_the_key_unless_told_otherwise(world: World) -> None:
    set_teacher(agent=world.agent, name="LLM", base_url="https://llm.example.com/v1", key="sk-secret")
    kept = set_teacher(agent=world.agent, name="Other", base_url="https://llm.example.com/v2")
    assert selectors.teacher_key(kept) == "sk-secret"
    assert (
        selectors.teacher_key(set_teacher(agent=world.agent, name="x", base_url=kept.base_url, key="")) == ""
    )


def test_it_never_sends_a_stored_key_to_another_host(world: World) -> None:
    set_teacher(agent=world.agent, name="LLM", base_url="https://llm.example.com/v1", key="sk-secret")
    with pytest.raises(KeyNeededError):
        set_teacher(agent=world.agent, name="LLM", base_url="https://evil.example.com/v1")
    page = world.client(world.admin).post(
        world.url("registry:teacher"),
        {**FORM, "key": "", "base_url": "https://evil.example.com", "test": "1"},
    )
    assert page.status_code == 422


@pytest.mark.parametrize(
    "address", ["ftp://x", "llm", "https://me:pw@llm.example.com", "https://x/?key=1", "http://[", ""]
)
def test_it_refuses_an_address_that_cannot_be_called(world: World, address: str) -> None:
    with pytest.raises(BadAddressError):
        set_teacher(agent=world.agent, name="LLM", base_url=address)


class TestForm:
    def test_it_saves(self, world: World) -> None:
        answer = world.client(world.admin).post(world.url("registry:teacher"), FORM)
        assert answer.status_code == 302
        teacher = selectors.teacher_of(world.agent)
        assert teacher is not None
        assert (teacher.name, selectors.teacher_key(teacher)) == ("LLM", "sk-secret")

    def test_it_never_shows_the_stored_key(self, world: World) -> None:
        client = world.client(world.admin)
        client.post(world.url("registry:teacher"), FORM)
        assert b"sk-secret" not in client.get(world.url("registry:teacher")).content
        assert b"sk-secret" not in client.get(world.url("registry:list")).content

    def test_it_tests_without_saving(self, world: World, upstream: str) -> None:
        body = {**FORM, "base_url": f"{upstream}/v1", "key": "good", "test": "1"}
        page = world.client(world.admin).post(world.url("registry:teacher"), body)
        assert b"Connected" in page.content
        assert selectors.teacher_of(world.agent) is None

    def test_it_marks_a_simulation(self, world: World) -> None:
        client = world.client(world.admin)
        client.post(world.url("registry:teacher"), {**FORM, "simulated": "on"})
        assert b"badge-simulated" in client.get(world.url("registry:list")).content

    def test_it_is_for_admins(self, world: World) -> None:
        for person in (world.viewer, world.curator, world.engineer, world.approver):
            assert world.client(person).get(world.url("registry:teacher")).status_code == 403
            assert world.client(person).post(world.url("registry:teacher"), FORM).status_code == 403
        assert world.client(world.stranger).get(world.url("registry:teacher")).status_code == 404
        assert not Teacher.objects.exists()


class TestConnection:
    def test_it_says_what_the_server_offers(self, upstream: str) -> None:
        trial = try_teacher(base_url=f"{upstream}/v1", key="good", model="big-model")
        assert trial.ok
        assert "big-model" in trial.message

    @pytest.mark.parametrize(
        ("path", "key", "model", "words"),
        [
            ("/v1", "bad", "", "refused the key"),
            ("/v1", "good", "other", "does not offer other"),
            ("/moved", "good", "", "redirect"),
        ],
    )
    def test_it_says_what_is_wrong(self, upstream: str, path: str, key: str, model: str, words: str) -> None:
        trial = try_teacher(base_url=upstream + path, key=key, model=model)
        assert not trial.ok
        assert words in trial.message

    def test_it_says_that_nothing_listens(self) -> None:
        trial = try_teacher(base_url="http://127.0.0.1:9", key="")
        assert not trial.ok
        assert "Nothing listens" in trial.message
