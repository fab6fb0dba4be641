"""Findings, review, surrogates."""
