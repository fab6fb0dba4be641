"""Runs and specialists."""
