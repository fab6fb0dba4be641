"""What happens to requests for a rollout."""

from __future__ import annotations

from apps.events.facts import Fact, Page, Tone


class RolloutFact(Fact):
    """`name` is that of the task that is to be taken over."""

    rollout: int
    task: int
    name: str

    page = Page("rollouts:detail", "rollout")

    def what(self) -> str:
        return self.name


class RolloutRequested(RolloutFact):
    type = "rollout.requested"
    verb = "asked to roll out"


class RolloutWithdrawn(RolloutFact):
    type = "rollout.withdrawn"
    verb = "withdrew the request to roll out"


class RolloutDecision(RolloutFact):
    """What an approver did, and their note."""

    note: str

    def detail(self) -> str:
        return self.note


class RolloutApproved(RolloutDecision):
    type = "rollout.approved"
    verb = "approved the rollout of"
    tone = Tone.OK


class RolloutRejected(RolloutDecision):
    type = "rollout.rejected"
    verb = "rejected the rollout of"
    tone = Tone.BAD


class RolloutRolledBack(RolloutDecision):
    type = "rollout.rolled_back"
    verb = "rolled back"
    tone = Tone.WARN
