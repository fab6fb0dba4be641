"""What happens to uploaded files."""

from __future__ import annotations

from apps.events.facts import Fact, Page


class UploadReceived(Fact):
    type = "upload.received"
    verb = "uploaded"
    page = Page("uploads:detail", "upload")

    upload: int
    filename: str
    size: int

    def what(self) -> str:
        return self.filename
