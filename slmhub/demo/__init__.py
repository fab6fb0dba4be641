"""A generated support desk of an invented shop: its LLM log, its teacher and its people.

Everything in here is simulation: no text, person, order or answer is real.
"""

from __future__ import annotations
