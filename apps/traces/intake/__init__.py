"""The streaming ways in: OTLP, and the addresses that the SDKs of Langfuse and LangSmith post to."""
