"""Requests, approvals, routes."""
