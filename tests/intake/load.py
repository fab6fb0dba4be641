"""Senders that note what was acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.intake.exports import PROTOBUF, span_id, traces

WORDS = [f"word{number}" for number in range(2000)]


def text_of(size: int) -> str:
    """Words that no other text has in this order."""
    words = random.choices(WORDS, k=size // 8)
    return " ".join([str(random.random()), *words])


@dataclass
class Load:
    """Threads that post exports of `spans` spans of about `size` characters until told to stop."""

    url: str
    secret: str
    spans: int = 5
    size: int = 1000
    pause_s: float = 0.0
    acknowledged: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, threads: int) -> None:
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._stop.is_set():
                self._post_one(client)
                time.sleep(self.pause_s)

    def _post_one(self, client: httpx.Client) -> None:
        ids = [span_id() for _ in range(self.spans)]
        self.sent |= {one.hex() for one in ids}
        body = traces(ids, text=text_of(self.size))
        # Half of what was not acknowledged is sent again, as SDKs do.
        for _ in range(random.choice([1, 3])):
            status = self._status(lambda: client.post(self.url, content=body, headers=self._headers))
            self.answers[status] += 1
            if status == 200:
                self.acknowledged |= {one.hex() for one in ids}
                return
            time.sleep(self.pause_s)

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}", "content-type": PROTOBUF}

    def _status(self, post: Callable[[], httpx.Response]) -> int:
        try:
            return post().status_code
        except httpx.HTTPError:
            return 0
