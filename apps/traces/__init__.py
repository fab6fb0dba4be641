"""Spans, calls, sessions: rows and reading them."""
