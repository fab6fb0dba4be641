"""What happens to a workspace, its agents, people and keys."""

from __future__ import annotations

from apps.events.facts import Fact, Page, Tone

PEOPLE = Page("team:people", of_agent=False)


class WorkspaceCreated(Fact):
    type = "workspace.created"
    verb = "created the workspace"

    name: str

    def what(self) -> str:
        return self.name


class AgentCreated(Fact):
    type = "agent.created"
    verb = "added the agent"
    page = Page("team:settings", of_agent=False)

    name: str

    def what(self) -> str:
        return self.name


class MemberJoined(Fact):
    type = "member.joined"
    verb = "joined"
    page = PEOPLE

    person: str
    role: str

    def who(self) -> str:
        return self.person

    def what(self) -> str:
        return "the workspace"

    def detail(self) -> str:
        return self.role


class MemberRoleChanged(Fact):
    type = "member.role_changed"
    verb = "changed the role of"
    page = PEOPLE

    person: str
    role: str

    def what(self) -> str:
        return self.person

    def detail(self) -> str:
        return self.role


class MemberRemoved(Fact):
    type = "member.removed"
    verb = "removed"
    tone = Tone.WARN
    page = PEOPLE

    person: str

    def what(self) -> str:
        return self.person


class MemberInvited(Fact):
    type = "member.invited"
    verb = "invited"
    page = PEOPLE

    invitation: int
    email: str
    role: str

    def what(self) -> str:
        return self.email

    def detail(self) -> str:
        return self.role


class InvitationWithdrawn(Fact):
    type = "invitation.withdrawn"
    verb = "withdrew the invitation of"

    invitation: int
    email: str

    def what(self) -> str:
        return self.email


class KeyCreated(Fact):
    type = "key.created"
    verb = "made the API key"

    key: int
    name: str
    scopes: list[str]

    def what(self) -> str:
        return self.name


class KeyRevoked(Fact):
    type = "key.revoked"
    verb = "revoked the API key"
    tone = Tone.WARN

    key: int
    name: str

    def what(self) -> str:
        return self.name
