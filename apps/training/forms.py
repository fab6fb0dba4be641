"""The form of a recipe: its numbers are those that the recipes of the training methods offer to people."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.registry.models import BaseModel, LicenceClass
from apps.training.recipes import Preset, recipe
from slmhub.ml.methods import DEFAULT, METHODS
from slmhub.ml.methods.recipe import Recipe, RecipeField, fields_of


class RecipeForm(forms.Form):
    """A base, a method and a preset; every number that is left blank keeps what the method suggests."""

    CHOICES = ("base", "method", "preset")

    def __init__(self, *arguments: Any, bases: list[BaseModel], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._bases = {str(base.pk): base for base in bases}
        self.fields["base"] = forms.ChoiceField(
            label="Base model", choices=[(pk, _label(base)) for pk, base in self._bases.items()]
        )
        self.fields["method"] = forms.ChoiceField(
            choices=[(method.name, method.label) for method in METHODS.values()],
            required=False,
            initial=DEFAULT,
            widget=forms.RadioSelect,
        )
        self.fields["preset"] = forms.ChoiceField(
            choices=Preset.choices, initial=Preset.QUICK, widget=forms.RadioSelect
        )
        # People think in minutes; the recipe holds seconds.
        seconds = fields_of(Recipe)["max_seconds"]
        self.fields["minutes"] = forms.FloatField(
            required=False,
            min_value=seconds.least / 60,
            max_value=seconds.most / 60,
            help_text="Train for this long instead of the preset.",
        )
        for method in METHODS.values():
            for field in fields_of(method.recipe).values():
                if field.title:
                    self.fields[field.name] = _number_field(field)

    @property
    def main_fields(self) -> list[forms.BoundField]:
        """A choice of one is none, so a single method is not asked for."""
        return [self[name] for name in self.CHOICES if name != "method" or len(METHODS) > 1]

    @property
    def advanced_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name not in self.CHOICES]

    @property
    def wanted_method(self) -> str:
        """Also of a form that is not filled in yet, or wrongly."""
        wanted = self["method"].value()
        return wanted if wanted in METHODS else DEFAULT

    @property
    def chosen_base(self) -> BaseModel:
        return self._bases[self.cleaned_data["base"]]

    def clean_method(self) -> str:
        return self.cleaned_data["method"] or DEFAULT

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("minutes") and cleaned.get("epochs"):
            self.add_error("epochs", "Give minutes or passes, not both.")
        return cleaned

    def recipe(self) -> Recipe:
        """Numbers that only another method asks for are passed over."""
        cleaned = self.cleaned_data
        own = fields_of(METHODS[cleaned["method"]].recipe)
        changes = {name: value for name, value in cleaned.items() if name in own}
        if cleaned["minutes"]:
            changes["max_seconds"] = cleaned["minutes"] * 60
        return recipe(self.chosen_base, Preset(cleaned["preset"]), changes, method=cleaned["method"])


def _number_field(field: RecipeField) -> forms.Field:
    words: dict[str, Any] = {"required": False, "label": field.title, "help_text": field.description}
    if field.kind is int:
        return forms.IntegerField(min_value=int(field.least), max_value=int(field.most), **words)
    return forms.FloatField(min_value=field.least, max_value=field.most, **words)


def _label(base: BaseModel) -> str:
    warning = ", research only: no rollout" if base.licence_class == LicenceClass.RESEARCH else ""
    return f"{base.name} ({base.size}{warning})"
