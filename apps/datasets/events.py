"""What happens to datasets."""

from __future__ import annotations

from apps.events.facts import Fact, Page


class DatasetFrozen(Fact):
    """The counts are those of the version (`columns.Counts`)."""

    type = "dataset.frozen"
    verb = "froze the dataset"
    page = Page("datasets:detail", "dataset")

    dataset: int
    task: int
    name: str
    digest: str
    train: int
    validation: int
    test: int
    sessions: int
    other_prompts: int
    tools: int
    longest: int
    calls: int

    def what(self) -> str:
        return self.name
