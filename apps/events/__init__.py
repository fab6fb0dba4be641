"""The durable log and its live delivery."""
