from __future__ import annotations

from django.urls import path

from apps.gateway import views

app_name = "gateway"
urlpatterns = [path("", views.overview, name="overview")]
