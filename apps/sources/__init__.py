"""The ingest doctor; Connect an agent."""
