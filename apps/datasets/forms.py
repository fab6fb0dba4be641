from __future__ import annotations

from django import forms

from apps.datasets.columns import STARTER_LENGTH, Parameters

LENGTHS = [
    (STARTER_LENGTH, "2,000 characters (the starter model)"),
    (8000, "8,000 characters"),
    (32000, "32,000 characters"),
]


class BuildForm(forms.Form):
    longest = forms.TypedChoiceField(choices=LENGTHS, coerce=int, required=False, empty_value=None)

    def parameters(self) -> Parameters:
        return (
            Parameters(longest=self.cleaned_data["longest"] or STARTER_LENGTH)
            if self.is_valid()
            else Parameters()
        )
