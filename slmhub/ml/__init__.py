"""Everything with tensors. Knows no database row; only child processes import its heavy modules."""

from __future__ import annotations
