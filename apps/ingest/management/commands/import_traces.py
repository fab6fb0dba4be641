"""`manage.py import_traces FILE… --agent A`: uploads without a browser; a JSON summary on standard output."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import xxhash
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.accounts.models import Agent, User, Workspace
from apps.core.errors import HubError
from apps.ingest.services import IngestSummary, collect_seldom, ingest
from apps.team.services import create_agent, create_workspace
from apps.traces.models import Source
from slmhub import formats

DEFAULT_WORKSPACE = "default"
_BEGINNING = 1 << 20


class Command(BaseCommand):
    requires_system_checks: list[str] = []
    help = (
        "Imports logged calls (JSON lines, JSON or OTLP; plain, .gz, .zst or .zip) and prints a JSON summary."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
        parser.add_argument("--agent", required=True, help="the agent's slug; made when it does not exist")
        parser.add_argument(
            "--workspace", default="", help='the workspace\'s slug; else the only one, or "default"'
        )
        parser.add_argument("--format", default=formats.AUTO, help="auto, or the name of a format")

    def handle(self, *args: Any, **options: Any) -> None:
        files: list[Path] = options["files"]
        _check(files, options["format"])
        try:
            agent = _agent(_workspace(options["workspace"]), options["agent"])
        except HubError as error:
            raise CommandError(error.sentence) from error
        started = time.monotonic()
        collect_seldom()
        rejects_path = _rejects_path(agent)
        with rejects_path.open("w") as rejects:
            summary = ingest(
                agent=agent,
                records=_records(files, options["format"]),
                source=Source.COMMAND,
                on_progress=_progress if sys.stderr.isatty() else None,
                rejects=rejects,
            )
        self._report(agent, summary, rejects_path, time.monotonic() - started)

    def _report(self, agent: Agent, summary: IngestSummary, rejects: Path, seconds: float) -> None:
        if not summary.rejected:
            rejects.unlink()
        report = {
            **summary.as_dict(),
            "seconds": round(seconds, 2),
            "rejects_file": str(rejects) if summary.rejected else None,
            "workspace": agent.workspace.slug,
            "agent": agent.slug,
        }
        self.stdout.write(orjson.dumps(report).decode())
        if not summary.accepted + summary.completed + summary.duplicate:
            raise CommandError(
                f"Nothing could be stored; see {rejects}." if summary.read else "The file is empty."
            )


def _check(files: list[Path], format: str) -> None:
    for path in files:
        if not path.is_file():
            raise CommandError(f"{path} is not a file.")
        try:
            path.open("rb").close()
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        formats.registry.formats_named(format)
    except formats.UnknownFormatError as error:
        raise CommandError(str(error)) from error


def _records(files: list[Path], format: str) -> Iterator[formats.Record | formats.Reject]:
    """Files given together are one delivery: batch inputs find their outputs."""
    delivery = _delivery(files)
    for path in files:
        yield from formats.read(path, format, delivery=delivery)


def _delivery(files: list[Path]) -> str:
    """The same for the same files, so that a second import of them changes nothing."""
    beginnings = []
    for path in files:
        with path.open("rb") as file:
            beginnings.append(f"{path.stat().st_size} ".encode() + file.read(_BEGINNING))
    return xxhash.xxh3_128_hexdigest(b"\0".join(sorted(beginnings)))


def _workspace(slug: str) -> Workspace:
    """The named one; without a name the only one there is. "default" is made when it is missing."""
    existing = list(Workspace.objects.order_by("pk")[:2])
    if not slug and len(existing) == 1:
        return existing[0]
    found = Workspace.objects.filter(slug=slug or DEFAULT_WORKSPACE).first()
    if found is not None:
        return found
    if slug and slug != DEFAULT_WORKSPACE:
        raise HubError(
            f"There is no workspace {slug!r}.", hint="Leave --workspace out or make it in the browser."
        )
    return create_workspace(name="Default", owner=_owner())


def _owner() -> User:
    people = User.objects.order_by("-is_superuser", "pk")
    return people.first() or User.objects.create_user(
        "admin@localhost", None, name="Admin", is_superuser=True
    )


def _agent(workspace: Workspace, slug: str) -> Agent:
    found = workspace.agents.select_related("workspace").filter(slug=slug).first()
    return found or create_agent(workspace=workspace, name=slug, actor=None)


def _rejects_path(agent: Agent) -> Path:
    folder = Path(settings.HUB_HOME) / "rejects"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{agent.slug}-{timezone.now():%Y%m%dT%H%M%S%f}.jsonl"


def _progress(summary: IngestSummary) -> None:
    sys.stderr.write(f"\r{summary.read:,} read, {summary.rejected:,} rejected")
    sys.stderr.flush()
