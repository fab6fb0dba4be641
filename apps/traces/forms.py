from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from apps.traces.models import Audience, Kind, Source, Status

PERIODS = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(days=1)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    "365d": ("Last 365 days", timedelta(days=365)),
}


class CallFilter(forms.Form):
    """What narrows the list of calls; every field may be empty, and a wrong value counts as empty."""

    q = forms.CharField(required=False, max_length=500)
    model = forms.CharField(required=False, max_length=120)
    action = forms.CharField(required=False, max_length=200)
    session = forms.CharField(required=False, max_length=200)
    status = forms.ChoiceField(required=False, choices=Status.choices)
    audience = forms.ChoiceField(required=False, choices=Audience.choices)
    source = forms.ChoiceField(required=False, choices=Source.choices)
    kind = forms.ChoiceField(required=False, choices=[("all", "Every kind"), *Kind.choices])
    emitter = forms.IntegerField(required=False, min_value=1)
    period = forms.ChoiceField(required=False, choices=[(key, label) for key, (label, _) in PERIODS.items()])

    @property
    def wanted(self) -> dict[str, Any]:
        """The valid, non-empty values."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}
