"""Runs of benchmarks of agents: every turn of the agent is a call."""

from __future__ import annotations
