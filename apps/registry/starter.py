"""The catalogue row of the starter model, from the files it ships with."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from apps.registry.entries import APACHE, MAY, STARTER_SLUG
from apps.registry.models import Figures

LONGEST_HEADER = 4 * 2**20
BYTES_IN_BF16 = 2


def starter_fields(weights: Path) -> dict[str, Any]:
    """Columns of the starter's row; figures only when its manifest is there to vouch for them."""
    manifest, config = _json(weights / "manifest.json"), _json(weights / "config.json")
    parameters = count_parameters(weights / "model.safetensors")
    return {
        "slug": STARTER_SLUG,
        "name": "SLM Hub starter",
        "family": "SLM Hub",
        "path": str(weights),
        "parameters": parameters,
        "context": config.get("max_position_embeddings"),
        "licence": manifest.get("licence", APACHE),
        "licence_class": MAY,
        "architecture": next(iter(config.get("architectures") or ["Qwen2ForCausalLM"])),
        "tool_format": "compact JSON of {name, arguments}",
        "memory_gb": round(parameters * BYTES_IN_BF16 / 1e9, 4) if parameters else None,
        "bytes_per_token": 1.0,
        "remarks": "Ships with the hub and trains on a CPU in a minute or two. It copies and extracts; it "
        "knows nothing of the world and cannot hold a conversation. Reads bytes, so its context is short.",
        "figures": _figures(manifest),
    }


def _figures(manifest: dict[str, Any]) -> Figures:
    measured = manifest.get("exact_match") or {}
    if not measured:
        return Figures()
    return Figures(
        source="measured when it was made, share of held-out generated texts answered exactly",
        values={f"{skill}, exact": round(100 * share, 1) for skill, share in measured.items()},
    )


def count_parameters(file: Path) -> int | None:
    """Sum over the tensors of a safetensors header; None without a readable file."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length)) if length <= LONGEST_HEADER else {}
    except (OSError, ValueError):
        return None
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return sum(math.prod(shape) for shape in shapes) or None


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
