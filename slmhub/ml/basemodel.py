"""Base models on this machine: where their weights are, how they load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError
from transformers import AutoModelForCausalLM, AutoTokenizer

from slmhub.ml.files import weight_files

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
    missing = f"The weights of {base} are not on this machine. Fetch them with: hf download {base}"
    try:
        folder = Path(snapshot_download(base, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError):
        raise BaseModelMissingError(missing) from None
    if not weight_files(folder):
        raise BaseModelMissingError(missing)
    return folder


def load_model(folder: Path) -> Any:
    """In float32; only safetensors, no code from the folder."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, use_safetensors=True, trust_remote_code=False
    )


def load_tokenizer(folder: Path) -> Any:
    """No code from the folder."""
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def context_length(model: Any) -> int:
    return int(model.config.max_position_embeddings)
