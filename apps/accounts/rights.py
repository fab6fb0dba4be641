"""What there is to be allowed: rights of people, their roles, scopes of API keys."""

from __future__ import annotations

from django.db import models


class Right(models.TextChoices):
    """What a page or an action asks for."""

    VIEW = "view", "See everything but originals"
    REVEAL = "reveal", "Read originals"
    INGEST = "ingest", "Upload traces"
    REVIEW = "review", "Decide findings"
    LABEL = "label", "Name, accept, ignore and merge tasks"
    BUILD = "build", "Build datasets, train, evaluate, request rollouts"
    APPROVE = "approve", "Approve, reject and roll back rollouts"
    MANAGE = "manage", "People, keys, agents and settings"


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    CURATOR = "curator", "Curator"
    ENGINEER = "engineer", "Engineer"
    APPROVER = "approver", "Approver"
    ADMIN = "admin", "Admin"


class Scope(models.TextChoices):
    """What an API key may do."""

    INGEST = "ingest", "Send traces"
    INFER = "infer", "Call models through the gateway"
    READ = "read", "Read traces, tasks and evaluations"


_CURATOR = {Right.VIEW, Right.INGEST, Right.REVIEW, Right.LABEL}
ROLE_RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.VIEW}),
    Role.CURATOR: frozenset(_CURATOR | {Right.REVEAL}),
    Role.ENGINEER: frozenset(_CURATOR | {Right.BUILD}),
    Role.APPROVER: frozenset({Right.VIEW, Right.APPROVE}),
    Role.ADMIN: frozenset(Right),
}
