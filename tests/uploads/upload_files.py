"""Files as teams upload them, and a home for them."""

from __future__ import annotations

from typing import Any

import orjson
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.uploads.models import Upload
from tests.world import World


def send(world: World, *files: tuple[str, bytes], who: str = "curator") -> Any:
    uploaded = [SimpleUploadedFile(name, data) for name, data in files]
    return world.client(getattr(world, who)).post(world.url("uploads:upload"), {"uploaded": uploaded})


def review_url(world: World) -> str:
    return world.url("uploads:review", Upload.objects.latest("pk").delivery)


def page(world: World, **values: str) -> str:
    """The review page of the latest delivery; with values as if they had been chosen on it."""
    client = world.client(world.curator)
    response = client.post(review_url(world), values) if values else client.get(review_url(world))
    assert response.status_code == 200
    return response.content.decode()


def start(world: World, **values: str) -> Any:
    url = world.url("uploads:start", Upload.objects.latest("pk").delivery)
    return world.client(world.curator).post(url, values)


def imported(world: World, *files: tuple[str, bytes]) -> list[str]:
    """What becomes of the jobs of these files."""
    send(world, *files)
    start(world)
    return world.run_jobs()


def batch_input(count: int = 3) -> bytes:
    return jsonl(
        {
            "custom_id": f"request-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-test", "messages": [{"role": "user", "content": f"Question number {n}?"}]},
        }
        for n in range(count)
    )


def batch_output(count: int = 3) -> bytes:
    return jsonl(
        {
            "id": f"batch_req_{n}",
            "custom_id": f"request-{n}",
            "response": {"status_code": 200, "request_id": f"r{n}", "body": _answer(n)},
            "error": None,
        }
        for n in range(count)
    )


def _answer(number: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": f"Answer number {number}."}
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_767_600_000 + number,
        "model": "gpt-test",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
    }


def strange_rows(count: int = 3) -> bytes:
    """A shape of nobody's: turns of a chat and figures under names of its own."""
    return jsonl(
        {
            "ref": f"row-{n}",
            "talk": {"turns": [{"who": "human", "says": f"Where is parcel {n}?"}]},
            "bot": {"said": f"Parcel {n} is on its way.", "engine": "house-7b"},
            "meta": {"thread": f"t{n}"},
        }
        for n in range(count)
    )


def jsonl(rows: Any) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)
