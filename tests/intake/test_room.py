"""What one process may hold: memory, disk, and the API's calls too."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import zstandard

from apps.core import raw_asgi
from apps.core.compression import BrokenEncodingError, TooMuchError, undone
from apps.core.errors import TooSlowError
from apps.intake.answers import Refusal
from apps.intake.bodies import Budget
from tests.intake.exports import span_id, traces
from tests.intake.sender import Sender, serving
from tests.servers import eventually
from tests.traces.calls import session_rows
from tests.world import World


def test_claims_end_where_the_budget_ends() -> None:
    budget = Budget(100)
    with budget.claim() as first, budget.claim() as second:
        first.grow(60)
        with pytest.raises(Refusal) as refusal:
            second.grow(50)
        assert (refusal.value.status, refusal.value.headers) == (429, ((b"retry-after", b"1"),))
        second.grow(40)
    assert budget.held == 0


def test_a_claim_that_is_alone_may_be_larger_than_the_budget() -> None:
    budget = Budget(100)
    with budget.claim() as claim:
        claim.grow(500)
        claim.grow(500)
    assert budget.held == 0


async def test_a_body_that_stops_coming_is_408_and_gives_back_its_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(raw_asgi, "SILENCE_S", 0.05)
    messages = [{"type": "http.request", "body": b"half", "more_body": True}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else await asyncio.Event().wait()  # type: ignore[return-value]

    budget = Budget(100)
    with pytest.raises(TooSlowError) as refusal, budget.claim() as claim:
        await raw_asgi.read_body(receive, most=100, grow=claim.grow)
    assert refusal.value.status == 408
    assert budget.held == 0


def test_a_bomb_is_found_before_it_has_gone_off() -> None:
    seen: list[int] = []
    bomb = zstandard.compress(b"\0" * 200_000_000)
    with pytest.raises(TooMuchError):
        undone(bomb, "zstd", most=1_000_000, grow=seen.append)
    assert sum(seen) <= 1_000_000


def test_an_empty_body_of_an_encoding_is_empty() -> None:
    assert undone(b"", "gzip", most=10) == b""
    with pytest.raises(BrokenEncodingError):
        undone(b"\x1f\x8b", "gzip", most=10)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases="__all__")
def test_a_hub_that_holds_enough_answers_429_with_retry_after(world: World, tmp_path: Path) -> None:
    with serving(tmp_path, HUB_INTAKE_MEMORY_MB="1", HUB_SPOOL_MB="1") as (address, _):
        sender = Sender.build(world, address, tmp_path)
        host, port = address.split(":")
        head = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {sender.secret}\r\n"
        with socket.create_connection((host, int(port))) as slow:
            # Somebody holds nearly all of the memory.
            head += "content-type: application/x-protobuf\r\ncontent-length: 2000000\r\n\r\n"
            slow.sendall(head.encode() + b"\0" * 1_040_000)
            body = traces([span_id()], text="long " * 10_000)
            full = eventually(lambda: (answer := sender.post(body)).status_code == 429 and answer)
            assert full.headers["retry-after"] == "1"
            calls = httpx.post(
                f"{sender.url}/api/v1/calls",
                content=orjson.dumps({"calls": session_rows(), "filler": "x" * 50_000}),
                headers=sender.bearer,
            )
            assert (calls.status_code, calls.headers["retry-after"]) == (429, "1")
        eventually(lambda: sender.post(body).status_code == 200)

        # Nobody drains: the disk is full some time.
        full = eventually(lambda: (answer := sender.post(body)).status_code == 429 and answer, within=30)
        assert full.headers["retry-after"] == "5"
        assert "wait to be stored" in full.content.decode()
        sender.stored()
        eventually(lambda: sender.post(traces([span_id()])).status_code == 200, within=5)
