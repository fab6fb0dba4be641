"""Files: resumable, previewed, mapped, imported."""
