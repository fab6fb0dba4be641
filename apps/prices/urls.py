from __future__ import annotations

from django.urls import path

from apps.prices import views

app_name = "prices"
SETTINGS = "w/<slug:workspace>/settings/prices/"
urlpatterns = [
    path(SETTINGS, views.list_, name="list"),
    path(SETTINGS + "set/", views.set_price, name="set"),
    path(SETTINGS + "<int:pk>/remove/", views.remove, name="remove"),
    path(SETTINGS + "recompute/", views.recompute, name="recompute"),
]
