from __future__ import annotations

from typing import Any

from django import forms

from apps.accounts.models import Agent, Workspace
from apps.accounts.rights import Role, Scope


class WorkspaceForm(forms.Form):
    name = forms.CharField(
        max_length=120, label="Name of the workspace", help_text="Your team, e.g. “Acme support”."
    )


class AgentForm(forms.Form):
    name = forms.CharField(
        max_length=60, label="Name of the agent", help_text="The system to convert, e.g. “Support desk”."
    )


class InviteForm(forms.Form):
    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField(choices=Role.choices, initial=Role.VIEWER)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class KeyForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="Where it will be used, e.g. “production support desk”.")
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        label="What may it do?",
        initial=[Scope.INFER, Scope.INGEST],
    )
    agent = forms.ModelChoiceField(
        queryset=Agent.objects.none(),
        required=False,
        empty_label="Any agent of the workspace",
        help_text="A key of one agent names it by itself.",
    )

    def __init__(self, *arguments: Any, workspace: Workspace, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fields["agent"].queryset = workspace.agents.order_by("name")  # type: ignore[attr-defined]

    def clean_scopes(self) -> list[Scope]:
        return [Scope(value) for value in self.cleaned_data["scopes"]]
