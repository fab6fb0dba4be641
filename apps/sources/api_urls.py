from __future__ import annotations

from django.urls import path

from apps.sources import api

urlpatterns = [path("sources", api.Sources.as_view(), name="sources")]
