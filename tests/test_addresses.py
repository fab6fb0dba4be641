"""Objects know where their page is, and templates write no address out."""

from __future__ import annotations

import re
from pathlib import Path

from django.apps import apps

from tests.world import World

ROOT = Path(__file__).resolve().parent.parent
# Rows that have a page of their own, or a place on one.
WITH_A_PAGE = {
    "accounts.Workspace",
    "accounts.Agent",
    "jobs.Job",
    "traces.Session",
    "traces.Emitter",
    "traces.Span",
    "uploads.Upload",
    "discovery.DiscoveryRun",
    "discovery.Task",
    "datasets.DatasetVersion",
    "training.TrainingRun",
    "training.Specialist",
    "evaluation.EvaluationRun",
    "rollouts.Rollout",
    "rollouts.Route",
}


def test_every_row_with_a_page_knows_its_address() -> None:
    knowing = {model._meta.label for model in apps.get_models() if hasattr(model, "get_absolute_url")}
    assert knowing == WITH_A_PAGE


def test_an_address_is_where_the_page_is(world: World) -> None:
    assert world.workspace.get_absolute_url() == "/w/acme/"
    assert world.agent.get_absolute_url() == "/w/acme/support-desk/"
    assert world.agent.address("traces:call", 7) == "/w/acme/support-desk/traces/calls/7/"


def test_nobody_puts_an_address_together_by_hand() -> None:
    by_hand = re.compile(r"""["'(]/w/|\{% url [^%]*workspace\.slug""")
    sources = [*(ROOT / "apps").rglob("*.py"), *(ROOT / "templates").rglob("*.html")]
    assert [str(path) for path in sources if by_hand.search(path.read_text())] == []
