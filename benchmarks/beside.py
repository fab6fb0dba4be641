"""`python -m benchmarks.beside COMMIT [--repeats N]`: this version beside another, CPU time per unit of work.

Both are measured by the same script, in turns, the first of each pair changing, so that whatever else the
machine does falls on both. For each unit: the ratio this / that (geometric mean over the pairs) and the 90 %
interval of that mean (Student's t on the logarithms). Nothing of it is for a busy machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.hub import NOT_OURS, ROOT
from benchmarks.results import MissingDataError, Results, data, skipped

SCRIPT = Path(__file__).with_name("unit_costs.py")
NAMES = ("ingest", "gateway", "live", "otlp")
LARGEST_RATIO = 1.10
# Student's t at 95 % by degrees of freedom: the upper end of a two-sided 90 % interval.
T_95 = {1: 6.314, 2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860, 9: 1.833, 10: 1.812}


def main(commit: str, repeats: int, names: tuple[str, ...]) -> int:
    try:
        corpus = data("traces/tau_openai_chat.jsonl.gz")
    except MissingDataError as error:
        skipped("beside", error)
        return 0
    results = Results(f"beside {commit}")
    results.name = "beside"
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="hub-beside-") as folder:
        archive = subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE)
        subprocess.run(["tar", "x", "-C", folder], stdin=archive.stdout, check=True)
        trees = {"this": ROOT, "that": Path(folder)}
        for name in names:
            for repeat in range(repeats):
                order = ("this", "that") if repeat % 2 else ("that", "this")
                costs = {which: cost(trees[which], name, corpus) for which in order}
                for unit in costs["this"]:
                    pairs[unit].append((costs["this"][unit], costs["that"][unit]))
                print(f"  {name}: pair {repeat + 1} of {repeats}", file=sys.stderr, flush=True)
    missed = [unit for unit, measured in pairs.items() if not report(results, unit, measured)]
    results.write()
    return int(bool(missed))


def cost(tree: Path, name: str, corpus: Path) -> dict[str, float]:
    """Microseconds of CPU time per unit, as the version in `tree` spends them."""
    environment = {key: value for key, value in os.environ.items() if key not in NOT_OURS}
    environment |= {"PYTHONPATH": str(tree), "HUB_LOG_LEVEL": "ERROR"}
    command = [sys.executable, str(SCRIPT), name, str(corpus)]
    done = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def report(results: Results, unit: str, measured: list[tuple[float, float]]) -> bool:
    """Whether the upper end of the ratio's interval stays within what is allowed."""
    this, that = (statistics.median(values) for values in zip(*measured, strict=True))
    logs = [math.log(ours / theirs) for ours, theirs in measured]
    mean = statistics.fmean(logs)
    spread = math.inf
    if len(logs) > 1:
        freedom = len(logs) - 1
        spread = T_95.get(freedom, 1.812) * statistics.stdev(logs) / math.sqrt(len(logs))
    ratio, low, high = (math.exp(value) for value in (mean, mean - spread, mean + spread))
    met = high <= LARGEST_RATIO
    line = (
        f"{this:.1f} µs beside {that:.1f} µs, x {ratio:.3f} (90 %: {low:.3f} to {high:.3f}); "
        f"at most {LARGEST_RATIO} {'met' if met else 'MISSED'}"
    )
    results.add(unit, line, this_us=this, that_us=that, ratio=ratio, low=low, high=high, pairs=measured)
    return met


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    sys.exit(main(arguments.commit, arguments.repeats, tuple(arguments.names)))
