from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from slmhub.ml.evaluation import EvaluationError, Verdict, evaluate

ROOT = Path(__file__).parents[2]


def row(number: int, *, specialist: bool, teacher: bool = True) -> dict[str, Any]:
    right = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "find", "arguments": f'{{"id": {number}}}'}}],
    }
    wrong = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "find", "arguments": '{"id": -1}'}}],
    }
    answers = {
        "teacher": right if teacher else wrong,
        "specialist": right if specialist else wrong,
        "base": "no",
    }
    return {"id": str(number), "session": f"s{number // 2}", "expected": right, "answers": answers}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "slmhub.ml.evaluation", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_scores_every_system_and_judges_the_candidate() -> None:
    report = evaluate(
        [row(i, specialist=i % 50 != 0) for i in range(300)], candidate="specialist", baseline="teacher"
    )
    result = msgspec.to_builtins(report)
    assert result["metrics"]["specialist"]["match"] == pytest.approx(294 / 300)
    assert result["metrics"]["specialist"]["errors"] == {"value_error": 6}
    assert result["metrics"]["specialist"]["fields"]["find.id"] == {
        "n": 300,
        "correct": 294,
        "accuracy": 0.98,
    }
    assert result["metrics"]["base"]["errors"] == {"should_call": 300}
    assert result["metrics"]["candidate"] == result["metrics"]["specialist"]
    assert (report.gate.b, report.gate.c, report.gate.n) == (0, 6, 300)
    assert report.gate.verdict is Verdict.PASS


def test_it_cuts_the_scores_into_slices() -> None:
    rows = [row(i, specialist=True) for i in range(4)]
    rows.append(
        {"session": "t", "expected": "Thanks!", "answers": {"teacher": "Thanks!", "specialist": "Bye"}}
    )
    cut = msgspec.to_builtins(evaluate(rows, candidate="specialist", baseline="teacher").slices)
    assert cut["action"]["tool_call"]["systems"]["specialist"]["match"] == 1
    assert cut["action"]["text"] | {"systems": None} == {
        "n": 1,
        "b": 0,
        "c": 1,
        "difference": -1.0,
        "systems": None,
    }
    assert cut["tool"]["find"]["n"] == 4
    assert cut["length"]["under 100"]["n"] == 5


def test_it_counts_a_missing_answer_as_wrong() -> None:
    rows = [row(i, specialist=True) for i in range(3)]
    del rows[0]["answers"]["specialist"]
    metrics = evaluate(rows, candidate="specialist", baseline="teacher").metrics["specialist"]
    assert metrics.answered == 2
    assert metrics.errors == {"no_answer": 1}


def test_it_says_which_system_has_no_answer() -> None:
    with pytest.raises(EvaluationError, match="candidate 'tiny'"):
        evaluate([row(1, specialist=True)], candidate="tiny", baseline="teacher")


def test_it_says_which_row_is_broken() -> None:
    with pytest.raises(EvaluationError, match="row 2: answers"):
        evaluate([row(1, specialist=True), {"expected": "x"}], candidate="specialist", baseline="teacher")


def test_it_prints_the_report_as_json(tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    file.write_text("\n".join(json.dumps(row(i, specialist=True)) for i in range(120)))
    result = run(str(file), "--candidate", "specialist", "--baseline", "teacher", "--margin", "0.05")
    gate = json.loads(result.stdout)["gate"]
    assert gate["verdict"] == "pass"
    assert {"z", "n", "b", "c", "margin", "lower_bound", "rows_needed"} <= gate.keys()


def test_it_refuses_a_broken_line_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "predictions.jsonl"
    file.write_text(json.dumps(row(1, specialist=True)) + "\n{oops\n")
    result = run(str(file))
    assert result.returncode == 2
    assert "line 2" in json.loads(result.stderr)["error"]


@pytest.mark.parametrize("content", ["", None])
def test_it_refuses_an_empty_or_missing_file(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "predictions.jsonl"
    if content is not None:
        file.write_text(content)
    assert run(str(file)).returncode == 2


def test_it_loads_no_tensor_library() -> None:
    code = "import sys, slmhub.ml.evaluation; sys.exit(bool({'torch', 'numpy', 'django'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
