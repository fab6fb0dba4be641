"""Opens every page: whatever a page of an admin leads to, and every object that has an address."""

from __future__ import annotations

import traceback
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.apps import apps
from django.test import Client
from django.urls import Resolver404, resolve

from apps.accounts.models import User, Workspace
from apps.jobs.models import Job

# Of calls there are thousands that look the same, of everything else fewer than this.
MOST_OF_A_VIEW = 40
# Orders, filters and pages of one list.
MOST_QUERIES = 4
NOT_FOLLOWED = ("/static/", "/accounts/")


class Links(HTMLParser):
    """Where a page leads: links, and the addresses of its live parts with the part's id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.links: list[str] = []
        self.parts: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "a" and given.get("href"):
            self.links.append(self._whole(given["href"]))
        if given.get("hx-get"):
            target = given.get("hx-target", "").removeprefix("#") or given.get("id", "")
            self.parts.append((self._whole(given["hx-get"]), target))

    def _whole(self, address: str) -> str:
        parts = urlsplit(urljoin(self.page, address))
        if parts.netloc:
            return ""
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


@dataclass
class Visit:
    """What became of one walk through the hub."""

    opened: dict[str, list[str]] = field(default_factory=dict)
    parts: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def pages(self) -> int:
        return sum(map(len, self.opened.values()))


def visit_everything(workspace: Workspace) -> Visit:
    """As an admin all pages, as every other role two of each kind, and none as a stranger."""
    people = {member.role: member.user for member in workspace.memberships.select_related("user")}
    visit = _walk(_signed_in(people["admin"]), [f"/w/{workspace.slug}/", *_addresses(workspace)])
    for role, person in people.items():
        client = _signed_in(person)
        for address in _two_of_each(visit):
            _open(client, address, visit, allowed={200, 302, 403}, who=role)
    stranger = User.objects.exclude(memberships__workspace=workspace).first()
    assert stranger is not None, "the demo has a stranger"
    for address in _two_of_each(visit):
        if address.startswith(f"/w/{workspace.slug}/"):
            _open(_signed_in(stranger), address, visit, allowed={404}, who="stranger")
    return visit


def _addresses(workspace: Workspace) -> Iterator[str]:
    """Of every object that has one; and where jobs of the version before said that their work is shown."""
    yield from Job.objects.filter(workspace=workspace).exclude(url="").values_list("url", flat=True)
    for model in apps.get_models():
        if hasattr(model, "get_absolute_url") and model.__module__.startswith("apps."):
            for one in model._default_manager.order_by("-pk")[:MOST_OF_A_VIEW]:
                address = one.get_absolute_url()
                if address.startswith(f"/w/{workspace.slug}/"):
                    yield address


def _walk(client: Client, starts: Iterable[str]) -> Visit:
    visit, seen, times = Visit(), set(), Counter[tuple[str, bool]]()
    waiting = deque(starts)
    while waiting:
        address = waiting.popleft()
        view = _view_of(address)
        kind = view, "?" in address
        if not view or address in seen or times[kind] >= (MOST_QUERIES if kind[1] else MOST_OF_A_VIEW):
            continue
        seen.add(address)
        times[kind] += 1
        response = _open(client, address, visit)
        if response is None or response.status_code != 200:
            continue
        visit.opened.setdefault(view, []).append(address)
        if not response.streaming and response["content-type"].startswith("text/html"):
            found = Links(address)
            found.feed(response.content.decode())
            waiting.extend(link for link in found.links if link)
            for part, target in found.parts:
                visit.parts += 1
                _open(client, part, visit, headers={"hx-request": "true", "hx-target": target})
    return visit


def _view_of(address: str) -> str:
    path = urlsplit(address).path
    if not path.startswith("/") or path.startswith(NOT_FOLLOWED):
        return ""
    try:
        return resolve(path).view_name
    except Resolver404:
        return "nothing"


def _open(
    client: Client,
    address: str,
    visit: Visit,
    *,
    allowed: Iterable[int] = (200, 302),
    headers: dict[str, str] | None = None,
    who: str = "admin",
) -> Any:
    try:
        response = client.get(address, headers=headers or {})
        if response.streaming:
            b"".join(response.streaming_content)
    except Exception:
        visit.problems.append(f"{address} as {who}:\n{traceback.format_exc(limit=-6)}")
        return None
    if response.status_code not in set(allowed):
        visit.problems.append(f"{address} as {who}: {response.status_code}")
    return response


def _two_of_each(visit: Visit) -> list[str]:
    return [address for addresses in visit.opened.values() for address in addresses[:2]]


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
