"""The starter base model: a tiny stock Qwen2 that has learnt to copy, look up and extract unseen strings.

It has read generated text only, so it carries no licence but this project's, and knows no fact of the world.
"""

from __future__ import annotations
