"""The one writer: records → redacted rows; the drain of the spool."""
