"""Every snippet of "Connect an agent", run as it is pasted, a moment after its key was made.

LangChain itself is not installed: LangSmith's own client, which it sends with, stands for it. Vercel's and
LiteLLM's need packages that are no part of the development tools; of these only the shape is looked at.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slmhub.demo.people import DEMO_AGENT
from tests.end_to_end.hub import running_hub
from tests.servers import demo_teacher
from tests.sources.connecting import Admin

pytestmark = pytest.mark.slow
SAY = "Where is order A-1?"
OWN = ("OTEL_", "LANG", "OPENAI_")

OPENAI_CALL = """
from openai import OpenAI
OpenAI(base_url={teacher!r}, api_key="none").chat.completions.create(
    model="teacher", messages=[{{"role": "user", "content": {say!r}}}])
"""
OTEL_CHILD = """
import json
from opentelemetry import trace
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
_OTelSDKConfigurator().configure()  # what opentelemetry-instrument calls; it reads only the environment
messages = [{{"role": "user", "parts": [{{"type": "text", "content": {say!r}}}]}}]
answer = [{{"role": "assistant", "parts": [{{"type": "text", "content": "Sent."}}], "finish_reason": "stop"}}]
with trace.get_tracer("desk").start_as_current_span("chat gpt-x", kind=trace.SpanKind.CLIENT) as span:
    span.set_attributes({{
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-x",
        "gen_ai.conversation.id": "conversation-otel", "gen_ai.usage.input_tokens": 9,
        "gen_ai.input.messages": json.dumps(messages), "gen_ai.output.messages": json.dumps(answer),
        **{{f"own.{{number}}": number for number in range(200)}},
    }})
"""
LANGSMITH_CHILD = """
from langsmith import traceable
from langsmith.wrappers import wrap_openai
from openai import OpenAI
client = wrap_openai(OpenAI(base_url={teacher!r}, api_key="none"))

@traceable(metadata={{"session_id": "conversation-langsmith"}})
def desk():
    client.chat.completions.create(model="teacher", messages=[{{"role": "user", "content": {say!r}}}])

desk()
"""
LANGFUSE_CHILD = """
from langfuse import get_client, observe, propagate_attributes

@observe
def desk():
    with propagate_attributes(session_id="conversation-langfuse"):
        with get_client().start_as_current_observation(
            name="ask", as_type="generation", model="gpt-x", input=[{{"role": "user", "content": {say!r}}}]
        ) as generation:
            answer = {{"role": "assistant", "content": "Sent."}}
            generation.update(output=answer, usage_details={{"input": 9}})

assert get_client().auth_check()
desk()
"""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with running_hub(tmp_path_factory.mktemp("hub")) as hub:
        yield Admin(hub)


@pytest.fixture(scope="module")
def teacher() -> Iterator[str]:
    with demo_teacher() as url:
        yield url


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(OWN)}


def run_shell(script: str) -> str:
    done = subprocess.run(["bash", "-ec", script], env=clean(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert "Failed to export" not in done.stderr, done.stderr
    return done.stdout


def run_python(code: str, folder: Path, environment: str = "") -> str:
    """Runs `code` in a child whose environment is what was pasted."""
    path = folder / "agent.py"
    path.write_text(code)
    return run_shell(f"set -a\n{environment}\nset +a\nexec {sys.executable} {path}")


def only(labelled: dict[str, str]) -> str:
    (text,) = labelled.values()
    return text


def calls(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [span for span in spans if span["kind"] == "llm"]


def named_on_the_page(admin: Admin, span: dict[str, Any]) -> bool:
    page = admin.sources()
    return f'id="emitter-{span["emitter_pk"]}"' in page and span["emitter"] in page


def test_openai_through_the_gateway(admin: Admin, tmp_path: Path) -> None:
    last = admin.newest()
    code = only(admin.snippets()["openai"])
    answer = run_python(f"{code}\nprint(answer.choices[0].message.content)", tmp_path).strip()

    (span,) = admin.arrived(last)
    assert (span["source"], span["session"], span["asked"]) == ("gateway", "conversation-1", "Hello")
    assert answer
    assert answer.startswith(span["answered"].rstrip("…")[:20])
    assert named_on_the_page(admin, span)


def test_opentelemetry_configured_by_its_environment_alone(admin: Admin, tmp_path: Path) -> None:
    last = admin.newest()
    environment = only(admin.snippets()["opentelemetry"])
    run_python(OTEL_CHILD.format(say=SAY), tmp_path, environment)

    (span,) = admin.arrived(last)
    assert (span["source"], span["format"], span["asked"]) == ("otlp", "otel_genai", SAY)
    assert (span["answered"], span["session"], span["tokens"]) == ("Sent.", "conversation-otel", 9)
    assert named_on_the_page(admin, span)


def test_openinference(admin: Admin, teacher: str, tmp_path: Path) -> None:
    last = admin.newest()
    code = only(admin.snippets()["openinference"])
    run_python(code + OPENAI_CALL.format(teacher=teacher, say=SAY), tmp_path)

    (span,) = admin.arrived(last)
    assert (span["source"], span["format"], span["asked"]) == ("otlp", "openinference", SAY)
    assert span["messages"] == 1
    assert span["tokens"] > 0
    assert named_on_the_page(admin, span)


def test_langchains_client(admin: Admin, teacher: str, tmp_path: Path) -> None:
    last = admin.newest()
    environment = only(admin.snippets()["langchain"])
    run_python(LANGSMITH_CHILD.format(teacher=teacher, say=SAY), tmp_path, environment)

    (span,) = calls(admin.arrived(last, 2))
    assert (span["source"], span["asked"]) == ("langsmith", SAY)
    assert span["session"] == "conversation-langsmith"
    assert span["answered"]
    assert named_on_the_page(admin, span)


def test_langfuse(admin: Admin, tmp_path: Path) -> None:
    last = admin.newest()
    environment = only(admin.snippets()["langfuse"])
    run_python(LANGFUSE_CHILD.format(say=SAY), tmp_path, environment)

    (span,) = calls(admin.arrived(last, 2))
    assert (span["source"], span["asked"], span["answered"]) == ("langfuse", SAY, "Sent.")
    assert span["session"] == "conversation-langfuse"
    assert named_on_the_page(admin, span)


def test_http(admin: Admin) -> None:
    last = admin.newest()
    command = only(admin.snippets()["http"])
    for _ in range(2):
        run_shell(command)

    (span,) = admin.arrived(last)
    assert (span["source"], span["asked"], span["answered"]) == ("api", "Hello", "Hi")
    assert (span["session"], span["model"], span["tokens"]) == ("conversation-1", "gpt-4o", 9)
    assert named_on_the_page(admin, span)


def test_every_way_holds_the_address_the_key_and_the_agent(admin: Admin) -> None:
    ways = admin.snippets()
    assert set(ways) == {
        "openai", "opentelemetry", "openinference", "langchain", "vercel", "litellm", "langfuse", "http",
    }  # fmt: skip
    for slug, parts in ways.items():
        text = "\n".join(parts.values())
        assert admin.hub.url in text, slug
        assert "hub_YOUR_KEY" not in text, slug
        assert "hub_" in text, slug
        assert DEMO_AGENT in text, slug
