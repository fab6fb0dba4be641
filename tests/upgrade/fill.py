"""Fills a HUB_HOME with one of everything that the version before could show, by that version's own code.

Run as a file, by `tests.upgrade.old`, in a checkout of that version and with it as the import path: the names
below are that version's, whatever they have become since. What is left behind is told in `filled.json`.
"""

# ruff: noqa: E402, I001 - models need the settings first; the modules are those of another version
from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import threading
import time
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "slmhub.settings"
import django

django.setup()

from django.conf import settings
from django.core.management import call_command
from bodies import chat_log, langfuse, langsmith, otlp, strange_rows
from rows import write

from apps.accounts.access import Role, Scope
from apps.accounts.models import Agent, Membership, User, Workspace
from apps.datasets import services as datasets
from apps.discovery import services as discovery
from apps.discovery.models import Task
from apps.discovery.selectors import routable_keys
from apps.evaluation import services as evaluation
from apps.evaluation.models import EvaluationRun, Verdict
from apps.events.models import Event, EventType
from apps.jobs import runner, tree
from apps.jobs import services as jobs
from apps.jobs.models import Job, State
from apps.lifecycle.demo import prepare
from apps.prices import services as prices
from apps.privacy import services as privacy
from apps.privacy.models import Decision, Finding
from apps.registry.models import BaseModel
from apps.registry.selectors import starter
from apps.registry.services import set_teacher
from apps.rollouts import services as rollouts
from apps.team import services as team
from apps.traces.files import mappings, uploads
from apps.traces.intake.drain import drain
from apps.traces.intake.spool import Header, SpoolWriter, Way
from apps.traces.models import Audience, Source, Span
from apps.training import recipes
from apps.training import services as training
from apps.training.models import Specialist, TrainingRun
from slmhub.demo.people import DEMO_AGENT, PEOPLE

# Enough for a task with a dataset; the specialist need not be good, only real.
CALLS = 900
STEPS = 20


@dataclass
class Filled:
    """What the checks need to know beside the rows: secrets that are shown once, and ids."""

    workspace: str
    agent: str
    key: str = ""
    # The job that failed for want of its file, which is there again, and those that nobody has run yet.
    failed_job: int = 0
    queued_jobs: list[int] = field(default_factory=list)
    # How many calls the spool holds, and under which session one of them was answered by the specialist.
    spooled: int = 0
    specialist: str = ""
    ask: dict[str, Any] = field(default_factory=dict)
    teacher_port: int = settings.DEMO_TEACHER_PORT
    home: str = str(settings.HUB_HOME)


