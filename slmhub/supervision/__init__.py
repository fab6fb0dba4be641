"""Runs the processes of one machine: restarts what dies, ends everything together, leaves no orphan."""
