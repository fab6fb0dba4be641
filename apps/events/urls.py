from __future__ import annotations

from django.urls import path

from apps.events import views

app_name = "events"
urlpatterns = [path("w/<slug:workspace>/activity/", views.activity, name="activity")]
