"""Evaluations over HTTP against servers of the test; the page and its refusals."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from apps.evaluation import jobs, questions, selectors, services
from apps.evaluation.events import EvaluationFailed, EvaluationFinished
from apps.evaluation.models import Answer, EvaluationRun, System, Verdict
from apps.evaluation.questions import NotServedError, Question, Respondent, ask
from apps.evaluation.report import TeacherAnswers
from apps.events.models import Event
from apps.jobs.models import Job, State
from apps.jobs.runner import JobContext, LeaseLostError
from apps.jobs.services import AlreadyRunningError
from apps.registry.models import LicenceClass, Teacher
from apps.registry.services import set_teacher
from apps.training.models import Specialist
from slmhub.chat_client import Endpoint
from tests.training.builders import answer, base_at, frozen_dataset, made_specialist
from tests.world import World, collapsed

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

Answering = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


class Listener(ThreadingHTTPServer):
    # Sixteen ask at once; whom the default of five keeps out tries again a second later.
    request_queue_size = 64
    daemon_threads = True


class Server:
    """An OpenAI-compatible server whose `answering` the test sets: body → (status, message or error)."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.answering: Answering = right
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.bodies.append(body)
                status, said = server.answering(body)
                whole = (
                    {"choices": [{"message": said}], "slmhub": {"confidence": 0.9}} if status == 200 else said
                )
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(whole).encode())

            def log_message(self, *arguments: object) -> None:
                pass

        self._http = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def right(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, answer(body["messages"][-1]["content"].split()[3].rstrip(","))


def base_wrong(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return (200, {"role": "assistant", "content": "?"}) if body["model"].startswith("base-") else right(body)


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    server = Server()
    settings.SPECIALIST_SERVER_URL = server.url
    server.answering = base_wrong
    yield server
    server.close()


@pytest.fixture
def specialist(world: World, tmp_path: Path) -> Specialist:
    return made_specialist(world, base_at(weights(tmp_path)), frozen_dataset(world, test=100))


def weights(folder: Path) -> Path:
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def evaluated(world: World, specialist: Specialist, **options: Any) -> EvaluationRun:
    run = services.start(specialist=specialist, actor=world.engineer, **options)
    assert world.run_jobs() == [State.SUCCEEDED], Job.objects.latest("pk").error
    run.refresh_from_db()
    return run


class TestRun:
    def test_it_passes_a_specialist_that_is_as_good(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        run = evaluated(world, specialist)
        assert run.verdict == Verdict.PASS
        scores = {score.system: score.match for score in selectors.scores(run)}
        assert scores == {System.BASE: 0.0, System.TEACHER: 1.0, System.SPECIALIST: 1.0}
        assert run.answers.count() == 300
        assert run.answers.filter(system=System.SPECIALIST, correct=True, confidence=0.9).count() == 100
        assert Event.objects.filter(type=EvaluationFinished.type, data__verdict="pass").count() == 1

    def test_it_asks_the_base_under_its_own_name_with_nothing_pruned(
        self, world: World, specialist: Specialist, server: Server, folders: Path
    ) -> None:
        evaluated(world, specialist)
        manifest = json.loads((folders / "models" / "base-tiny" / "manifest.json").read_text())
        assert (manifest["kind"], manifest["static_prompt"]) == ("base", None)
        assert {body["model"] for body in server.bodies} == {"base-tiny", specialist.served_name}
        assert {body["temperature"] for body in server.bodies} == {0}

    def test_it_fails_a_specialist_that_is_worse(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        server.answering = lambda body: (200, {"role": "assistant", "content": "no"})
        run = evaluated(world, specialist)
        assert run.verdict == Verdict.FAIL
        page = world.client(world.viewer).get(world.url("evaluation:detail", run.pk)).content
        assert b"worse than the teacher" in page
        assert b"Request rollout" not in page

    def test_it_says_how_many_rows_are_missing(self, world: World, server: Server, tmp_path: Path) -> None:
        small = made_specialist(world, base_at(weights(tmp_path)), frozen_dataset(world, test=12))
        run = evaluated(world, small)
        assert run.verdict == Verdict.INCONCLUSIVE
        ruling = selectors.ruling(run)
        assert ruling is not None
        assert ruling.more == run.report.gate.rows_needed - 12 > 0

    def test_it_uses_recorded_answers_without_a_teacher_and_says_so(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        run = evaluated(world, specialist)
        assert run.report.teacher == TeacherAnswers(asked=0, recorded=100)
        page = world.client(world.viewer).get(world.url("evaluation:detail", run.pk)).content
        assert b"Teacher: recorded answers." in page
        assert b"recorded answers in sessions that succeeded" in page

    def test_it_asks_the_teacher_again(self, world: World, specialist: Specialist, server: Server) -> None:
        set_teacher(agent=world.agent, name="LLM", base_url=f"{server.url}/v1", model="big", simulated=True)
        run = evaluated(world, specialist)
        assert run.report.teacher == TeacherAnswers(asked=100, recorded=0)
        assert run.teacher_simulated
        page = world.client(world.viewer).get(world.url("evaluation:detail", run.pk)).content
        assert b"Simulated teacher" in page

    def test_it_does_not_count_a_teachers_refusal_against_it(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        def refusing(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            return (400, {"error": {"message": "no such option"}}) if body["model"] == "big" else right(body)

        server.answering = refusing
        set_teacher(agent=world.agent, name="LLM", base_url=f"{server.url}/v1", model="big")
        run = evaluated(world, specialist)
        assert run.report.teacher == TeacherAnswers(asked=0, recorded=100)
        assert run.report.metrics["teacher"].match == 1.0

    def test_it_goes_on_with_recorded_answers_when_the_teacher_is_gone(
        self, world: World, specialist: Specialist, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(questions, "GIVE_UP_AFTER_S", 0.1)
        Teacher.objects.create(
            agent=world.agent, workspace=world.workspace, name="gone", base_url="http://127.0.0.1:9/v1"
        )
        assert evaluated(world, specialist).report.teacher.recorded == 100

    def test_it_counts_a_refused_question_as_wrong(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        server.answering = lambda body: (400, {"error": {"message": "context_length_exceeded"}})
        run = evaluated(world, specialist)
        assert run.verdict == Verdict.FAIL
        assert (
            run.answers.filter(system=System.SPECIALIST, message__isnull=True, correct=False).count() == 100
        )

    def test_it_ends_with_a_clear_error_when_nothing_serves(
        self, world: World, specialist: Specialist, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(questions, "GIVE_UP_AFTER_S", 0.1)
        settings.SPECIALIST_SERVER_URL = "http://127.0.0.1:9"
        services.start(specialist=specialist, actor=world.engineer)
        assert world.run_jobs() == [State.FAILED]
        assert "does not answer" in Job.objects.get().error
        assert Event.objects.filter(type=EvaluationFailed.type).count() == 1

    def test_it_asks_only_what_is_not_answered_yet(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        run = services.start(specialist=specialist, actor=world.engineer)
        rows = run.dataset.examples.filter(split="test")[:60]
        Answer.objects.bulk_create(
            Answer(run=run, example=row, system=System.SPECIALIST, message=row.expected) for row in rows
        )
        world.run_jobs()
        asked = [body for body in server.bodies if body["model"] == specialist.served_name]
        assert len(asked) == 40
        run.refresh_from_db()
        assert run.verdict == Verdict.PASS

    def test_a_fenced_attempt_writes_nothing(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        run = services.start(specialist=specialist, actor=world.engineer)
        job = Job.claim(Job.objects.get().pk)
        assert job is not None
        Job.objects.update(attempt=7)
        with pytest.raises(LeaseLostError):
            jobs.run(JobContext(job), run_id=run.pk)
        assert not run.answers.exists()


class TestAsking:
    def questions(self, count: int = 3) -> list[Question]:
        return [
            Question(id=n, messages=[{"role": "user", "content": "Say hello to Ana, x"}])
            for n in range(count)
        ]

    def test_it_waits_while_the_server_restarts(self) -> None:
        server = Server()
        tries: list[int] = []

        def busy_first(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            tries.append(1)
            return (503, {"error": {"message": "overloaded"}}) if len(tries) < 3 else right(body)

        server.answering = busy_first
        replies = ask(Respondent(Endpoint(f"{server.url}/v1"), "m"), self.questions(1), check=lambda: None)
        server.close()
        assert replies[0].message == answer("Ana")
        assert len(tries) == 3

    @pytest.mark.parametrize("status", [401, 404, 409])
    def test_it_does_not_wait_where_waiting_does_not_help(self, status: int) -> None:
        server = Server()
        server.answering = lambda body: (status, {"error": {"message": "model_corrupt"}})
        with pytest.raises(NotServedError, match="model_corrupt"):
            ask(Respondent(Endpoint(f"{server.url}/v1"), "m"), self.questions(), check=lambda: None)
        server.close()

    def test_it_stops_when_the_job_is_cancelled(self) -> None:
        class StoppedError(Exception):
            pass

        def check() -> None:
            raise StoppedError

        with pytest.raises(StoppedError):
            ask(Respondent(Endpoint("http://127.0.0.1:9/v1"), "m"), self.questions(), check=check)

    def test_it_takes_no_nonsense_for_an_answer(self) -> None:
        server = Server()
        server.answering = lambda body: (200, "just text")  # type: ignore[return-value]
        [reply] = ask(Respondent(Endpoint(f"{server.url}/v1"), "m"), self.questions(1), check=lambda: None)
        server.close()
        assert reply.message is None
        assert "not a chat completion" in reply.error


class TestRefusals:
    def test_it_refuses_a_dataset_without_test_examples(self, world: World, tmp_path: Path) -> None:
        bare = made_specialist(world, base_at(weights(tmp_path)), frozen_dataset(world, test=0))
        with pytest.raises(services.CannotEvaluateError, match="no test examples"):
            services.start(specialist=bare, actor=world.engineer)

    def test_it_refuses_a_second_one_at_the_same_time(self, world: World, specialist: Specialist) -> None:
        first = services.start(specialist=specialist, actor=world.engineer)
        with pytest.raises(AlreadyRunningError) as second:
            services.start(specialist=specialist, actor=world.engineer)
        assert second.value.job == first.job
        assert EvaluationRun.objects.count() == 1

    @pytest.mark.parametrize("margin", [0, -0.1, 0.5])
    def test_it_refuses_a_margin_that_proves_nothing(
        self, world: World, specialist: Specialist, margin: float
    ) -> None:
        with pytest.raises(services.BadMarginError):
            services.start(specialist=specialist, actor=world.engineer, margin=margin)

    def test_it_is_started_by_engineers_only(self, world: World, specialist: Specialist) -> None:
        url = world.url("evaluation:start", specialist.pk)
        for person in (world.viewer, world.curator, world.approver):
            assert world.client(person).post(url).status_code == 403
        assert world.client(world.stranger).post(url).status_code == 404
        assert world.client(world.engineer).get(url).status_code == 405
        assert not EvaluationRun.objects.exists()
        answered = world.client(world.engineer).post(url, {"margin": "0.1"})
        run = EvaluationRun.objects.get()
        assert answered.url == world.url("evaluation:detail", run.pk)
        assert run.margin == 0.1

    def test_it_turns_a_refusal_into_a_message(self, world: World, specialist: Specialist) -> None:
        url = world.url("evaluation:start", specialist.pk)
        client = world.client(world.engineer)
        for margin in ("0.9", "nan", "x"):
            assert client.post(url, {"margin": margin}).url == world.url("training:detail", specialist.run_id)
        assert not EvaluationRun.objects.exists()


class TestPages:
    def test_it_links_a_pass_to_the_request(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        run = evaluated(world, specialist)
        request = world.url("rollouts:request", run.pk).encode()
        page = world.url("evaluation:detail", run.pk)
        assert request in world.client(world.engineer).get(page).content
        assert request not in world.client(world.viewer).get(page).content

    def test_it_blocks_the_request_for_a_research_licence(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        run = evaluated(world, specialist)
        specialist.base.licence_class = LicenceClass.RESEARCH
        specialist.base.save()
        page = collapsed(world.client(world.engineer).get(world.url("evaluation:detail", run.pk)).content)
        assert "cannot be rolled out" in page
        assert "Request rollout" not in page

    def test_it_shows_what_was_answered_otherwise(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        server.answering = lambda body: (200, {"role": "assistant", "content": "<script>alert(1)</script>"})
        run = evaluated(world, specialist)
        client, url = world.client(world.viewer), world.url("evaluation:detail", run.pk)
        page = client.get(url).content
        assert b"&lt;script&gt;alert(1)" in page
        assert b"<script>alert(1)" not in page
        assert client.get(url, {"show": "wrong", "page": "10"}).context["compared"].number == 10
        assert client.get(url, {"show": "all", "page": "999999999"}).context["compared"].number == 1

    def test_it_shows_only_wrong_ones_first(
        self, world: World, specialist: Specialist, server: Server
    ) -> None:
        run = evaluated(world, specialist)
        client, url = world.client(world.viewer), world.url("evaluation:detail", run.pk)
        assert client.get(url).context["compared"].total == 0
        assert client.get(url, {"show": "all"}).context["compared"].total == 100

    def test_it_takes_few_queries(
        self, world: World, specialist: Specialist, server: Server, django_assert_max_num_queries: Any
    ) -> None:
        run = evaluated(world, specialist)
        client = world.client(world.viewer)
        for page in (world.url("evaluation:list"), world.url("evaluation:detail", run.pk) + "?show=all"):
            client.get(page)
            with django_assert_max_num_queries(14):
                client.get(page)

    def test_it_shows_progress_before_the_verdict(self, world: World, specialist: Specialist) -> None:
        run = services.start(specialist=specialist, actor=world.engineer)
        page = world.client(world.viewer).get(world.url("evaluation:detail", run.pk)).content
        assert b'data-live-match="job:' in page

    def test_it_is_hidden_from_strangers(self, world: World, specialist: Specialist) -> None:
        run = services.start(specialist=specialist, actor=world.engineer)
        for page in (world.url("evaluation:list"), world.url("evaluation:detail", run.pk)):
            assert world.client(world.stranger).get(page).status_code == 404


def test_it_bounds_a_share_by_wilsons_interval() -> None:
    low, high = selectors.wilson(8, 10)
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "hi"}, "hi"),
        (
            {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": "not json"}}]},
            "f not json",
        ),
        ({"content": None, "tool_calls": ["odd", {}]}, "? "),
        ({}, "(empty)"),
        ("plain", "plain"),
    ],
)
def test_it_shows_any_answer_as_text(message: Any, text: str) -> None:
    assert selectors.answer_text(message) == text
