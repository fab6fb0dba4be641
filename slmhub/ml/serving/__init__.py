"""An OpenAI-compatible server of base models and specialists: `python -m slmhub.ml.serving --models DIR`."""

from __future__ import annotations
