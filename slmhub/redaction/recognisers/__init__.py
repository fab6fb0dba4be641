"""Kinds of recognisers, each behind `find(texts) -> findings`; the registry says which ones look."""
