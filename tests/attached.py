"""`python -m tests.attached COMMAND…`: another process of the hub, on the databases of the running tests.

The command is `uvicorn …`, a `manage.py` command, or a file of Python.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from typing import Any

NAMES = "HUB_TEST_DATABASES"


def start(
    *arguments: str, environment: dict[str, str] | None = None, **options: Any
) -> subprocess.Popen[str]:
    from django.db import connections

    names = {alias: str(connections[alias].settings_dict["NAME"]) for alias in connections}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.attached", *arguments],
        env={**os.environ, NAMES: json.dumps(names), **(environment or {})},
        start_new_session=True,
        text=True,
        **options,
    )


def main(arguments: list[str]) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "slmhub.settings"
    from django.conf import settings

    for alias, name in json.loads(os.environ[NAMES]).items():
        settings.DATABASES[alias]["NAME"] = name
    import django

    django.setup()
    sys.argv = arguments
    if arguments[0] == "uvicorn":
        runpy.run_module("uvicorn", run_name="__main__")
    elif arguments[0].endswith(".py"):
        runpy.run_path(arguments[0], run_name="__main__")
    else:
        from django.core.management import execute_from_command_line

        execute_from_command_line(["manage.py", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
