from __future__ import annotations

from django import forms


class NameForm(forms.Form):
    name = forms.CharField(max_length=200, required=False)
