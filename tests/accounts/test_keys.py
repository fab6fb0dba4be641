from __future__ import annotations

import pytest

from apps.accounts.keys import NoKeyError, create_key, keyring
from apps.core.encryption import SealBrokenError, key_number
from tests.world import World


def test_a_workspace_opens_what_it_sealed(world: World) -> None:
    ring = keyring(world.workspace.pk)

    assert ring.unseal(ring.seal(b"text", bound_to=b"row"), bound_to=b"row") == b"text"


def test_no_other_workspace_opens_it(world: World) -> None:
    record = keyring(world.workspace.pk).seal(b"text")

    with pytest.raises(SealBrokenError):
        keyring(world.elsewhere.pk).unseal(record)


def test_after_a_rotation_old_records_still_open_and_new_ones_use_the_new_key(world: World) -> None:
    before = keyring(world.workspace.pk)
    old, digest = before.seal(b"old"), before.digest(b"text")
    create_key(world.workspace, number=2)
    after = keyring(world.workspace.pk)

    assert after.unseal(old) == b"old"
    assert key_number(after.seal(b"new")) == 2
    assert after.digest(b"text") == digest
    with pytest.raises(NoKeyError):
        before.unseal(after.seal(b"new"))


def test_digests_differ_between_workspaces(world: World) -> None:
    assert keyring(world.workspace.pk).digest(b"x") != keyring(world.elsewhere.pk).digest(b"x")


def test_a_sealed_key_cannot_be_moved_to_another_workspace(world: World) -> None:
    own, foreign = world.workspace.keys.get(), world.elsewhere.keys.get()
    foreign.sealed = own.sealed
    foreign.save()

    with pytest.raises(SealBrokenError):
        keyring(world.elsewhere.pk)


def test_a_workspace_without_a_key_says_so(world: World) -> None:
    world.workspace.keys.all().delete()

    with pytest.raises(NoKeyError):
        keyring(world.workspace.pk)
