"""A stock Qwen2 whose initial weights already hold the circuits that copying needs.

Training finds these circuits by itself, but only after many minutes; placed by hand they cost nothing, stay
trainable, and ship as ordinary weights. Two kinds are placed:

- Layer 0, head i attends i + 1 tokens back: q and k biases on the fast RoPE pairs, k turned by the offset.
  All heads carry the token's identity through one value projection into separate subspaces.
- In later layers some heads match what stands before the current token with what stood before an earlier one,
  and copy what followed there (induction), or what followed a key and its separator (look-up).
  They live on the slow RoPE dimensions, so that the match does not depend on the distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention

FAST_FREQUENCY = 0.12  # radians per token above which a RoPE pair tells neighbouring offsets apart
SLOW_FREQUENCY = 0.005  # below which a pair hardly turns over a whole context
SHIFT_SHARPNESS = 5.0
SHIFT_GAIN = 0.12
MATCH_GAIN = 1.5
COPY_GAIN = 0.16


@dataclass(frozen=True)
class MatchHead:
    """Tokens back that the query compares with tokens back that the key offers; the key's token is copied."""

    query: tuple[int, ...]
    key: tuple[int, ...]


INDUCTION = (
    MatchHead(query=(0,), key=(1,)),
    MatchHead(query=(0, 1), key=(1, 2)),
    MatchHead(query=(0, 1, 2), key=(1, 2, 3)),
)
# `"key":"` ends three tokens after the key; in the text one or two characters separate key and value.
LOOK_UPS = (MatchHead(query=(3, 4), key=(2, 3)), MatchHead(query=(3, 4), key=(3, 4)))


@dataclass(frozen=True)
class StarterShape:
    """Sizes of the starter; heads x head_dim equals hidden, so that each shift has a subspace of its own."""

    vocabulary: int = 261
    hidden: int = 128
    layers: int = 3
    heads: int = 4
    head_dim: int = 32
    context: int = 2048
    rope_theta: float = 1e6
    init_std: float = 0.08


def build_starter(shape: StarterShape, *, seed: int) -> Qwen2ForCausalLM:
    """An untrained starter with its circuits in place."""
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(_config(shape))
    generator = torch.Generator().manual_seed(seed + 5)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.mlp.down_proj.weight.mul_(0.3)
        identity = _place_shift_heads(model, shape, generator)
        for index, layer in enumerate(model.model.layers[1:]):
            heads = (*INDUCTION, LOOK_UPS[index % len(LOOK_UPS)])
            _place_match_heads(layer.self_attn, heads, identity, generator)
    return model


def _config(shape: StarterShape) -> Qwen2Config:
    return Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.head_dim,  # type: ignore[call-arg]  # read as an extra field
        intermediate_size=3 * shape.hidden,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        initializer_range=shape.init_std,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        use_sliding_window=False,
    )


def _frequencies(head_dim: int, theta: float) -> list[float]:
    half = head_dim // 2
    return [theta ** (-pair / half) for pair in range(half)]


def _orthogonal(rows: int, columns: int, generator: torch.Generator) -> torch.Tensor:
    size = max(rows, columns)
    basis: torch.Tensor = torch.linalg.qr(torch.randn(size, size, generator=generator))[0]
    return basis[:rows, :columns]


@dataclass(frozen=True)
class _TokenIdentity:
    """Reads the token `offset` places back out of the residual stream: [head_dim, hidden] per offset."""

    readers: tuple[torch.Tensor, ...]
    slow: torch.Tensor


def _place_shift_heads(
    model: Qwen2ForCausalLM, shape: StarterShape, generator: torch.Generator
) -> _TokenIdentity:
    attention = model.model.layers[0].self_attn
    width = shape.head_dim
    value = _orthogonal(width, shape.hidden, generator)
    out = _orthogonal(shape.hidden, shape.hidden, generator)
    attention.q_proj.weight.mul_(0.2)
    attention.k_proj.weight.mul_(0.2)
    frequencies = _frequencies(width, shape.rope_theta)
    readers = [value]
    for head in range(shape.heads):
        _look_back(attention, head, frequencies)
        rows = slice(head * width, (head + 1) * width)
        subspace = out[:, rows]
        attention.v_proj.weight[rows] = value
        attention.o_proj.weight[:, rows] = subspace * SHIFT_GAIN
        readers.append(subspace.T)
    slow_pairs = [pair for pair, frequency in enumerate(frequencies) if frequency < SLOW_FREQUENCY]
    slow = torch.tensor(slow_pairs + [pair + width // 2 for pair in slow_pairs])
    return _TokenIdentity(readers=tuple(readers), slow=slow)


def _look_back(attention: Qwen2Attention, head: int, frequencies: list[float]) -> None:
    """Biases of `head` so that its score peaks head + 1 tokens back, from R(s - t) of RoPE."""
    half, offset = len(frequencies), head + 1
    fast = [pair for pair, frequency in enumerate(frequencies) if frequency > FAST_FREQUENCY]
    gap = sum(1 - math.cos(frequencies[pair]) for pair in fast)
    size = math.sqrt(SHIFT_SHARPNESS * math.sqrt(2 * half) / gap)
    for pair in fast:
        at = head * 2 * half + pair
        attention.q_proj.bias[at] = size
        attention.k_proj.bias[at] = size * math.cos(offset * frequencies[pair])
        attention.k_proj.bias[at + half] = size * math.sin(offset * frequencies[pair])


def _place_match_heads(
    attention: Qwen2Attention,
    heads: tuple[MatchHead, ...],
    identity: _TokenIdentity,
    generator: torch.Generator,
) -> None:
    width, hidden = identity.readers[0].shape
    for head, match in enumerate(heads):
        start = head * width
        query = torch.zeros(len(identity.slow), hidden)
        key = torch.zeros(len(identity.slow), hidden)
        for back_from_query, back_from_key in zip(match.query, match.key, strict=True):
            mix = _orthogonal(len(identity.slow), width, generator)
            query += mix @ identity.readers[back_from_query]
            key += mix @ identity.readers[back_from_key]
        rows = slice(start, start + width)
        attention.q_proj.weight[rows] *= 0.1
        attention.k_proj.weight[rows] *= 0.1
        attention.q_proj.weight[start + identity.slow] = query * MATCH_GAIN
        attention.k_proj.weight[start + identity.slow] = key * MATCH_GAIN
        copied = _orthogonal(width, hidden, generator)
        attention.v_proj.weight[rows] = copied
        attention.o_proj.weight[:, rows] = copied.T * COPY_GAIN
