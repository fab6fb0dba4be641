"""Base models and teachers."""
