"""A HUB_HOME of the version before is filled, migrated and opened again."""