class Filling:
    """The demo's workspace while it fills up, and its people by their roles."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.agent = Agent.objects.get(workspace=workspace, slug=DEMO_AGENT)
        people = {person.role: User.objects.get(email=person.email) for person in PEOPLE}
        self.curator, self.engineer = people["curator"], people["engineer"]
        self.approver, self.admin = people["approver"], people["admin"]
        self.filled = Filled(workspace.slug, self.agent.slug)

    def run(self, job: Job | None, expected: State = State.SUCCEEDED) -> None:
        assert job is not None
        runner.run(job.pk)
        job.refresh_from_db()
        assert job.state == expected, f"{job.title}: {job.state}, {job.error}"

    def everything(self, tau: list[Path]) -> None:
        self.run(Job.objects.get(state=State.QUEUED))
        for path in tau:
            call_command("import_traces", str(path), agent="airline", workspace=self.workspace.slug)
        self.fill_team()
        self.fill_prices_and_teachers()
        self.fill_uploads()
        self.fill_findings()
        task, other = self.fill_tasks()
        specialist = self.fill_training(task, other)
        web, specialists = tree.web("127.0.0.1", settings.PORT), tree.specialist_server()
        addresses = [f"http://127.0.0.1:{settings.PORT}/healthz", f"{settings.SPECIALIST_SERVER_URL}/healthz"]
        with tree.borrowed(
            [web, specialists, tree.demo_teacher()], [*addresses, f"{settings.DEMO_TEACHER_URL}/healthz"]
        ):
            measured = self.fill_evaluation(specialist)
            self.fill_rollouts(measured)
            self.fill_spool(specialist)
        self.fill_queue()

    def fill_team(self) -> None:
        pia = User.objects.create_user("pia@demo.example", "a long old password", name="Pia")
        team.add_member(workspace=self.workspace, user=pia, role=Role.VIEWER, actor=self.admin)
        member = Membership.objects.get(workspace=self.workspace, user=pia)
        team.change_role(membership=member, role=Role.CURATOR, actor=self.admin)
        team.remove_member(membership=member, actor=self.admin)
        team.invite(workspace=self.workspace, email="open@x.example", role=Role.VIEWER, actor=self.admin)
        gone, _ = team.invite(
            workspace=self.workspace, email="gone@x.example", role=Role.ENGINEER, actor=self.admin
        )
        team.withdraw_invitation(invitation=gone, actor=self.admin)
        _, token = team.invite(workspace=self.workspace, email=pia.email, role=Role.CURATOR, actor=self.admin)
        team.accept_invitation(token=token, user=pia)
        revoked, _ = team.create_api_key(
            workspace=self.workspace, name="old", scopes=[Scope.READ], actor=self.admin
        )
        team.revoke_api_key(key=revoked, actor=self.admin)
        _, self.filled.key = team.create_api_key(
            workspace=self.workspace, name="desk", scopes=list(Scope), actor=self.admin, agent=self.agent
        )

    def fill_prices_and_teachers(self) -> None:
        for model in ("gpt-large-sim", "house-7b"):
            price = prices.set_price(
                workspace=self.workspace,
                actor=self.admin,
                model=model,
                input=2.5,
                output=10.0,
                source="contract",
            )
        prices.remove_price(price=price, actor=self.admin)
        self.run(prices.recompute(workspace=self.workspace, actor=self.admin))
        other = team.create_agent(workspace=self.workspace, name="Back office", actor=self.admin)
        set_teacher(
            agent=other,
            actor=self.admin,
            name="Paid teacher",
            base_url="https://llm.example.com/v1",
            model="big",
            key="sk-of-the-teacher",
            input_price=3.0,
            output_price=15.0,
        )

    def fill_uploads(self) -> None:
        """Done with rejects, mapped, refused, cancelled, failed for want of its file, waiting, partial."""
        done = self.upload("done.jsonl", chat_log(0, 5) + b"{broken\n" + chat_log(5, 3) + b'"no row"\n')
        self.start(done)
        self.run(done.job)
        rules = {"messages": "talk.turns", "output": "bot.said", "session": "meta.thread"}
        mapped = self.upload("mapped.jsonl", strange_rows(3))
        choice = mappings.choice(mapped, wanted=mappings.BY_HAND, given=rules, actor=self.curator)
        uploads.start(choices=[choice], actor=self.curator)
        self.run(mapped.job)
        refused = self.upload("refused.jsonl", b"not a row\n")
        self.start(refused)
        self.run(refused.job, State.FAILED)
        cancelled = self.upload("cancelled.jsonl", chat_log(100, 2))
        self.start(cancelled)
        jobs.cancel(job=cancelled.job, actor=self.curator)
        self.upload("waiting.jsonl", chat_log(200, 2))
        partial = uploads.begin(
            agent=self.agent, filename="partial.jsonl", size=4000, delivery="", actor=self.curator
        )
        uploads.append(upload=partial, offset=0, pieces=[chat_log(300, 1)])
        lost = self.upload("found-again.jsonl", chat_log(400, 4))
        self.start(lost)
        file, away = Path(lost.path), Path(lost.path).with_suffix(".away")
        file.rename(away)
        self.run(lost.job, State.FAILED)
        away.rename(file)
        self.filled.failed_job = lost.job.pk

    def upload(self, filename: str, data: bytes) -> Any:
        return uploads.keep(
            agent=self.agent,
            filename=filename,
            pieces=[data],
            delivery=uploads.new_delivery(),
            actor=self.curator,
        )

    def start(self, upload: Any) -> None:
        uploads.start(choices=[mappings.choice(upload)], actor=self.curator)

    def fill_findings(self) -> None:
        """Of a message with several findings one is shown again, so that its rendering is of both kinds."""
        found = list(Finding.objects.filter(workspace=self.workspace).exclude(path__endswith="^")[:12])
        privacy.decide(findings=found[:4], decision=Decision.ACCEPTED, actor=self.curator)
        privacy.decide(findings=found[4:8], decision=Decision.REJECTED, actor=self.curator)
        privacy.reveal(finding=found[8], actor=self.curator)

    def fill_tasks(self) -> tuple[Task, Task]:
        """Two accepted tasks, the first with calls enough to be learnt; others are ignored and merged."""
        cancelled = discovery.start_run(agent=self.agent, actor=self.curator)
        jobs.cancel(job=cancelled.job, actor=self.curator)
        self.run(discovery.start_run(agent=self.agent, actor=self.curator).job)
        found = list(Task.objects.filter(agent=self.agent).order_by("-size", "pk"))
        learnable = next(task for task in found if task.audience == Audience.MACHINE and routable_keys(task))
        others = [task for task in found if task.pk != learnable.pk]
        curator = self.curator
        discovery.rename(task=learnable, name="What the person wants", actor=curator)
        discovery.accept(task=learnable, actor=curator)
        discovery.ignore(task=others[0], actor=curator)
        discovery.ignore(task=others[1], actor=curator)
        discovery.reopen(task=others[1], actor=curator)
        discovery.merge(tasks=[others[2]], into=others[1], actor=curator)
        discovery.unmerge(task=others[1], actor=curator)
        discovery.merge(tasks=[others[2]], into=others[1], actor=curator)
        smallest = others[-1]
        discovery.accept(task=smallest, actor=curator)
        return learnable, smallest

    def fill_training(self, task: Task, smallest: Task) -> Specialist:
        """A frozen dataset, one that was too small, one cancelled; a run that ended well and two others."""
        engineer = self.engineer
        dataset = datasets.build(task=task, actor=engineer)
        self.run(dataset.job)
        dataset.refresh_from_db()
        cancelled = datasets.build(task=task, actor=engineer)
        jobs.cancel(job=cancelled.job, actor=engineer)
        too_small = datasets.build(task=smallest, actor=engineer)
        self.run(too_small.job, State.FAILED)
        jobs.retry(job=too_small.job, actor=engineer)
        self.run(too_small.job, State.FAILED)
        short = {"steps": STEPS, "eval_every": 10, "save_every": 10, "batch_size": 4}
        base = starter()
        run = training.start(
            dataset=dataset, base=base, actor=engineer, recipe=recipes.recipe(base, changes=short)
        )
        self.run(run.job)
        failing = {**short, "rank": 100_000}
        failed = training.start(
            dataset=dataset, base=base, actor=engineer, recipe=recipes.recipe(base, changes=failing)
        )
        self.run(failed.job, State.FAILED)
        stopped = training.start(dataset=dataset, base=base, actor=engineer)
        canceller = threading.Thread(target=self.cancel_once_running, args=(stopped.job,))
        canceller.start()
        self.run(stopped.job, State.CANCELLED)
        canceller.join()
        return Specialist.objects.get(run=run)

    def cancel_once_running(self, job: Job) -> None:
        while Job.objects.get(pk=job.pk).state != State.RUNNING:
            time.sleep(0.1)
        jobs.cancel(job=job, actor=self.engineer)

    def fill_evaluation(self, specialist: Specialist) -> EvaluationRun:
        """A whole one, whose verdict is then lifted to a pass, and one whose model was not served."""
        run = evaluation.start(specialist=specialist, actor=self.engineer)
        self.run(run.job)
        run.refresh_from_db()
        # Twenty steps pass no gate; the rollouts below need one that did.
        report = {**run.report, "gate": {**run.report["gate"], "verdict": Verdict.PASS.value}}
        EvaluationRun.objects.filter(pk=run.pk).update(verdict=Verdict.PASS, report=report)
        served = Path(settings.MODELS_DIR) / specialist.served_name
        away = served.with_name("away")
        served.rename(away)
        failed = evaluation.start(specialist=specialist, actor=self.engineer)
        self.run(failed.job, State.FAILED)
        away.rename(served)
        run.refresh_from_db()
        return run

    def fill_rollouts(self, measured: EvaluationRun) -> None:
        """Rejected, withdrawn, rolled back, live, and one that waits."""

        def request(reason: str) -> Any:
            return rollouts.request(evaluation=measured, actor=self.engineer, reason=reason)

        rollouts.reject(rollout=request("First try"), actor=self.approver, note="Not yet")
        rollouts.withdraw(rollout=request("Second try"), actor=self.engineer)
        back = rollouts.approve(rollout=request("Third try"), actor=self.approver, note="Go")
        rollouts.roll_back(rollout=back, actor=self.approver, note="Too slow")
        rollouts.approve(rollout=request("Fourth try"), actor=self.approver)
        request("Once more")

    def fill_spool(self, specialist: Specialist) -> None:
        """Bodies of every kind: some drained, one of them refused, and as many that wait in the spool."""
        example = specialist.run.dataset.examples.select_related("span").first()
        span = example.span
        contents = {row.pk: row.body for row in type(span.output).objects.filter(pk__in=span.message_ids)}
        ask = {
            "model": "gpt-large-sim",
            "messages": [contents[pk] for pk in span.message_ids],
            **({"tools": span.tools.body} if span.tools else {}),
        }
        self.filled.ask, self.filled.specialist = ask, specialist.served_name
        self.until_served()
        before = Span.objects.count()
        self.send("drained", ask)
        self.spool(
            Header(way=Way.LANGSMITH_BATCH, source=Source.LANGSMITH, agent=self.agent.pk), b"unreadable"
        )
        while drain():
            pass
        self.filled.spooled = Span.objects.count() - before
        assert list(Path(settings.SPOOL_DIR).glob("*.refused")), "nothing was set aside"
        self.send("waiting", ask)

    def spool(self, header: Header, payload: bytes) -> None:
        asyncio.run(SpoolWriter(Path(settings.SPOOL_DIR)).write(header, payload))

    def until_served(self) -> None:
        """The gateway reads keys and routes anew every half second."""
        deadline = time.monotonic() + 20
        while self.filled.specialist not in self.post("GET", "/v1/models").decode():
            assert time.monotonic() < deadline, "the specialist is not served"
            time.sleep(0.2)

    def send(self, name: str, ask: dict[str, Any]) -> None:
        self.post("POST", "/v1/chat/completions", {**ask, "metadata": {"session_id": f"gateway-{name}"}})
        aside = {"role": "user", "content": f"Something that no task knows, {name}"}
        self.post("POST", "/v1/chat/completions", {"model": "gpt-large-sim", "messages": [aside]})
        self.post("POST", "/v1/traces", otlp(name))
        self.post("POST", "/api/public/ingestion", langfuse(name))
        self.post("POST", "/runs/batch", langsmith(name))
        # Twenty steps do not make a specialist that is sure of itself; this is how the gateway writes down
        # an answer that it takes.
        row = {
            **json.loads(chat_log(0, 1)),
            "id": f"served-{name}",
            "session_id": f"served-{name}",
            "served_by": self.filled.specialist,
            "metadata": {"simulated": False},
            "slmhub": {"fallback": "", "simulated": False},
        }
        header = Header(
            way=Way.ROW, source=Source.GATEWAY, agent=self.agent.pk, content_type="application/json"
        )
        self.spool(header, json.dumps(row).encode())

    def post(self, method: str, path: str, body: Any = None) -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{settings.PORT}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.filled.key}", "content-type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read()

    def fill_queue(self) -> None:
        queued = self.upload("queued.jsonl", chat_log(500, 2))
        self.start(queued)
        costs = prices.recompute(workspace=self.workspace, actor=self.admin)
        self.filled.queued_jobs = [queued.job.pk, costs.pk]


def settle(root: Path) -> None:
    """The checkout of the version before goes away: what names its starter names the present one's."""
    weights = "slmhub/ml/starter/weights"
    old, new = str(settings.BASE_DIR / weights), str(root / weights)
    BaseModel.objects.filter(path=old).update(path=new)
    for run in TrainingRun.objects.all():
        TrainingRun.objects.filter(pk=run.pk).update(
            manifest=json.loads(json.dumps(run.manifest).replace(old, new))
        )
    for manifest in Path(settings.MODELS_DIR).glob("*/manifest.json"):
        manifest.write_text(manifest.read_text().replace(old, new))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, required=True, help="the checkout that will open this home")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--tau", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    tree.migrate_all()
    filling = Filling(prepare(calls=options.calls))
    filling.everything(options.tau)
    missing = set(EventType.values) - set(Event.objects.values_list("type", flat=True))
    assert not missing, f"no event of {sorted(missing)}"
    settle(options.root)
    (Path(settings.HUB_HOME) / "filled.json").write_text(json.dumps(asdict(filling.filled), indent=2))
    with gzip.open(Path(settings.HUB_HOME) / "before.jsonl.gz", "wt", compresslevel=1) as file:
        write(file)


if __name__ == "__main__":
    main()
