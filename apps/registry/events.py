"""What happens to an agent's teacher."""

from __future__ import annotations

from apps.events.facts import Fact, Page


class TeacherChanged(Fact):
    type = "teacher.changed"
    verb = "changed the teacher to"
    page = Page("registry:list")

    teacher: int
    name: str
    base_url: str
    key_changed: bool

    def what(self) -> str:
        return self.name
