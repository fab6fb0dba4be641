from __future__ import annotations

from django.urls import path

from apps.team import key_views, views

app_name = "team"
SETTINGS = "w/<slug:workspace>/settings/"
urlpatterns = [
    path("workspaces/new/", views.create_workspace, name="create_workspace"),
    path("invitations/<str:token>/", views.accept_invitation, name="accept_invitation"),
    path(SETTINGS, views.settings, name="settings"),
    path(SETTINGS + "agents/add/", views.add_agent, name="add_agent"),
    path(SETTINGS + "people/", views.people, name="people"),
    path(SETTINGS + "people/invite/", views.invite, name="invite"),
    path(
        SETTINGS + "people/invitations/<int:pk>/withdraw/",
        views.withdraw_invitation,
        name="withdraw_invitation",
    ),
    path(SETTINGS + "people/<int:pk>/role/", views.change_role, name="change_role"),
    path(SETTINGS + "people/<int:pk>/remove/", views.remove_member, name="remove_member"),
    path(SETTINGS + "keys/", key_views.keys, name="keys"),
    path(SETTINGS + "keys/create/", key_views.create_key, name="create_key"),
    path(SETTINGS + "keys/<int:pk>/revoke/", key_views.revoke_key, name="revoke_key"),
]
