"""What discovery finds, and what people do with tasks."""

from __future__ import annotations

from typing import TypedDict

from apps.events.facts import Fact, Page, Tone


class DiscoveryFinished(Fact):
    type = "discovery.finished"
    verb = "found"
    page = Page("discovery:list")

    run: int
    calls: int
    tasks: int
    unassigned: int
    new: int
    gone: int

    def what(self) -> str:
        return f"{self.tasks:,} tasks in {self.calls:,} calls"


class TaskFact(Fact):
    task: int
    name: str

    page = Page("discovery:detail", "task")

    def what(self) -> str:
        return self.name


class TaskRenamed(TaskFact):
    type = "task.renamed"
    verb = "renamed the task"

    old: str


class TaskAccepted(TaskFact):
    type = "task.accepted"
    verb = "accepted the task"
    tone = Tone.OK


class TaskIgnored(TaskFact):
    type = "task.ignored"
    verb = "ignored the task"


class TaskReopened(TaskFact):
    type = "task.reopened"
    verb = "reopened the task"


class NamedTask(TypedDict):
    task: int
    name: str


class TaskMerged(TaskFact):
    """`merged` became part of the task."""

    type = "task.merged"
    verb = "merged the task"

    merged: list[NamedTask]


class TaskUnmerged(TaskFact):
    """`released` are tasks of their own again."""

    type = "task.unmerged"
    verb = "undid the merge of"

    released: list[NamedTask]
