"""Writes and pages of people, agents, invitations, API keys."""
