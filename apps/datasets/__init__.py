"""Frozen examples."""
