"""Logged requests with their responses, of any provider."""

from __future__ import annotations
