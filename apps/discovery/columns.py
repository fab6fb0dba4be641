"""What the JSON columns of runs and tasks hold."""

from __future__ import annotations

import msgspec


class RunFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a run looked at and found; only `calls` is known before it ends."""

    calls: int = 0
    tasks: int = 0
    unassigned: int = 0
    new: int = 0
    gone: int = 0


class TaskFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the calls of one task, without those of merged ones."""

    calls: int = 0
    machine: int = 0
    simulated: int = 0
    answers: int = 0
    sessions: int = 0
    judged_sessions: int = 0
    failed_sessions: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    mean_latency_ms: float | None = None
    cost: float | None = None

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class KeyUse(msgspec.Struct, frozen=True):
    """Calls of a task under a routing key, of how many of its agent's under that key.

    A router can only send a key here when it (almost) always means this task.
    """

    calls: int = 0
    of: int = 0

    @property
    def purity(self) -> float:
        return self.calls / self.of if self.of else 0.0
