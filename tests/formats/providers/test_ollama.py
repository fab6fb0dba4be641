from __future__ import annotations

import orjson

from slmhub.formats.parts import image_part, reasoning_part, text_part
from slmhub.formats.providers import ollama
from tests.formats.providers.examples import OLLAMA_ANSWERED, OLLAMA_ASKED, folded_by


def test_it_reads_a_chat() -> None:
    asked = ollama.asked(OLLAMA_ASKED, set())
    user, assistant, result = asked.messages
    assert user["content"] == [text_part("Weather?"), image_part("data:image/*;base64,aGk=")]
    assert assistant["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"city":"Paris"}'}
    assert result["tool_call_id"] == assistant["tool_calls"][0]["id"]
    assert asked.parameters == {"temperature": 0, "stream": False, "keep_alive": "5m"}


def test_it_reads_an_answer_with_its_thought_and_its_own_clock() -> None:
    answered = ollama.answered(OLLAMA_ANSWERED, set())
    assert answered.output is not None
    assert answered.output["content"] == [reasoning_part("Hm."), text_part("Rain.")]
    assert (answered.usage.input, answered.usage.output) == (310, 145)
    assert answered.latency_ms == 1_671.921584
    assert answered.attributes == {"load_duration": 140_923_875}


def test_it_reads_generate() -> None:
    asked = ollama.asked({"model": "m", "prompt": "Say", "system": "Be brief.", "options": {}}, set())
    answered = ollama.answered({"model": "m", "response": "Hi", "done": True}, set())
    assert [message["content"] for message in asked.messages] == ["Be brief.", "Say"]
    assert answered.output == {"role": "assistant", "content": "Hi"}


def test_json_lines_fold_into_the_answer_that_was_not_streamed() -> None:
    pieces = [
        {"message": {"role": "assistant", "content": "", "thinking": "Hm."}, "done": False},
        {"message": {"role": "assistant", "content": "Ra"}, "done": False},
        {**OLLAMA_ANSWERED, "message": {"role": "assistant", "content": "in."}},
    ]
    folded = folded_by(ollama, b"\n".join(orjson.dumps(piece) for piece in pieces))
    assert ollama.answered(folded, set()) == ollama.answered(OLLAMA_ANSWERED, set())


def test_an_error_is_a_bare_text() -> None:
    assert ollama.answered({"error": "model 'x' not found"}, set()).error == "model 'x' not found"
