"""Requests and responses of the model providers."""
