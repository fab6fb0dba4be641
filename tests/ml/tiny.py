"""A real base model that is too small to be any good: seconds instead of minutes."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerFast

from slmhub.ml.starter.architecture import StarterShape, build_starter
from slmhub.ml.starter.tokenizer import byte_tokenizer

TINY = StarterShape(hidden=32, layers=2, heads=4, head_dim=8, context=512)


def write_tiny_base(folder: Path) -> Path:
    build_starter(TINY, seed=0).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


CHATML = """\
{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif %}<tools>
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}</tools><|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}<|im_start|>user
<tool_response>{{ message.content }}</tool_response><|im_end|>
{% elif not (tools and loop.first and message.role == 'system') %}<|im_start|>{{ message.role }}
{{ message.content }}
{%- for call in message.tool_calls or [] %}
{%- if message.content or not loop.first %}
{% endif %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def chatml_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes under a chat template such as instruct models bring along: ChatML with Hermes' tool calls."""
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHATML
    return tokenizer


def write_chatml_base(folder: Path) -> Path:
    tokenizer = chatml_tokenizer()
    model = build_starter(TINY, seed=0)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
