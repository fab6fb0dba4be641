"""Finds the recurring tasks among an agent's calls; runs as a child process."""
