"""The sealed, fsynced queue of raw bodies."""
