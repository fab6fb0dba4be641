from __future__ import annotations

from django.urls import path

from apps.intake import api

urlpatterns = [path("calls", api.Calls.as_view(), name="calls")]
