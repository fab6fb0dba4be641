"""The people of the demo workspace, and one stranger who must never see anything of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "curator", "engineer", "approver", "admin"]

# For demonstrations only: it stands in this public file and on the demo's log-in page.
DEMO_PASSWORD = "demo-only-password"  # noqa: S105

DEMO_WORKSPACE = "demo"
STRANGER_WORKSPACE = "elsewhere"
DEMO_AGENT = "support-desk"


@dataclass(frozen=True)
class Person:
    name: str
    email: str
    role: Role
    workspace: str = DEMO_WORKSPACE


PEOPLE = (
    Person("Vera Lindholm", "viewer@demo.example", "viewer"),  # reads traces and results
    Person("Carl Osei", "curator@demo.example", "curator"),  # labels tasks, reviews findings
    Person("Emma Novak", "engineer@demo.example", "engineer"),  # trains, requests rollouts
    Person("Anil Prasad", "approver@demo.example", "approver"),  # approves what others request
    Person("Ada Moreau", "admin@demo.example", "admin"),  # people, keys, policies
)
STRANGER = Person("Sam Stone", "stranger@elsewhere.example", "admin", STRANGER_WORKSPACE)
