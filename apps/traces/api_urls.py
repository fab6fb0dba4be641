from __future__ import annotations

from django.urls import path

from apps.traces import api

urlpatterns = [
    path("uploads", api.Uploads.as_view(), name="uploads"),
    path("uploads/<int:pk>", api.UploadStatus.as_view(), name="upload_status"),
    path("calls", api.Calls.as_view(), name="calls"),
]
