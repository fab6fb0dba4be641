"""One request and one response of each provider, as their documentation writes them."""

from __future__ import annotations

from typing import Any

from slmhub.formats.providers import (
    Provider,
    anthropic,
    bedrock_converse,
    bedrock_invoke,
    events_of,
    gemini,
    ollama,
    openai_chat,
    openai_completions,
    openai_responses,
)

Json = dict[str, Any]

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}

CHAT_ASKED: Json = {
    "model": "gpt-4o",
    "temperature": 0.5,
    "stream": True,
    "user": "u-1",
    "metadata": {"k": "v"},
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "Rain"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
}
CHAT_ANSWERED: Json = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1731920593,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Rain."}},
    ],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 12},
    },
}
RESPONSES_ASKED: Json = {
    "model": "gpt-4.1",
    "instructions": "Be brief.",
    "max_output_tokens": 50,
    "tools": [
        {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": True},
        {"type": "web_search_preview"},
    ],
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Ask f."}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"city":"Paris"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "Rain"},
    ],
}
RESPONSES_ANSWERED: Json = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1731920593,
    "status": "completed",
    "model": "gpt-4.1-2025-04-14",
    "output": [
        {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "Rain it is."}]},
        {
            "type": "message",
            "id": "m_1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Rain.", "annotations": []}],
        },
        {"type": "function_call", "call_id": "c2", "name": "f", "arguments": '{"city":"Rome"}'},
    ],
    "usage": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 12},
        "total_tokens": 120,
    },
}
COMPLETIONS_ASKED: Json = {"model": "gpt-3.5-turbo-instruct", "prompt": "Say", "max_tokens": 5}
COMPLETIONS_ANSWERED: Json = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1731920593,
    "model": "gpt-3.5-turbo-instruct",
    "choices": [{"text": "Hi", "index": 0, "finish_reason": "length"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
}
ANTHROPIC_ASKED: Json = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "metadata": {"user_id": "u-1"},
    "tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}, {"type": "web_search_20250305"}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Weather?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "document", "title": "t", "source": {"type": "text", "data": "words"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Ask f.", "signature": "sig"},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"city": "Paris"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "Rain"}]},
                {"type": "text", "text": "And Rome?"},
            ],
        },
    ],
}
ANTHROPIC_ANSWERED: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "content": [
        {"type": "text", "text": "I ask."},
        {"type": "tool_use", "id": "c2", "name": "f", "input": {"city": "Rome"}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 64,
        "cache_creation_input_tokens": 26,
        "output_tokens": 20,
        "output_tokens_details": {"thinking_tokens": 12},
    },
}
GEMINI_ASKED: Json = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {
            "role": "user",
            "parts": [{"text": "Weather?"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}],
        },
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "f", "args": {"city": "Paris"}}, "thoughtSignature": "sig"},
                {"functionCall": {"name": "f", "args": {"city": "Rome"}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"result": "Rain"}}},
                {"functionResponse": {"name": "f", "response": {"result": "Sun"}}},
            ],
        },
    ],
    "tools": [
        {"functionDeclarations": [{"name": "f", "description": "d", "parameters": {"type": "OBJECT"}}]}
    ],
    "generationConfig": {"temperature": 0.5},
    "safetySettings": [],
}
GEMINI_ANSWERED: Json = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "Rain."}]},
            "finishReason": "STOP",
            "avgLogprobs": -0.5,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 64,
        "candidatesTokenCount": 8,
        "thoughtsTokenCount": 12,
        "totalTokenCount": 120,
    },
    "modelVersion": "gemini-2.5-flash",
    "responseId": "r-1",
    "createTime": "2025-10-10T16:32:28.805463Z",
}
CONVERSE_ASKED: Json = {
    "system": [{"text": "Be brief."}],
    "messages": [
        {
            "role": "user",
            "content": [{"text": "Weather?"}, {"image": {"format": "png", "source": {"bytes": "aGk="}}}],
        },
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Ask f.", "signature": "sig"}}},
                {"toolUse": {"toolUseId": "c1", "name": "f", "input": {"city": "Paris"}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "toolResult": {
                        "toolUseId": "c1",
                        "content": [{"json": {"sky": "Rain"}}],
                        "status": "success",
                    }
                },
                {"cachePoint": {"type": "default"}},
            ],
        },
    ],
    "toolConfig": {
        "tools": [{"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": SCHEMA}}}],
        "toolChoice": {"auto": {}},
    },
    "inferenceConfig": {"maxTokens": 100},
}
CONVERSE_ANSWERED: Json = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"text": "I ask."},
                {"toolUse": {"toolUseId": "c2", "name": "f", "input": {"city": "Rome"}}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {
        "inputTokens": 10,
        "outputTokens": 20,
        "cacheReadInputTokens": 64,
        "cacheWriteInputTokens": 26,
        "totalTokens": 120,
    },
    "metrics": {"latencyMs": 683},
}
INVOKE_ASKED: Json = {"inputText": "Say", "textGenerationConfig": {"maxTokenCount": 10, "temperature": 0.8}}
INVOKE_ANSWERED: Json = {
    "inputTextTokenCount": 5,
    "results": [{"tokenCount": 10, "outputText": "Hello!", "completionReason": "LENGTH"}],
}
OLLAMA_ASKED: Json = {
    "model": "qwen3",
    "stream": False,
    "options": {"temperature": 0},
    "keep_alive": "5m",
    "messages": [
        {"role": "user", "content": "Weather?", "images": ["aGk="]},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "f", "arguments": {"city": "Paris"}}}],
        },
        {"role": "tool", "tool_name": "f", "content": "Rain"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
}
OLLAMA_ANSWERED: Json = {
    "model": "qwen3",
    "created_at": "2026-08-07T06:08:11.017589Z",
    "message": {"role": "assistant", "content": "Rain.", "thinking": "Hm."},
    "done": True,
    "done_reason": "stop",
    "total_duration": 1_671_921_584,
    "load_duration": 140_923_875,
    "prompt_eval_count": 310,
    "eval_count": 145,
}

EXAMPLES: list[tuple[Provider, Json, Json]] = [
    (openai_chat, CHAT_ASKED, CHAT_ANSWERED),
    (openai_responses, RESPONSES_ASKED, RESPONSES_ANSWERED),
    (openai_completions, COMPLETIONS_ASKED, COMPLETIONS_ANSWERED),
    (anthropic, ANTHROPIC_ASKED, ANTHROPIC_ANSWERED),
    (gemini, GEMINI_ASKED, GEMINI_ANSWERED),
    (bedrock_converse, CONVERSE_ASKED, CONVERSE_ANSWERED),
    (bedrock_invoke, INVOKE_ASKED, INVOKE_ANSWERED),
    (ollama, OLLAMA_ASKED, OLLAMA_ANSWERED),
]
NAMES = [provider.NAME for provider, _, _ in EXAMPLES]


def folded_by(provider: Provider, stream: bytes) -> Json:
    return provider.fold_events(events_of(stream))
