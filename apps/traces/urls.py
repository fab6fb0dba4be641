from __future__ import annotations

from django.urls import path

from apps.traces import views
from apps.traces.files import review_views, upload_views

app_name = "traces"
urlpatterns = [
    path("", views.list_, name="list"),
    path("calls/<int:pk>/", views.call, name="call"),
    path("spans/<int:pk>/trace/", views.trace, name="trace"),
    path("sessions/<int:pk>/", views.session, name="session"),
    path("upload/", upload_views.upload, name="upload"),
    path("uploads/tus/", upload_views.tus, name="tus"),
    path("uploads/tus/<slug:token>/", upload_views.tus_upload, name="tus_upload"),
    path("uploads/review/<slug:delivery>/", review_views.review, name="upload_review"),
    path("uploads/review/<slug:delivery>/start/", review_views.start, name="upload_start"),
    path("uploads/<int:pk>/discard/", upload_views.upload_discard, name="upload_discard"),
    path("uploads/<int:pk>/", upload_views.upload_detail, name="upload_detail"),
    path("uploads/<int:pk>/rejects/", upload_views.rejects, name="rejects"),
    path("uploads/<int:pk>/cancel/", upload_views.upload_cancel, name="upload_cancel"),
    path("uploads/<int:pk>/retry/", upload_views.upload_retry, name="upload_retry"),
]
