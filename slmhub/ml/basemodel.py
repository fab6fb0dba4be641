"""Base models on this machine: where their weights are, what they hash to, how they load."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from transformers import AutoModelForCausalLM, AutoTokenizer

STARTER = Path(__file__).parent / "starter" / "weights"


class BaseModelMissingError(Exception):
    """The weights of a base model are not on this machine; the message names the command for it."""


def base_folder(base: str) -> Path:
    """The folder with the weights of `base`, a path or a hub id. Raises BaseModelMissingError."""
    folder = Path(base)
    if folder.is_absolute() or folder.exists():
        if not weight_files(folder):
            command = "make starter" if folder == STARTER else f"hf download … --local-dir {folder}"
            raise BaseModelMissingError(f"No *.safetensors in {folder}. Fetch the weights with: {command}")
        return folder
    try:
        folder = Path(snapshot_download(base, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError):
        raise BaseModelMissingError(_fetch(base)) from None
    if not weight_files(folder):
        raise BaseModelMissingError(_fetch(base))
    return folder


def _fetch(base: str) -> str:
    return f"The weights of {base} are not on this machine. Fetch them with: hf download {base}"


def weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_weights(folder: Path) -> str:
    """The hash of the one weight file, or of the lines `sha256  name` of several."""
    files = weight_files(folder)
    if len(files) == 1:
        return sha256_of_file(files[0])
    lines = "".join(f"{sha256_of_file(path)}  {path.name}\n" for path in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def load_base(folder: Path) -> tuple[Any, Any]:
    """Model in float32 and tokenizer; only safetensors, no code from the folder."""
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, trust_remote_code=False
    )
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return model, tokenizer


def context_length(model: Any) -> int:
    return int(model.config.max_position_embeddings)
