from __future__ import annotations

from typing import Any

from django import forms

from apps.core.errors import HubError
from apps.registry.models import Teacher
from apps.registry.services import checked_address, same_host


class TeacherForm(forms.Form):
    """The stored key is never shown; a blank field keeps it for the same host."""

    name = forms.CharField(max_length=120, help_text="How pages call it, e.g. “GPT of the platform team”.")
    base_url = forms.CharField(
        max_length=300, label="Address", help_text="OpenAI-compatible, e.g. https://llm.example.com/v1."
    )
    model = forms.CharField(
        max_length=120,
        required=False,
        help_text="Sent instead of the caller's model; blank keeps the caller's.",
    )
    key = forms.CharField(
        max_length=400,
        required=False,
        label="API key",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=True),
        help_text="Stored encrypted and never shown again. Blank keeps the key that is stored.",
    )
    forget_key = forms.BooleanField(required=False, label="Forget the stored key")
    simulated = forms.BooleanField(
        required=False,
        label="A simulation",
        help_text="Every figure that rests on it is marked as simulated.",
    )

    def __init__(self, *arguments: Any, teacher: Teacher | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.teacher = teacher

    def clean_base_url(self) -> str:
        try:
            return checked_address(self.cleaned_data["base_url"])
        except HubError as error:
            raise forms.ValidationError(error.sentence) from error

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        stored = self.teacher if self.teacher is not None and self.teacher.sealed_key else None
        moved = stored is not None and not same_host(
            stored.base_url, cleaned.get("base_url", stored.base_url)
        )
        if moved and self.chosen_key is None:
            self.add_error(
                "key", "The address has changed: type the key for the new one, or forget the stored key."
            )
        return cleaned

    @property
    def chosen_key(self) -> str | None:
        """None keeps the stored key, "" forgets it."""
        return self.cleaned_data.get("key") or ("" if self.cleaned_data.get("forget_key") else None)

    @property
    def values(self) -> dict[str, Any]:
        """Arguments of `set_teacher`."""
        plain = {
            name: value for name, value in self.cleaned_data.items() if name not in {"key", "forget_key"}
        }
        return {**plain, "key": self.chosen_key}


def initial(teacher: Teacher | None) -> dict[str, Any]:
    if teacher is None:
        return {}
    names = ("name", "base_url", "model", "simulated")
    return {name: value for name, value in vars(teacher).items() if name in names}
