from __future__ import annotations

from typing import Any

from django import forms

from apps.prices.models import Price


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Price
        fields = (
            "provider", "model", "input", "output", "cached_input", "cache_write", "reasoning", "batch_input",
            "batch_output", "valid_from", "valid_until", "source",
        )  # fmt: skip
        widgets = {
            "valid_from": forms.DateInput(attrs={"type": "date"}),
            "valid_until": forms.DateInput(attrs={"type": "date"}),
        }

    def clean_provider(self) -> str:
        return str(self.cleaned_data["provider"]).strip().lower()

    def clean_model(self) -> str:
        return str(self.cleaned_data["model"]).strip().lower()

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        begins, ends = values.get("valid_from"), values.get("valid_until")
        if begins and ends and ends <= begins:
            self.add_error("valid_until", "It must end after it begins.")
        return values
