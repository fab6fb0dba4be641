from __future__ import annotations

from django.urls import path

from apps.uploads import api, tus_api

urlpatterns = [
    path("uploads", api.Uploads.as_view(), name="uploads"),
    path("uploads/<int:pk>", api.UploadStatus.as_view(), name="upload_status"),
    path("tus/", tus_api.TusUploads.as_view(), name="tus"),
    path("tus/<slug:token>", tus_api.TusUpload.as_view(), name="tus_upload"),
]
