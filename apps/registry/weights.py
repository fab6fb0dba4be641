"""Where a base model's weights are on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from apps.core.errors import HubError
from apps.registry.entries import STARTER_SLUG
from apps.registry.models import BaseModel


class WeightsMissingError(HubError):
    """The base model's weights are not on this machine; the hint is the command that fetches them."""

    status = 409

    def __init__(self, base: BaseModel) -> None:
        self.command = command(base)
        hint = f"Fetch them with: {self.command}" if self.command else base.remarks
        super().__init__(f"The weights of {base.name} are not on this machine.", hint=hint)


def locate(base: BaseModel) -> Path:
    """Its folder with `config.json` and safetensors, else the hub cache's. Raises WeightsMissingError."""
    folder = find(base)
    if folder is None:
        raise WeightsMissingError(base)
    return folder


def find(base: BaseModel) -> Path | None:
    if base.path:
        return Path(base.path) if _is_complete(Path(base.path)) else None
    return _cached(base.hub_id) if base.hub_id else None


def command(base: BaseModel) -> str:
    if base.slug == STARTER_SLUG:
        return "make starter"
    return f"hf download {base.hub_id}" if base.hub_id else ""


def _cached(hub_id: str) -> Path | None:
    """The snapshot that `main` names in the Hugging Face cache."""
    folder = _cache() / f"models--{hub_id.replace('/', '--')}"
    try:
        revision = (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    snapshot = folder / "snapshots" / revision
    return snapshot if revision and _is_complete(snapshot) else None


def _cache() -> Path:
    if "HF_HUB_CACHE" in os.environ:
        return Path(os.environ["HF_HUB_CACHE"])
    return Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")) / "hub"


def _is_complete(folder: Path) -> bool:
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
