from __future__ import annotations

from typing import Any

from django import forms

from apps.registry.models import BaseModel, LicenceClass
from apps.training.recipes import Preset, recipe


class RecipeForm(forms.Form):
    """A base and a preset; every advanced field that is left blank keeps the preset's value."""

    base = forms.ChoiceField(label="Base model")
    preset = forms.ChoiceField(choices=Preset.choices, initial=Preset.QUICK, widget=forms.RadioSelect)
    minutes = forms.FloatField(
        required=False, min_value=0.1, max_value=1440, help_text="Train for this long instead of the preset."
    )
    epochs = forms.FloatField(
        required=False, min_value=0.1, max_value=200, label="Passes", help_text="Or for so many passes."
    )
    rank = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=256,
        help_text="Of the adapter; 32 for tiny models, 16 for others.",
    )
    alpha = forms.IntegerField(
        required=False, min_value=1, max_value=512, help_text="Its scale; twice the rank."
    )
    learning_rate = forms.FloatField(
        required=False, min_value=1e-6, max_value=0.05, help_text="0.005 for tiny models, 0.0002 for others."
    )
    batch_size = forms.IntegerField(required=False, min_value=1, max_value=256)
    augment_copies = forms.FloatField(
        required=False,
        min_value=0,
        max_value=1,
        label="Swapped values",
        help_text="Share of examples whose copied values become random ones, so that copying is learnt.",
    )
    seed = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)

    MAIN = ("base", "preset")

    def __init__(self, *arguments: Any, bases: list[BaseModel], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._bases = {str(base.pk): base for base in bases}
        choices = [(pk, _label(base)) for pk, base in self._bases.items()]
        self.fields["base"] = forms.ChoiceField(label="Base model", choices=choices)

    @property
    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.MAIN]

    @property
    def advanced_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.MAIN]

    @property
    def chosen_base(self) -> BaseModel:
        return self._bases[self.cleaned_data["base"]]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("minutes") and cleaned.get("epochs"):
            self.add_error("epochs", "Give minutes or passes, not both.")
        return cleaned

    def recipe(self) -> dict[str, Any]:
        minutes = self.cleaned_data["minutes"]
        changes = {
            name: value for name, value in self.cleaned_data.items() if name not in {*self.MAIN, "minutes"}
        }
        changes["max_seconds"] = minutes * 60 if minutes else None
        return recipe(self.chosen_base, Preset(self.cleaned_data["preset"]), changes)


def _label(base: BaseModel) -> str:
    warning = ", research only: no rollout" if base.licence_class == LicenceClass.RESEARCH else ""
    return f"{base.name} ({base.size}{warning})"
