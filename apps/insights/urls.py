from __future__ import annotations

from django.urls import path

from apps.insights import views

app_name = "insights"
urlpatterns = [
    path("", views.index, name="index"),
    path("w/<slug:workspace>/", views.workspace_home, name="workspace_home"),
    path("w/<slug:workspace>/<slug:agent>/", views.home, name="home"),
]
