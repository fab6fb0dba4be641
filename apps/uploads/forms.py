from __future__ import annotations

from typing import Any

from django import forms

from apps.uploads.mappings import BY_HAND, FIELDS
from slmhub.formats import AUTO, FORMATS


class SeveralFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    """A list of uploaded files, which may be empty ones: the import says so by name."""

    widget = SeveralFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list | tuple) else [data]
        return [super(SeveralFilesField, self).clean(file, initial) for file in files]


class UploadForm(forms.Form):
    uploaded = SeveralFilesField(allow_empty_file=True)


class ReadingForm(forms.Form):
    """How one file is read: by which format, or by a mapping of paths."""

    format = forms.ChoiceField(
        required=False,
        choices=[
            (AUTO, "Recognise each line"),
            *[(known.name, known.name) for known in FORMATS],
            (BY_HAND, "Map the fields by hand"),
        ],
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for name in FIELDS:
            self.fields[name] = forms.CharField(required=False, max_length=300, label=_FIELD_LABELS.get(name))

    @property
    def wanted(self) -> str:
        """The chosen format; what is not there counts as not chosen."""
        return str(self._chosen.get("format") or AUTO)

    @property
    def given(self) -> dict[str, str]:
        """The mapping that was sent along, {} when none was shown."""
        if self.add_prefix("messages") not in self.data:
            return {}
        return {name: str(self._chosen.get(name, "")) for name in FIELDS}

    @property
    def _chosen(self) -> dict[str, Any]:
        self.is_valid()
        return self.cleaned_data if self.is_bound else {}

    @property
    def usual(self) -> list[forms.BoundField]:
        return [self[name] for name in _FIELD_LABELS]

    @property
    def rare(self) -> list[forms.BoundField]:
        return [self[name] for name in FIELDS if name not in _FIELD_LABELS]


_FIELD_LABELS = {
    "messages": "Messages (a list)",
    "prompt": "Prompt",
    "system": "System prompt",
    "output": "Answer",
    "session": "Session",
    "model": "Model",
    "started_at": "Time",
    "latency_ms": "Latency in ms",
    "input_tokens": "Input tokens",
    "output_tokens": "Output tokens",
}
