from __future__ import annotations

from django.urls import path

from apps.sources import views

app_name = "sources"
urlpatterns = [
    path("", views.list_, name="list"),
    path("connect/", views.connect, name="connect"),
    path("connect/key/", views.make_key, name="make_key"),
]
