"""`python -m slmhub.supervision.leader COMMAND…`: bounds how long a command may take to end.

A queue cluster that is asked to end waits for its running task without limit, and its workers outlive a
killed parent. This leader of the process group gives it a grace and then kills the group, itself included.
It holds nothing but the standard library, so that it costs little.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import FrameType

from slmhub.supervision.orphans import adopt, end_adopted, end_all
from slmhub.supervision.supervisor import GRACE_S

MARGIN_S = 2.0
TICK_S = 0.5


class EndAskedError(Exception):
    """SIGTERM has come."""


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, _ask)
    adopt()
    process = None
    try:
        process = subprocess.Popen(arguments)
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(TICK_S)
            end_adopted({process.pid})
    except EndAskedError:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if process is None:
            return 0
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S - MARGIN_S)
        return process.poll() or 0
    finally:
        # Its workers and what they started must not live on without it.
        end_all()
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _ask(number: int, frame: FrameType | None) -> None:
    raise EndAskedError


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
