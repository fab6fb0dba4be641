"""What narrows the list of tasks."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from apps.core.facets import Choice, Text, as_is
from apps.discovery.models import Task, TaskState
from apps.discovery.selectors import OPEN_STATES
from apps.traces.models import Audience

OPEN = "open"
STATES = [
    (OPEN, "Open"),
    (TaskState.FOUND, "Found"),
    (TaskState.ACCEPTED, "Accepted"),
    (TaskState.IGNORED, "Ignored"),
    ("all", "All"),
]
# The words of `rows.ORDERS`.
ORDERS = [
    ("size", "Most calls"),
    ("tokens", "Most tokens"),
    ("cohesion", "Most alike"),
    ("failed", "Most failures"),
]


def _in_state(tasks: QuerySet[Task], state: str) -> QuerySet[Task]:
    if state == "all":
        return tasks
    return tasks.filter(state__in=OPEN_STATES if state == OPEN else [state])


def _with_words(tasks: QuerySet[Task], text: str) -> QuerySet[Task]:
    for word in text.split()[:8]:
        tasks = tasks.filter(
            Q(name__icontains=word)
            | Q(title__icontains=word)
            | Q(subtitle__icontains=word)
            | Q(action__icontains=word)
        )
    return tasks


TASK_FACETS = (
    Text("q", "Search names and words", longest=100, narrow=_with_words),
    Choice("state", "State", STATES, default=OPEN, narrow=_in_state),
    Choice("audience", "Read by", Audience.choices, every="Anybody"),
    # Figures of a task with those merged into it are summed in Python: `task_list` sorts.
    Choice("order", "Order", ORDERS, default="size", narrow=as_is),
)
