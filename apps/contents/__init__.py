"""Content-addressed messages and tool sets."""
