"""Somebody who opens "Connect an agent" on a running hub, makes a key and looks at what has arrived."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx

from slmhub.demo.people import DEMO_AGENT, DEMO_PASSWORD, DEMO_WORKSPACE
from tests.end_to_end.hub import Hub
from tests.servers import eventually

AGENT = f"/w/{DEMO_WORKSPACE}/{DEMO_AGENT}"
_WAY = re.compile(r'<details class="disclosure" name="ways".*?</details>', re.DOTALL)
_SLUG = re.compile(r'id="(\w+)"')
_CODE = re.compile(
    r'<p class="code-label">(.*?)</p>\s*<pre class="payload" tabindex="0">(.*?)</pre>', re.DOTALL
)
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
_CALLS = """
import json
from apps.traces.models import Span
spans = Span.objects.filter(pk__gt=%d, agent__slug=%r).exclude(source__in=["upload", "command"])
spans = spans.order_by("pk").select_related("session", "emitter")
print("FOUND" + json.dumps([{
    "pk": s.pk, "kind": s.kind, "source": s.source, "format": s.format, "model": s.model,
    "asked": s.input_preview, "answered": s.output_preview, "messages": len(s.message_ids),
    "tokens": s.input_tokens, "session": s.session and s.session.external_id,
    "emitter": s.emitter.name, "emitter_pk": s.emitter.pk,
} for s in spans]))
"""


@dataclass
class Admin:
    hub: Hub

    @cached_property
    def client(self) -> httpx.Client:
        client = httpx.Client(base_url=self.hub.url, follow_redirects=True, timeout=30)
        self._posted(client, "/accounts/login/", login="admin@demo.example", password=DEMO_PASSWORD)
        return client

    def _posted(self, client: httpx.Client, form: str, to: str = "", **fields: str) -> str:
        token = _TOKEN.search(client.get(form).raise_for_status().text)
        assert token is not None
        answer = client.post(to or form, data={"csrfmiddlewaretoken": token[1], **fields})
        return answer.raise_for_status().text

    def snippets(self) -> dict[str, dict[str, str]]:
        """What the page shows after a press on "Make a key": text by label by slug."""
        page = self._posted(self.client, f"{AGENT}/sources/connect/", f"{AGENT}/sources/connect/key/")
        ways = [(_SLUG.search(way), _CODE.findall(way)) for way in _WAY.findall(page)]
        return {
            slug[1]: {html.unescape(label): html.unescape(code) for label, code in parts}
            for slug, parts in ways
            if slug
        }

    def sources(self) -> str:
        return html.unescape(self.client.get(f"{AGENT}/sources/").raise_for_status().text)

    def spans_after(self, last: int) -> list[dict[str, Any]]:
        """Without those that the demo itself loads from a file."""
        told = self.hub.manage("shell", "-c", _CALLS % (last, DEMO_AGENT)).stdout
        found: list[dict[str, Any]] = json.loads(told.partition("FOUND")[2])
        return found

    def newest(self) -> int:
        return max((span["pk"] for span in self.spans_after(0)), default=0)

    def arrived(self, last: int, count: int = 1) -> list[dict[str, Any]]:
        """The spans that came after the one with this key, as soon as there are `count`."""

        def enough() -> list[dict[str, Any]]:
            spans = self.spans_after(last)
            return spans if len(spans) >= count else []

        found: list[dict[str, Any]] = eventually(enough, within=60, every=0.5)
        return found
