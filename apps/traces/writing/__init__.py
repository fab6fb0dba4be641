"""A batch of records as rows: known ones completed, new ones redacted, everything in one transaction."""
