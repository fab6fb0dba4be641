"""People, workspaces, agents, rights, keys."""
