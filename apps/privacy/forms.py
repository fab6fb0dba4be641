from __future__ import annotations

from django import forms

from apps.privacy.models import Decision


class DecisionForm(forms.Form):
    decision = forms.ChoiceField(choices=Decision.choices)
