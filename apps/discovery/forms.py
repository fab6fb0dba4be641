from __future__ import annotations

from django import forms

from apps.discovery.models import TaskState
from apps.discovery.rows import ORDERS
from apps.discovery.selectors import OPEN
from apps.traces.models import Audience

STATES = [
    (OPEN, "Open"),
    (TaskState.FOUND, "Found"),
    (TaskState.ACCEPTED, "Accepted"),
    (TaskState.IGNORED, "Ignored"),
    ("", "All"),
]
ORDER_WORDS = {
    "size": "Most calls",
    "tokens": "Most tokens",
    "cohesion": "Most alike",
    "failed": "Most failures",
}


class FilterForm(forms.Form):
    """The list's filters; what cannot be read counts as not given."""

    state = forms.ChoiceField(choices=STATES, required=False, initial=OPEN)
    audience = forms.ChoiceField(choices=[("", "Anybody"), *Audience.choices], required=False)
    order = forms.ChoiceField(
        choices=[(key, ORDER_WORDS[key]) for key in ORDERS], required=False, initial="size"
    )
    q = forms.CharField(max_length=100, required=False)

    def selects(self, chosen: dict[str, str]) -> list[dict[str, object]]:
        """What the page draws: label, name, choices and the chosen value of each select."""
        labels = {"state": "State", "audience": "Read by", "order": "Order"}
        return [
            {"label": label, "name": name, "choices": self.fields[name].choices, "chosen": chosen[name]}  # type: ignore[attr-defined]
            for name, label in labels.items()
        ]

    def chosen(self) -> dict[str, str]:
        self.is_valid()
        given = self.cleaned_data
        return {
            "state": given.get("state", "") if "state" in self.data else OPEN,
            "audience": given.get("audience", ""),
            "order": given.get("order") or "size",
            "text": given.get("q", ""),
        }


class NameForm(forms.Form):
    name = forms.CharField(max_length=200, required=False)
