"""What narrows the list of shipped prices."""

from __future__ import annotations

from apps.core.facets import Text, as_is

# The prices are a file's, no rows: `shipped_prices` looks for the words.
SHIPPED_FACETS = (Text("q", "Model or provider", longest=100, narrow=as_is),)
