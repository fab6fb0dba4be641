"""Evaluation runs and gates."""
