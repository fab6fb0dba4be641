"""Bytes of any length and packing as rows, in constant memory."""

from __future__ import annotations
