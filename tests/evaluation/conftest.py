from __future__ import annotations

from tests.training.conftest import folders, tiny_weights

__all__ = ["folders", "tiny_weights"]
