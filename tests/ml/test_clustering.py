from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slmhub.formats import signature
from slmhub.ml.clustering.cells import cell_key, cell_of, parse_cell
from slmhub.ml.clustering.pipeline import Result, cluster
from slmhub.ml.clustering.reading import read
from slmhub.ml.clustering.records import Options

ROOT = Path(__file__).parents[2]
TAU = ROOT.parent / "shared/data/traces/tau_openai_chat.jsonl.gz"

CITIES = ("Paris", "Oslo", "Lima", "Rome", "Delhi", "Cairo", "Quito", "Tokyo", "Berlin", "Madrid")
WEATHER = [f"what is the weather in {city} {day}" for city in CITIES for day in ("today", "tomorrow")]
MUSIC = [
    f"play {kind} music {place}"
    for kind in ("jazz", "rock", "folk", "soul", "pop")
    for place in ("now", "in the kitchen", "louder", "for my party")
]
MONEY = [
    f"transfer {sum_} euros from my {source} account to {person}"
    for sum_ in ("ten", "fifty")
    for source in ("savings", "checking")
    for person in ("mum", "dad", "Ann", "the landlord", "Bob")
]


class Printed:
    """What the command line wrote."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code = done.returncode
        self.rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.messages = [json.loads(line) for line in done.stderr.splitlines()]


def run(lines: Sequence[Any], *flags: str) -> Printed:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    command = [sys.executable, "-m", "slmhub.ml.clustering", *flags]
    return Printed(subprocess.run(command, input=text.encode(), cwd=ROOT, capture_output=True, check=False))


def found(lines: Sequence[dict[str, Any]], seed: int = 0) -> Result:
    batch = read(json.dumps(line).encode() for line in lines)
    return cluster(batch, Options(seed=seed), progress=lambda stage, done, total: None)


def call(
    number: int, ask: str, *, action: str, keys: tuple[str, ...] = (), template: str = "desk"
) -> dict[str, Any]:
    cell = cell_key(template=template, toolset="shop", previous="user", action=action, keys=keys)
    return {"id": f"c{number}", "cell": cell, "ask": ask}


def calls() -> list[dict[str, Any]]:
    """A chat cell of three topics, a templated prompt with other values, a tool cell and a lonely call."""
    chat = [(ask, "respond", "desk") for ask in (*WEATHER, *MUSIC, *MONEY)]
    prompts = [
        (f"Extract the order number and the city from this note: {ask}", "respond", "form")
        for ask in (*WEATHER, *MUSIC, *MONEY)
    ]
    tools = [(ask, "tool:send_money", "desk") for ask in (*MONEY, *WEATHER, *MUSIC)]
    rows = [*chat, *prompts, *tools, ("who are you", "tool:introduce", "desk")]
    return [
        call(
            number,
            ask,
            action=action,
            keys=("amount",) if action == "tool:send_money" else (),
            template=template,
        )
        for number, (ask, action, template) in enumerate(rows)
    ]


@pytest.fixture(scope="module")
def clustered() -> Result:
    return found(calls(), seed=3)


def clusters_by(result: Result, name: str) -> set[int]:
    pairs = zip(calls(), result.labels.tolist(), strict=True)
    return {label for row, label in pairs if name in row["cell"] and label >= 0}


def test_it_separates_three_obvious_topics_of_plain_text() -> None:
    labels = found([{"text": text} for text in (*WEATHER, *MUSIC, *MONEY)]).labels.tolist()
    most = [Counter(labels[start : start + 20]).most_common(1)[0] for start in (0, 20, 40)]
    assert len({label for label, _ in most}) == 3
    assert all(size >= 18 for _, size in most)


def test_it_never_mixes_cells(clustered: Result) -> None:
    cells: dict[int, set[str]] = {}
    for given, label in zip(calls(), clustered.labels.tolist(), strict=True):
        cells.setdefault(label, set()).add(given["cell"])
    assert all(len(mixed) == 1 for label, mixed in cells.items() if label >= 0)


def test_it_splits_a_chat_by_topics_that_stand_apart(clustered: Result) -> None:
    assert len(clusters_by(clustered, "desk|shop|user|respond")) == 3


def test_it_keeps_one_prompt_with_other_values_whole(clustered: Result) -> None:
    assert len(clusters_by(clustered, "form|")) == 1


def test_it_keeps_a_tool_s_calls_whole_whatever_was_asked(clustered: Result) -> None:
    assert len(clusters_by(clustered, "send_money")) == 1


def test_it_keeps_a_chat_whole_whose_answers_a_machine_reads() -> None:
    chat = [row | {"audience": "machine"} for row in calls()[:60]]
    assert set(found(chat).labels.tolist()) == {0}


def test_it_keeps_a_classifier_whole() -> None:
    chat = [row | {"answer": "yes" if number % 2 else "no"} for number, row in enumerate(calls()[:60])]
    assert set(found(chat).labels.tolist()) == {0}


def test_it_leaves_a_lonely_call_out(clustered: Result) -> None:
    assert clustered.labels[-1] == -1
    assert clustered.summary.noise == 1


def test_it_names_and_shows_what_it_found(clustered: Result) -> None:
    named = {cluster.cluster: cluster for cluster in clustered.summary.clusters}
    (tool,) = clusters_by(clustered, "send_money")
    assert named[tool].title == "Send money (amount) after user"
    assert len(set(named[tool].exemplars)) == 5
    titles = [cluster.title for cluster in named.values()]
    assert len(set(titles)) == len(titles)
    assert any("weather" in cluster.keywords for cluster in named.values())
    assert sum(cluster.size for cluster in named.values()) + 1 == len(calls())


def test_it_draws_a_map_that_keeps_a_task_together(clustered: Result) -> None:
    assert float(np.abs(clustered.points).max()) <= 1
    (tool,) = clusters_by(clustered, "send_money")
    inside = clustered.points[clustered.labels == tool]
    assert inside.std(axis=0).max() < clustered.points.std(axis=0).max()


def test_it_finds_the_same_for_the_same_seed(clustered: Result) -> None:
    again = found(calls(), seed=3)
    assert again.labels.tolist() == clustered.labels.tolist()
    assert again.points.tolist() == clustered.points.tolist()
    assert again.summary.clusters == clustered.summary.clusters


def test_it_puts_a_single_text_in_no_cluster() -> None:
    assert found([{"text": "hello"}]).labels.tolist() == [-1]


def test_it_reads_spans_and_leaves_tool_spans_out() -> None:
    output = {"role": "assistant", "content": "Yes."}
    spans: list[dict[str, Any]] = [
        {"kind": "llm", "span_id": f"s{i}", "messages": [{"role": "user", "content": text}], "output": output}
        for i, text in enumerate(WEATHER)
    ]
    labels = found([*spans, {"kind": "tool", "span_id": "t", "messages": []}]).labels.tolist()
    assert labels == [0] * len(WEATHER) + [-1]


def test_it_writes_lines_in_order_with_progress_and_a_summary(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    outcome = run(calls(), "--seed", "3", "--summary", str(summary))
    assert outcome.code == 0
    assert [row["id"] for row in outcome.rows] == [row["id"] for row in calls()]
    assert all(set(row) == {"id", "cluster", "probability", "x", "y"} for row in outcome.rows)
    assert {"stage": "embed", "done": 121, "total": 121} in outcome.messages
    assert outcome.messages[-1] == {"stage": "map", "done": 1, "total": 1}
    assert json.loads(summary.read_bytes())["params"]["seed"] == 3


def test_it_takes_nothing_for_an_answer() -> None:
    outcome = run([])
    assert (outcome.code, outcome.rows) == (0, [])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{oops", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"text": 5}', "not a text"),
        ('{"words": "x"}', "neither"),
        ('{"cell": "c", "ask": "x", "id": "1"}', "among text lines"),
        ("[" * 5000, "not JSON"),
    ],
)
def test_it_refuses_a_bad_line_with_its_number(bad: str, reason: str) -> None:
    outcome = run([{"text": "fine"}, "", bad])
    assert outcome.code == 2
    assert outcome.rows == []
    assert outcome.messages[0]["line"] == 3
    assert reason in outcome.messages[0]["error"]


@pytest.mark.skipif(not TAU.exists(), reason="the tau corpus of ../shared/data is not here")
def test_it_finds_tool_shaped_tasks_in_real_traces() -> None:
    lines = []
    with gzip.open(TAU, "rt") as file:
        for line in file:
            row = json.loads(line)
            messages, output = row["request"]["messages"], row["response"]["choices"][0]["message"]
            cell = cell_of(messages, row["request"]["tools"], output)
            lines.append({"id": row["id"], "cell": cell, "ask": signature.mask(signature.last_ask(messages))})
    result = found(lines)
    clusters = result.summary.clusters
    assert 30 <= len(clusters) <= 120
    assert result.summary.noise < 0.02 * len(lines)
    assert "Cancel reservation (reservation_id) after user" in [cluster.title for cluster in clusters]
    actions: dict[int, set[str]] = {}
    for line, label in zip(lines, result.labels.tolist(), strict=True):
        actions.setdefault(label, set()).add(parse_cell(line["cell"]).action)
    assert all(len(mixed) == 1 for label, mixed in actions.items() if label >= 0)
