from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from slmhub.formats import signature
from slmhub.ml.clustering.cells import cell_key, cell_of, parse_cell

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


class Outcome:
    def __init__(self, done: subprocess.CompletedProcess[bytes], summary: Path) -> None:
        self.code = done.returncode
        self.stdout = done.stdout
        self.rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.messages = [json.loads(line) for line in done.stderr.splitlines()]
        self.summary: dict[str, Any] = json.loads(summary.read_bytes()) if summary.exists() else {}


def run(folder: Path, lines: list[Any], *flags: str) -> Outcome:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    summary = folder / "summary.json"
    command = [sys.executable, "-m", "slmhub.ml.clustering", "--summary", str(summary), *flags]
    return Outcome(
        subprocess.run(command, input=text.encode(), cwd=ROOT, capture_output=True, check=False), summary
    )


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
def clustered(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run(tmp_path_factory.mktemp("clustered"), calls(), "--seed", "3")


def clusters_by(outcome: Outcome, name: str) -> set[int]:
    cells = {row["id"]: row["cell"] for row in calls()}
    return {row["cluster"] for row in outcome.rows if name in cells[row["id"]] and row["cluster"] >= 0}


def test_it_separates_three_obvious_topics_of_plain_text(tmp_path: Path) -> None:
    outcome = run(tmp_path, [{"text": text} for text in (*WEATHER, *MUSIC, *MONEY)])
    assert outcome.code == 0
    found = [Counter(row["cluster"] for row in outcome.rows[start : start + 20]) for start in (0, 20, 40)]
    most = [counter.most_common(1)[0] for counter in found]
    assert len({label for label, _ in most}) == 3
    assert all(size >= 18 for _, size in most)
    assert all(set(row) == {"cluster", "probability"} for row in outcome.rows)
    assert all(0 <= row["probability"] <= 1 for row in outcome.rows)


def test_it_answers_every_call_in_order(clustered: Outcome) -> None:
    assert [row["id"] for row in clustered.rows] == [row["id"] for row in calls()]
    assert all(-1 <= row["x"] <= 1 and -1 <= row["y"] <= 1 for row in clustered.rows)


def test_it_never_mixes_cells(clustered: Outcome) -> None:
    cells: dict[int, set[str]] = {}
    for given, row in zip(calls(), clustered.rows, strict=True):
        cells.setdefault(row["cluster"], set()).add(given["cell"])
    assert all(len(found) == 1 for label, found in cells.items() if label >= 0)


def test_it_splits_a_chat_by_topics_that_stand_apart(clustered: Outcome) -> None:
    assert len(clusters_by(clustered, "desk|shop|user|respond")) == 3


def test_it_keeps_one_prompt_with_other_values_whole(clustered: Outcome) -> None:
    assert len(clusters_by(clustered, "form|")) == 1


def test_it_keeps_a_tool_s_calls_whole_whatever_was_asked(clustered: Outcome) -> None:
    assert len(clusters_by(clustered, "send_money")) == 1


def test_it_leaves_a_lonely_call_out(clustered: Outcome) -> None:
    assert clustered.rows[-1]["cluster"] == -1
    assert clustered.summary["noise"] == 1


def test_it_names_and_shows_what_it_found(clustered: Outcome) -> None:
    named = {cluster["cluster"]: cluster for cluster in clustered.summary["clusters"]}
    (tool,) = clusters_by(clustered, "send_money")
    assert named[tool]["title"] == "Send money (amount) after user"
    assert len(set(named[tool]["exemplars"])) == 5
    titles = [cluster["title"] for cluster in named.values()]
    assert len(set(titles)) == len(titles)
    assert any("weather" in cluster["keywords"] for cluster in named.values())
    assert sum(cluster["size"] for cluster in named.values()) + clustered.summary["noise"] == len(calls())


def test_it_tells_its_progress(clustered: Outcome) -> None:
    assert {"stage": "embed", "done": 120, "total": 120} in clustered.messages
    assert clustered.messages[-1] == {"stage": "map", "done": 1, "total": 1}


def test_it_finds_the_same_for_the_same_seed(clustered: Outcome, tmp_path: Path) -> None:
    assert run(tmp_path, calls(), "--seed", "3").stdout == clustered.stdout


def test_it_takes_nothing_for_an_answer(tmp_path: Path) -> None:
    outcome = run(tmp_path, [])
    assert (outcome.code, outcome.rows, outcome.summary["clusters"]) == (0, [], [])


def test_it_puts_a_single_text_in_no_cluster(tmp_path: Path) -> None:
    assert run(tmp_path, [{"text": "hello"}]).rows == [{"cluster": -1, "probability": 0.0}]


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
def test_it_refuses_a_bad_line_with_its_number(tmp_path: Path, bad: str, reason: str) -> None:
    outcome = run(tmp_path, [{"text": "fine"}, "", bad])
    assert outcome.code == 2
    assert outcome.rows == []
    assert outcome.messages[0]["line"] == 3
    assert reason in outcome.messages[0]["error"]


def test_it_reads_spans_and_leaves_tool_spans_out(tmp_path: Path) -> None:
    spans: list[Any] = [
        {
            "kind": "llm",
            "span_id": f"s{i}",
            "messages": [{"role": "user", "content": text}],
            "tools": [],
            "parameters": {},
            "output": {"role": "assistant", "content": "Yes."},
        }
        for i, text in enumerate(WEATHER)
    ]
    outcome = run(tmp_path, [*spans, {"kind": "tool", "span_id": "t", "messages": []}])
    assert {row["cluster"] for row in outcome.rows[:-1]} == {0}
    assert (outcome.rows[-1]["id"], outcome.rows[-1]["cluster"]) == ("t", -1)


@pytest.mark.slow
@pytest.mark.skipif(not TAU.exists(), reason="the tau corpus of ../shared/data is not here")
def test_it_finds_tool_shaped_tasks_in_real_traces(tmp_path: Path) -> None:
    lines = []
    with gzip.open(TAU, "rt") as file:
        for line in file:
            row = json.loads(line)
            messages, output = row["request"]["messages"], row["response"]["choices"][0]["message"]
            cell = cell_of(messages, row["request"]["tools"], output)
            lines.append({"id": row["id"], "cell": cell, "ask": signature.mask(signature.last_ask(messages))})
    outcome = run(tmp_path, lines)
    clusters = outcome.summary["clusters"]
    assert 30 <= len(clusters) <= 120
    assert outcome.summary["noise"] < 0.02 * len(lines)
    assert "Cancel reservation (reservation_id) after user" in [cluster["title"] for cluster in clusters]
    actions = {
        row["id"]: parse_cell(line["cell"]).action for row, line in zip(outcome.rows, lines, strict=True)
    }
    by_cluster: dict[int, Counter[str]] = {}
    for row in outcome.rows:
        by_cluster.setdefault(row["cluster"], Counter())[actions[row["id"]]] += 1
    assert all(len(found) == 1 for label, found in by_cluster.items() if label >= 0)
