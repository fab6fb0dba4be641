"""OTLP exports, and the conventions that say what their attributes mean."""
