"""A real base model that is too small to be any good: seconds instead of minutes."""

from __future__ import annotations

from pathlib import Path

from slmhub.ml.starter.architecture import StarterShape, build_starter
from slmhub.ml.starter.tokenizer import byte_tokenizer

TINY = StarterShape(hidden=32, layers=2, heads=4, head_dim=8, context=512)


def write_tiny_base(folder: Path) -> Path:
    build_starter(TINY, seed=0).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder
