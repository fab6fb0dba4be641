"""Files on their way in: received in pieces, sealed at rest, looked at, mapped, imported."""
