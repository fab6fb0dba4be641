from __future__ import annotations

import subprocess
import sys

from slmhub.demo.people import PEOPLE, STRANGER


def test_there_is_one_person_for_each_role_and_a_stranger_elsewhere() -> None:
    assert [person.role for person in PEOPLE] == ["viewer", "curator", "engineer", "approver", "admin"]
    assert STRANGER.workspace not in {person.workspace for person in PEOPLE}
    assert len({person.email for person in (*PEOPLE, STRANGER)}) == 6


def test_the_demo_needs_neither_django_nor_tensors() -> None:
    program = (
        "import sys, slmhub.demo.teacher, slmhub.demo.fresh, slmhub.demo.people;"
        "sys.exit(bool({'django', 'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
