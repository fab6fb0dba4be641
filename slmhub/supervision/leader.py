"""`python -m slmhub.supervision.leader COMMAND…`: bounds how long a command may take to end.

A queue cluster that is asked to end waits for its running task without limit, and its workers outlive a killed
parent. This leader of the process group gives it a grace and then kills the group, itself included. It holds
nothing but the standard library, so that it costs little.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from slmhub.supervision.supervisor import GRACE_S

MARGIN_S = 2.0


def main(arguments: list[str]) -> int:
    process = subprocess.Popen(arguments)

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        process.terminate()
        deadline = time.monotonic() + GRACE_S - MARGIN_S
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    signal.signal(signal.SIGTERM, end)
    code = process.wait()
    # Its workers must not live on without it.
    os.killpg(os.getpgrp(), signal.SIGKILL)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
