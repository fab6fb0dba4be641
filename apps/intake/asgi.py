"""Takes traces from agents' SDKs: a raw ASGI application ahead of Django's middleware.

A body is answered with success once it is on the disk, encrypted and synced (`spool`); its rows come later
(`drain`).
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from django.conf import settings

from apps.accounts.snapshot import Keys
from apps.core.errors import HubError, TooSlowError
from apps.core.raw_asgi import Receive, Scope, Send, header, read_body, send_whole
from apps.intake import endpoints, sdk
from apps.intake.answers import (
    Refusal,
    Refuse,
    Reply,
    busy,
    refused_langfuse,
    refused_langsmith,
    refused_otlp,
)
from apps.intake.auth import agents_of, key_of, which_agent
from apps.intake.bodies import LARGEST_BODY, Budget, plain_of
from apps.intake.endpoints import Body, CheckResult, Endpoint
from apps.spool.record import Header
from apps.spool.writer import SpoolFullError, SpoolWriter
from slmhub.formats import MalformedError

# What is larger is unpacked and checked in a thread: the others must not wait for it.
CHECKED_AT_ONCE = 128 * 1024
RETRY_SOON = ((b"retry-after", b"5"),)
_LONGEST_EMITTER = 120

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Intake:
    def __init__(self, keys: Keys, spool: SpoolWriter) -> None:
        self.keys = keys
        self.spool = spool
        self.budget = Budget(settings.INTAKE_MEMORY)
        self._checker = ThreadPoolExecutor(1, thread_name_prefix="intake-check")

    def takes(self, path: str) -> bool:
        """Whether an address is one of ours; Langfuse's are all of them, so that its SDK hears a clear no."""
        path = path.rstrip("/")
        return bool(
            endpoints.endpoint_of(path) or sdk.answers_at(path) or endpoints.no_metrics(path)
        ) or path.startswith("/api/public/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.keys.start()
        reply = await self._answered(scope, receive)
        await send_whole(send, reply.status, reply.content_type, reply.body, headers=reply.headers)

    async def _answered(self, scope: Scope, receive: Receive) -> Reply:
        refuse = _dialect(scope["path"])
        protobuf = "protobuf" in header(scope, b"content-type")
        try:
            return await self._served(scope, receive)
        except Refusal as refusal:
            return refuse(refusal, protobuf)
        except HubError as error:
            # What is left of a body that comes too slowly is not waited for.
            close = [(b"connection", b"close")] if isinstance(error, TooSlowError) else []
            return refuse(Refusal(error.status, error.sentence, close), protobuf)
        except MalformedError as error:
            return refuse(Refusal(400, f"{error}."), protobuf)
        except SpoolFullError as full:
            return refuse(busy(str(full), full.wait_s), protobuf)
        except OSError:
            log.exception("the spool cannot be written")
            sorry = Refusal(503, "The hub cannot write to its disk; send again later.", RETRY_SOON)
            return refuse(sorry, protobuf)

    async def _served(self, scope: Scope, receive: Receive) -> Reply:
        if not self.keys.is_read:
            # 401 would make senders drop what they hold.
            raise Refusal(503, "The hub cannot read its keys yet; send again later.", RETRY_SOON)
        path = scope["path"].rstrip("/")
        if refusal := endpoints.no_metrics(path):
            raise refusal
        if answer := sdk.answers_at(path):
            if scope["method"] not in ("GET", "HEAD"):
                raise _wrong_method(["GET"])
            return await answer(scope, self.keys)
        here = endpoints.endpoint_of(path)
        if not here:
            raise Refusal(404, f"SLM Hub takes traces; it has no {path[:200]}.")
        if scope["method"] not in here:
            raise _wrong_method(here)
        endpoint, subject = here[scope["method"]]
        return await self._taken(scope, receive, endpoint, subject)

    async def _taken(self, scope: Scope, receive: Receive, endpoint: Endpoint, subject: str) -> Reply:
        key = await key_of(scope, self.keys)
        content_type = header(scope, b"content-type")
        if not content_type.lower().encode("latin-1").startswith(endpoint.types):
            known = " or ".join(kind.decode() for kind in endpoint.types)
            raise Refusal(415, f"Content-Type {content_type[:80]!r} is not taken here; send {known}.")
        self.spool.check_room()
        encoding = header(scope, b"content-encoding").strip().lower()
        with self.budget.claim() as claim:
            raw = await read_body(
                receive, most=LARGEST_BODY, announced=header(scope, b"content-length"), grow=claim.grow
            )
            at_once = len(raw) <= CHECKED_AT_ONCE and not encoding

            def check() -> CheckResult:
                return endpoint.check(Body(plain_of(raw, encoding, claim), content_type))

            checked = await self._off_the_loop(check, at_once)
            agents = agents_of(scope, key, self.keys.current, checked.projects)
            spooled = Header(
                kind=endpoint.kind,
                source=endpoint.source,
                agent=next(iter(agents.values())),
                content_type=content_type,
                encoding=encoding,
                emitter=header(scope, b"user-agent")[:_LONGEST_EMITTER],
                subject=subject,
            )
            if len(agents) > 1:
                return await self._split(checked, agents, spooled, at_once)
            if checked.keep:
                await self.spool.write(spooled, raw)
        return checked.reply

    async def _split(
        self, checked: CheckResult, agents: dict[str, int], spooled: Header, at_once: bool
    ) -> Reply:
        """Writes each agent's share of a body; when one cannot be written, the caller sends all again."""
        if checked.split is None:
            raise which_agent(agents, "The body is about several agents")
        split = await self._off_the_loop(functools.partial(checked.split, agents), at_once)
        shares = [
            (msgspec.structs.replace(spooled, agent=agent, encoding=""), share)
            for agent, share in split.shares.items()
        ]
        await asyncio.gather(*(self.spool.write(*one) for one in shares))
        return split.reply

    async def _off_the_loop(self, work: Callable[[], Result], at_once: bool) -> Result:
        if at_once:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._checker, work)


def _wrong_method(allowed: Any) -> Refusal:
    names = ", ".join(sorted(allowed))
    return Refusal(405, f"This address takes {names}.", [(b"allow", names.encode())])


def _dialect(path: str) -> Refuse:
    if path.rstrip("/").endswith(("/v1/traces", "/v1/logs", "/v1/metrics")):
        return refused_otlp
    return refused_langfuse if path.startswith("/api/public/") else refused_langsmith
