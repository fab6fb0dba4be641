"""Training examples: the last answer of each conversation is the call."""

from __future__ import annotations
