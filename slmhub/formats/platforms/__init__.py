"""What Langfuse, LangSmith and the Vercel AI SDK send and export outside OTLP."""

from __future__ import annotations
