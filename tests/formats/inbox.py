"""A server that keeps what a real client sends it, and answers just enough for the client to go on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Inbox(ThreadingHTTPServer):
    """`info` is the answer to every GET: what LangSmith's client asks before it sends."""

    def __init__(self, info: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.info = info

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_GET(self) -> None:
        self._answer(json.dumps(self.server.info).encode())

    def do_POST(self) -> None:
        self._keep()

    def do_PATCH(self) -> None:
        self._keep()

    def _keep(self) -> None:
        body = self._chunks() if self.headers.get("Transfer-Encoding") else self._sized()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.path, headers, body))
        self._answer(b'{"successes": [], "errors": []}')

    def _sized(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def running(info: dict[str, Any]) -> Iterator[Inbox]:
    server = Inbox(info)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
