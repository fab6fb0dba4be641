from __future__ import annotations

from django.urls import path

from apps.traces import upload_views, views

app_name = "traces"
urlpatterns = [
    path("", views.list_, name="list"),
    path("calls/<int:pk>/", views.call, name="call"),
    path("sessions/<int:pk>/", views.session, name="session"),
    path("upload/", upload_views.upload, name="upload"),
    path("uploads/<int:pk>/", upload_views.upload_detail, name="upload_detail"),
    path("uploads/<int:pk>/rejects/", upload_views.rejects, name="rejects"),
    path("uploads/<int:pk>/cancel/", upload_views.upload_cancel, name="upload_cancel"),
    path("uploads/<int:pk>/retry/", upload_views.upload_retry, name="upload_retry"),
]
