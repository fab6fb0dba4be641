"""Fine-tunes a base model on prompts and completions: `python -m slmhub.ml.training SPEC.json`."""

from __future__ import annotations
