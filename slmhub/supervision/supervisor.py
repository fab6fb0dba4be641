"""The loop over the children."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from slmhub.files import write_atomically
from slmhub.supervision.children import Child
from slmhub.supervision.orphans import adopt, end_adopted, end_all

TICK_S = 0.2
STATE_EVERY_S = 1.0
GRACE_S = 8.0


class Supervisor:
    """Keeps `children` running until a signal comes; writes their state to `state_file` every second.

    A file `restart-<name>` beside the state file asks for a restart of that child (the watchdog writes it).
    """

    def __init__(self, children: Sequence[Child], state_file: Path) -> None:
        self.children = list(children)
        self.state_file = state_file
        self._stopping = False
        self._state_due = 0.0

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        adopt()
        try:
            while not self._stopping:
                self._tick()
                time.sleep(TICK_S)
        finally:
            self._end_all()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _tick(self) -> None:
        for child in self.children:
            request = self.state_file.with_name(f"restart-{child.name}")
            if request.exists():
                request.unlink(missing_ok=True)
                self._say(f"{child.name} hangs; restarting it")
                child.signal(signal.SIGKILL)
            news = child.watch()
            if news is not None:
                self._say(news)
        end_adopted({child.process.pid for child in self.children if child.process is not None})
        if time.monotonic() >= self._state_due:
            self._state_due = time.monotonic() + STATE_EVERY_S
            processes = {child.name: child.state for child in self.children}
            state = {"at": time.time(), "pid": os.getpid(), "processes": processes}
            write_atomically(self.state_file, json.dumps(state), synced=False)

    def _end_all(self) -> None:
        for child in self.children:
            child.ask_to_end()
        by = time.monotonic() + GRACE_S
        for child in self.children:
            child.end(by)
        end_all()
        self.state_file.unlink(missing_ok=True)

    def _say(self, text: str) -> None:
        print(f"[hub] {text}", file=sys.stderr, flush=True)
